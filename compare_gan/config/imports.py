"""Imports of a config: a user's own one may use the working directory, that of a run may not.

The config of a run directory may have been written by somebody else, and importing a module runs
it. Such a config may import what is installed; more only if the user names it.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import PathFinder

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


def importer_of_run(allowed: Sequence[str]) -> Callable[[str, Callable[[], None]], None]:
    """A function as `import_freely` for the config of a run directory.

    Args:
      allowed: Modules that may be imported even if they are not installed; those of a package
        with it.

    Returns:
      A function that raises UserError if the module is not installed and not allowed. It searches
      no working directory, neither for the module nor for those that the module imports.
    """

    def do(module: str, do_import: Callable[[], None]) -> None:
        if any(module == name or module.startswith(f"{name}.") for name in allowed):
            import_freely(module, do_import)
            return
        package = module.split(".")[0]
        if package == _GIN:
            raise UserError(
                f"'{module}' lets a config call any function: the config of a run directory may "
                f"use it only with --allow_imports {_GIN}."
            )
        try:
            with _without_working_directory():
                do_import()
        except ModuleNotFoundError as error:
            missing = error.name or ""
            searched = None if missing != package else PathFinder.find_spec(package, [os.getcwd()])
            if searched is None:
                raise
            raise UserError(
                f"'{package}' is not installed; the config of a run directory may not run a module "
                f"of the working directory unless --allow_imports {package} names it."
            ) from error

    return do


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
