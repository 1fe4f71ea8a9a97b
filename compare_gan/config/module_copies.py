"""Copies of modules in a folder of a run: written, and imported from where the user allows it."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

from compare_gan import damaged, files
from compare_gan.config.module_sources import ModuleSources
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError, check_version

LIST = "digests.json"
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ModuleCopies:
    """The copies in one folder.

    Attributes:
      folder: The folder.
      digests: SHA-256 of each file, by its path relative to the folder.
      left_out: The kind of each module that could not be copied, by its name.
      number: Number of the folder among those of the run, from 1.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.config.module_copies import ModuleCopies
      >>> from compare_gan.config.module_sources import ModuleSources
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "0")
      ...     written = ModuleCopies.write(path, ModuleSources({"mine.py": b"import math"}))
      ...     ModuleCopies.read(path) == written, written.holds("mine"), written.holds("other")
      (True, True, False)
    """

    folder: str
    digests: Mapping[str, str]
    left_out: Mapping[str, str]
    number: int = 1

    @classmethod
    def write(cls, folder: str, sources: ModuleSources, number: int = 1) -> "ModuleCopies":
        """Writes the sources into a new folder, whole or not at all.

        Args:
          folder: The folder, which does not exist.
          sources: The sources.
          number: Number of the folder among those of the run.
        """
        digests = {path: files.digest(content) for path, content in sources.files.items()}
        copies = cls(folder, digests, dict(sources.left_out), number)
        with files.atomic(folder) as temporary:
            os.mkdir(temporary)
            for path, content in sources.files.items():
                os.makedirs(os.path.dirname(os.path.join(temporary, path)), exist_ok=True)
                with open(os.path.join(temporary, path), "wb") as file:
                    file.write(content)
            content_of_list = {
                "version": _VERSION,
                "number": number,
                "files": digests,
                "not_copied": copies.left_out,
            }
            files.write_json(os.path.join(temporary, LIST), content_of_list)
        return copies

    @classmethod
    def read(cls, folder: str) -> "ModuleCopies":
        """The copies that a folder lists; their content is not read.

        Raises:
          UserError: There is no list, or it is damaged or of a newer version.
        """
        path = os.path.join(folder, LIST)
        if not os.path.isfile(path):
            raise UserError(
                f"'{folder}' holds no copies of modules: --allow_imports takes the name of a "
                f"module, or the folder modules/<step> of a run, in which there is a {LIST}."
            )
        content = damaged.read_object(path)
        check_version(f"'{path}'", content, _VERSION)
        try:
            return cls(
                folder,
                {str(name): str(value) for name, value in content["files"].items()},
                {str(name): str(value) for name, value in content["not_copied"].items()},
                int(content["number"]),
            )
        except damaged.FORM_ERRORS as error:
            raise DamagedFileError(path, "it lists no files") from error

    @functools.cached_property
    def modules(self) -> Mapping[str, str]:
        """The path of each module's copy, relative to the folder, by the module's name."""
        endings = re.compile(r"(/__init__)?\.py$")
        return {endings.sub("", path).replace("/", "."): path for path in self.digests}

    def holds(self, module: str) -> bool:
        """Whether there is a copy of this module, or of modules in this package."""
        return any(f"{name}.".startswith(f"{module}.") for name in self.modules)

    def is_copy_of(self, file: str, module: str) -> bool:
        """Whether the copy of a module has the content of a file."""
        try:
            content = pathlib.Path(file).read_bytes()
        except OSError:
            return False
        return files.digest(content) == self.digests[self.modules[module]]


class CopiesFinder(MetaPathFinder):
    """Imports modules from copies: files that are listed, with the content that was copied.

    Nothing else in the folder is executed: no compiled files, which may differ from the source
    that the user has read, and no files that are not listed. Inside `first`, copies win over all
    other modules. Afterwards they serve imports inside functions; then modules that are found
    elsewhere win, except in a package that is a copy itself.

    Args:
      copies: The copies.

    Example:
      >>> from compare_gan.config.module_copies import CopiesFinder, ModuleCopies
      >>> finder = CopiesFinder(ModuleCopies("runs/a/modules/0", {"mine.py": "…"}, {}))
      >>> finder.find_spec("mine").origin  # doctest: +ELLIPSIS
      '/.../runs/a/modules/0/mine.py'
      >>> finder.find_spec("math") is None
      True
    """

    def __init__(self, copies: ModuleCopies):
        self.copies = copies
        self._folder = os.path.abspath(copies.folder)
        self._is_first = False

    @contextlib.contextmanager
    def first(self) -> Iterator[None]:
        """The copies win inside, and remain importable afterwards."""
        known = (each for each in sys.meta_path if isinstance(each, CopiesFinder))
        same = next((each for each in known if each.copies == self.copies), None)
        if same is not None:
            sys.meta_path.remove(same)
        sys.meta_path.insert(0, self)
        self._is_first = True
        try:
            yield
        finally:
            self._is_first = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The location of a module's copy; None if another finder is to look for it.

        Raises:
          ModuleNotFoundError: The module's package is a copy, in which the module is not listed.
        """
        package = fullname.rpartition(".")[0]
        elsewhere = [each for each in path or () if each != self._folder_of(package)]
        package_is_copy = path is not None and len(elsewhere) < len(path)
        if not self.copies.holds(fullname):
            if not package_is_copy:
                return None
            found = PathFinder.find_spec(fullname, elsewhere)
            if found is None:
                raise ModuleNotFoundError(f"No module named '{fullname}'", name=fullname)
            return found
        wins = self._is_first or package_is_copy
        if not wins and PathFinder.find_spec(fullname, path) is not None:
            return None
        return self._spec(fullname, None if path is None else elsewhere)

    def _spec(self, fullname: str, elsewhere: Sequence[str] | None) -> ModuleSpec | None:
        listed = self.copies.modules.get(fullname)
        if listed is None:  # A package without a file, parts of which may be in other folders.
            spec = ModuleSpec(fullname, None, is_package=True)
            other = PathFinder.find_spec(fullname, elsewhere)
            more = other.submodule_search_locations if other and other.loader is None else None
            spec.submodule_search_locations = [self._folder_of(fullname), *(more or ())]
            return spec
        file = os.path.join(self._folder, listed)
        is_package = listed.endswith("/__init__.py")
        return spec_from_file_location(
            fullname,
            file,
            loader=_CopyLoader(fullname, file, self.copies.digests[listed]),
            submodule_search_locations=[self._folder_of(fullname)] if is_package else None,
        )

    def _folder_of(self, package: str) -> str:
        return os.path.join(self._folder, *package.split("."))


class _CopyLoader(SourceFileLoader):
    """Executes a file that has the content of the copy; neither reads nor writes bytecode."""

    def __init__(self, name: str, path: str, digest: str):
        super().__init__(name, path)
        self._digest = digest

    def get_code(self, fullname: str) -> Any:
        try:
            content = self.get_data(self.path)
        except OSError as error:
            raise DamagedFileError(self.path, error.strerror or "it cannot be read") from error
        if files.digest(content) != self._digest:
            raise DamagedFileError(self.path, "it is not the file that was copied")
        return self.source_to_code(content, self.path)
