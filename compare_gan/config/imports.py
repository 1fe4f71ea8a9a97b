"""Imports of a config: a user's own one may use the working directory, that of a run may not.

The config of a run directory may have been written by somebody else, and importing a module runs
it. Such a config may import what is installed; more only if the user names it: a module, which may
be in the working directory, or a folder with the copies that the run holds of its modules.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import PathFinder

from compare_gan.config.module_copies import CopiesFinder, ModuleCopies
from compare_gan.errors import UserError

_GIN = "__gin__"  # `from __gin__ import dynamic_registration`.


def import_freely(module: str, do_import: Callable[[], None]) -> None:
    """Imports a module of a user's own config, if need be from the working directory.

    That directory comes last on the path: a `queue.py` in it must not replace Python's.

    Args:
      module: Name of the module.
      do_import: Function that imports it.
    """
    if module.split(".")[0] != _GIN and not any(map(_is_working_directory, sys.path)):
        sys.path.append(os.getcwd())
    do_import()


def importer_of_run(
    allowed: Sequence[str], copies: str | None = None
) -> Callable[[str, Callable[[], None]], None]:
    """A function as `import_freely` for the config of a run directory.

    Args:
      allowed: Modules that may be imported even if they are not installed; those of a package
        with it. Any entry that is not the name of a module is a folder of copies, from which
        modules may be imported.
      copies: Folder with the run's own copies, which an error names if they would help.

    Returns:
      A function that raises UserError if the module is not installed and not allowed. It searches
      no working directory, neither for the module nor for those that the module imports.

    Raises:
      UserError: A folder holds no copies.
    """
    names = [entry for entry in allowed if _is_name_of_module(entry)]
    finders = [CopiesFinder(ModuleCopies.read(each)) for each in allowed if each not in names]

    def do(module: str, do_import: Callable[[], None]) -> None:
        package = module.split(".")[0]
        is_allowed = any(module == name or module.startswith(f"{name}.") for name in names)
        if package == _GIN and not is_allowed:
            raise UserError(
                f"'{module}' lets a config call any function: the config of a run directory may "
                f"use it only with --allow_imports {_GIN}."
            )
        finder = next((each for each in finders if each.copies.holds(module)), None)
        try:
            if finder is not None:
                with finder.first(), _without_working_directory():
                    do_import()
                _check_are_copies(finder.copies)
            elif is_allowed:
                import_freely(module, do_import)
            else:
                with _without_working_directory():
                    do_import()
        except ModuleNotFoundError as error:
            refusal = _refusal(error.name or "", module, copies)
            if refusal is None:
                raise
            raise UserError(refusal) from error

    return do


def _is_name_of_module(entry: str) -> bool:
    return all(part.isidentifier() for part in entry.split("."))


def _check_are_copies(copies: ModuleCopies) -> None:
    """Raises UserError if a module that has been imported differs from its copy."""
    for module in copies.modules:
        spec = getattr(sys.modules.get(module), "__spec__", None)
        if spec is not None and not copies.is_copy_of(spec.origin or "", module):
            raise UserError(
                f"'{module}' has been imported from '{spec.origin}' already, so this process "
                f"cannot run the copy in '{copies.folder}', which differs."
            )


def _refusal(missing: str, module: str, folder: str | None) -> str | None:
    """The sentence about a missing module that would be found elsewhere; None if nowhere."""
    package = module.split(".")[0]
    here = missing == package and PathFinder.find_spec(package, [os.getcwd()]) is not None
    copies = _copies_in(folder)
    held = missing if copies is not None and copies.holds(missing) else None
    option = f"--allow_imports {shlex.quote(folder or '')}"
    if here and held:
        return (
            f"'{missing}' is not installed; --allow_imports {package} runs the module of the "
            f"working directory, {option} the copy from the training."
        )
    if here:
        return (
            f"'{package}' is not installed; the config of a run directory may not run a module of "
            f"the working directory unless --allow_imports {package} names it."
        )
    if held:
        return (
            f"'{missing}' is not installed; a copy of it lies in '{folder}', which {option} runs: "
            "read it first, if the run is not your own."
        )
    if copies is not None and missing in copies.left_out:
        return (
            f"'{missing}' is not installed, and the run holds no copy of it, because it is "
            f"{copies.left_out[missing]}."
        )
    return None


def _copies_in(folder: str | None) -> ModuleCopies | None:
    """The copies of a run; None if there are none, or if the list of them is damaged."""
    try:
        return None if folder is None else ModuleCopies.read(folder)
    except (UserError, OSError):
        return None


@contextlib.contextmanager
def _without_working_directory() -> Iterator[None]:
    before = list(sys.path)
    sys.path[:] = [entry for entry in before if not _is_working_directory(entry)]
    try:
        yield
    finally:
        added = [entry for entry in sys.path if entry not in before]  # By the imported modules.
        sys.path[:] = [*before, *added]


def _is_working_directory(entry: str) -> bool:
    return os.path.realpath(entry) == os.path.realpath(os.curdir)  # "" is the directory too.
