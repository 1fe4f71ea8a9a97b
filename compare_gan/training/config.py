"""Reading gin configs."""

import contextlib
import importlib
import os
from collections.abc import Sequence

import gin

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.training.config_errors import explain, missing_file, unknown_parameter

# What gin raises for a config that it cannot parse.
_PARSE_ERRORS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)
# What holds options that no registered part brings with it.
_ROOMS_WITH_OPTIONS = ("compare_gan.training.options", "compare_gan.evaluation.evaluate")


def load_all_parts() -> None:
    """Imports every room, so that every name that a config may use is known to gin."""
    for kind in registry.kinds():
        registry.load(kind)
    for room in _ROOMS_WITH_OPTIONS:
        importlib.import_module(room)


def parse(gin_configs: Sequence[str] = (), gin_bindings: Sequence[str] = ()) -> None:
    """Parses gin files and then bindings, which win. Earlier bindings of gin are dropped.

    Args:
      gin_configs: Paths of gin files; their `include`s are found beside them too.
      gin_bindings: Bindings such as `"options.batch_size = 64"`.

    Raises:
      UserError: A file is missing, or a line names what is not there; the message holds the file,
        the line and the nearest valid name.
    """
    load_all_parts()
    gin.clear_config()
    for path in gin_configs:
        if not os.path.isfile(path):
            raise missing_file(path)
    paths = [os.path.abspath(path) for path in gin_configs]
    folders = [os.path.dirname(path) for path in paths]
    try:
        with _search_path(folders):
            parsed = gin.parse_config_files_and_bindings(
                paths, list(gin_bindings), finalize_config=False
            )
    except UserError:
        raise
    except _PARSE_ERRORS as error:
        raise explain(error) from error
    # Gin lets any name through to a class that passes **kwargs on to its base.
    files = [name for each in parsed for name in _find_files(each, folders)]
    for (_, selector), bindings in list(gin.config._CONFIG.items()):
        for name in bindings:
            error = unknown_parameter(selector, name, files)
            if error:
                raise error


@contextlib.contextmanager
def _search_path(folders: Sequence[str]):
    """Gin finds `include`s in these folders, before those that it knows."""
    prefixes = gin.config._LOCATION_PREFIXES
    before = list(prefixes)
    prefixes[:0] = folders
    try:
        yield
    finally:
        prefixes[:] = before


def _find_files(parsed, folders: Sequence[str]) -> list[str]:
    """The paths of a parsed file and of all that it includes."""
    places = [os.path.join(folder, parsed.filename) for folder in ("", *folders)]
    found = [path for path in places if os.path.isfile(path)][:1]
    return found + [name for each in parsed.includes for name in _find_files(each, folders)]
