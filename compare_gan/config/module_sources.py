"""The source files of the modules that a config imports and that are not installed."""

import ast
import dataclasses
import importlib.machinery
import os
import pathlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping

from gin import config_parser

from compare_gan.config import gin_internals

# Not the user's own, even where a checkout of them is on Python's path.
_LIBRARIES = ("compare_gan", "gin", "jax", "keras", "numpy", "tensorflow", "torch")
_SITE = ("site-packages", "dist-packages")
_ENDINGS_OF_EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class ModuleSources:
    """The source files of modules, as they were when they were read.

    Attributes:
      files: Content by path, relative to a folder on Python's path: `my_parts/layers.py`.
      left_out: The kind of each module without a source file ("a compiled extension"), by its name.

    Example:
      >>> from compare_gan.config.module_sources import ModuleSources
      >>> sources = ModuleSources({"my_parts.py": b"import math"}, {"fast": "a compiled extension"})
      >>> list(sources.files), sources.left_out["fast"]
      (['my_parts.py'], 'a compiled extension')
    """

    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)


def imported_modules(config_text: str) -> list[str]:
    r"""The modules that a config imports, in the order of their names.

    Args:
      config_text: Text of a config, as `config_text` returns it; nothing is imported.

    Example:
      >>> from compare_gan.config.module_sources import imported_modules
      >>> imported_modules("import mine\nfrom lab import parts\noptions.z_dim = 4")
      ['lab.parts', 'mine']
    """
    statements = config_parser.ConfigParser(config_text, gin_internals.ReferencesAsStrings())
    return sorted(
        each.module for each in statements if isinstance(each, config_parser.ImportStatement)
    )


def find_sources(config_text: str) -> ModuleSources:
    """The sources of all modules of the user's own that a config needs. Nothing is executed.

    These are the modules that it imports, those that they import, by whatever statement in their
    source, and all loaded modules of the same packages; except those that are installed.

    Args:
      config_text: Text of the config.

    Example:
      >>> from compare_gan.config.module_sources import find_sources
      >>> find_sources("import math")
      ModuleSources(files={}, left_out={})
    """
    contents: dict[str, bytes] = {}
    left_out: dict[str, str] = {}
    waiting, seen = imported_modules(config_text), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name.split(".")[0] in _LIBRARIES:
            continue
        seen.add(name)
        spec = _spec(name)
        if spec is None or _is_installed(spec):
            continue
        waiting += filter(None, [name.rpartition(".")[0]])
        waiting += [loaded for loaded in list(sys.modules) if loaded.startswith(f"{name}.")]
        path, is_package = spec.origin, spec.submodule_search_locations is not None
        if path is None:
            continue  # A package that is only a folder.
        content = _read(path)
        if content is None:
            is_extension = path.endswith(_ENDINGS_OF_EXTENSIONS)
            left_out[name] = "a compiled extension" if is_extension else "no readable source file"
            continue
        contents[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = content
        waiting += _imports(name, is_package, content)
    return ModuleSources(dict(sorted(contents.items())), dict(sorted(left_out.items())))


def _read(path: str) -> bytes | None:
    """The content of a source file; None if it is none, or cannot be read."""
    try:
        return pathlib.Path(path).read_bytes() if path.endswith(".py") else None
    except OSError:  # In an archive, for one.
        return None


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """The location of a module, without importing it or its package."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if loaded is not None:
        return loaded
    package, _, last = name.rpartition(".")
    if not package:
        return importlib.machinery.PathFinder.find_spec(name)
    outer = _spec(package)
    folders = None if outer is None else outer.submodule_search_locations
    # By its last name: by the whole one, Python looks up a package without __init__.py as loaded.
    return None if folders is None else importlib.machinery.PathFinder.find_spec(last, [*folders])


def _is_installed(spec: importlib.machinery.ModuleSpec) -> bool:
    """Whether a module belongs to Python or to a package that is installed, not by a link."""
    if spec.origin in ("built-in", "frozen"):
        return True
    places = [spec.origin] if spec.origin else [*(spec.submodule_search_locations or ())]
    return all(map(_is_place_of_installed, places))


def _is_place_of_installed(path: str) -> bool:
    place = pathlib.PurePath(os.path.abspath(path))
    if any(name in _SITE for name in place.parts):
        return True
    real = pathlib.PurePath(os.path.realpath(path))
    python = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in python)


def _imports(name: str, is_package: bool, content: bytes) -> Iterator[str]:
    """The modules, and what may be modules, that statements anywhere in a source import."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return  # No module that works imports it.
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            outer = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*outer, *filter(None, [node.module])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
