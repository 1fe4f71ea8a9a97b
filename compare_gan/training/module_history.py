"""Copies of the user's own modules of a run: `modules/<step>/`, all versions that it ever had."""

import logging
import os
import re
import shlex

from compare_gan import damaged, files
from compare_gan.config.module_copies import ModuleCopies
from compare_gan.config.module_sources import ModuleSources, find_sources
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_FOLDER = "modules"
_NAME = re.compile(r"(\d+)(?:-\d+)?")


class ModuleHistory:
    """The folder `modules` of a run: a folder for each version of the modules, by its first step.

    As for configs, none is replaced: a second version from step 500 is `modules/500-2`.

    Args:
      path: The directory of the run.

    Example:
      >>> import tempfile
      >>> from compare_gan.config.module_sources import ModuleSources
      >>> from compare_gan.training.module_history import ModuleHistory
      >>> with tempfile.TemporaryDirectory() as run:
      ...     modules = ModuleHistory(run)
      ...     modules.record(ModuleSources({"mine.py": b"RATE = 1"}), step=0)
      ...     modules.record(ModuleSources({"mine.py": b"RATE = 1"}), step=300)  # As before.
      ...     modules.record(ModuleSources({"mine.py": b"RATE = 2"}), step=500)
      ...     [modules.folder_of(step)[len(run):] for step in (0, 500, 501)]
      ['/modules/0', '/modules/0', '/modules/500']
    """

    def __init__(self, path: str):
        self._folder = os.path.join(path, _FOLDER)

    def record(self, sources: ModuleSources, step: int) -> None:
        """Copies the modules with which the run goes on, unless it has these; the log says so.

        Args:
          sources: The sources of all modules of the user's own that the config needs.
          step: The finished steps.
        """
        versions = self._versions()
        current = _of(versions, step + 1)
        before = (current.digests, current.left_out) if current else ({}, {})
        digests = {path: files.digest(content) for path, content in sources.files.items()}
        is_newest = current is (versions[-1][1] if versions else None)  # Not after going back.
        if is_newest and before == (digests, sources.left_out):
            return
        folder, copies = os.path.join(self._folder, str(step)), 1
        while os.path.lexists(folder):
            copies += 1
            folder = os.path.join(self._folder, f"{step}-{copies}")
        numbers = [version.number for _, version in versions]
        ModuleCopies.write(folder, sources, max(numbers, default=0) + 1)
        changed = sorted(path for path in digests if before[0].get(path) != digests[path])
        place = f"{_FOLDER}/{os.path.basename(folder)}"
        listed = _listed(changed or sorted(digests))
        _log.info("Copies of the modules of this run (%s) are in '%s'.", listed, place)
        for module, kind in sources.left_out.items():
            _log.warning(
                "'%s' is %s, which is not copied: the run cannot be sampled where it is missing.",
                module,
                kind,
            )

    def folder_of(self, step: int) -> str | None:
        """The folder with the modules that a checkpoint comes from; None if the run has no copies.

        Args:
          step: The step of the checkpoint.
        """
        version = _of(self._versions(), step)
        return version.folder if version is not None and version.digests else None

    def warn_of_changes(self, config_text: str, step: int) -> None:
        """Logs a warning if modules are not those that a checkpoint was trained with.

        Args:
          config_text: All bindings of the config.
          step: The step of the checkpoint.
        """
        version = _of(self._versions(), step)
        if version is None:
            return
        found = find_sources(config_text).files
        changed = sorted(
            path
            for path in found.keys() & version.digests.keys()
            if files.digest(found[path]) != version.digests[path]
        )
        if changed:
            damaged.warn_once(
                f"The run was trained with another version of its modules ({_listed(changed)}); "
                f"--allow_imports {shlex.quote(version.folder)} runs that version."
            )

    def _versions(self) -> list[tuple[int, ModuleCopies]]:
        """The first step and the copies of each version, in the order in which the run had them."""
        if not os.path.isdir(self._folder):
            return []
        versions = []
        for name in os.listdir(self._folder):
            if match := _NAME.fullmatch(name):
                try:
                    version = ModuleCopies.read(os.path.join(self._folder, name))
                except UserError as error:
                    damaged.warn_once(f"{error} These copies are not used.")
                else:
                    versions.append((int(match[1]), version))
        return sorted(versions, key=lambda each: (each[1].number, each[0]))


def _of(versions: list[tuple[int, ModuleCopies]], step: int) -> ModuleCopies | None:
    """The copies that led to a step: the last ones that the run took before it."""
    return next((each for first, each in reversed(versions) if first < max(step, 1)), None)


def _listed(paths: list[str], most: int = 5) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return (", ".join(paths[:most]) or "none") + more
