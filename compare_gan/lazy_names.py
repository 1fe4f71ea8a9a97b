"""Names of a package that are imported when they are first used."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def importer(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names live in its modules.

    Example:
      >>> from compare_gan import lazy_names
      >>> get = lazy_names.importer("compare_gan.studies", {"records": ["RunRecord"]})
      >>> get("RunRecord").__module__
      'compare_gan.studies.records'

    Args:
      package: Name of the package.
      modules: For each of its modules, the names that it has: none is that of a module, which would
        take its place in the package as soon as something imports it.

    Returns:
      A function that imports the module of a name and returns the value, which the package then
      has; of another name it raises AttributeError.
    """
    assert modules.keys().isdisjoint(name for names in modules.values() for name in names)
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
