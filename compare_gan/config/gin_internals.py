"""The uses of gin's private names: access that gin's public interface does not offer.

Gin has no public way to list bindings, to find a configurable by its name, or to add folders to
the search path of one `parse`. A release of gin that changes these names breaks only this module,
and `compare_gan.registry`, which gives a part further names.
"""

import contextlib
import copy
import importlib.util
import inspect
import os
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from gin import config as gin_config
from gin import config_parser
from gin.config import ConfigurableReference
from gin.resource_reader import system_path_file_exists

from compare_gan.errors import UserError

_MACRO = "gin.macro"


def bindings() -> Iterator[tuple[str, str, Any]]:
    """All parameters that are bound: selector of the configurable, parameter, value as written."""
    for (_, selector), values in gin_config._CONFIG.items():
        for name, value in values.items():
            yield selector, name, value


def macros() -> list[str]:
    """The names of the macros that are defined."""
    return [scope for scope, selector in gin_config._CONFIG if selector == _MACRO]


def is_macro(value: Any) -> bool:
    """Whether a bound value refers to a macro (`%LR`)."""
    return is_reference(value) and value.configurable.selector == _MACRO


def macro_name(reference: Any) -> str:
    """The name of the macro that a bound value refers to."""
    return reference.config_key[0]


def macro_value(reference: Any) -> Any:
    """The value of the macro that a bound value refers to, as written.

    Raises:
      KeyError: The macro is not defined.
    """
    return gin_config._CONFIG[reference.config_key]["value"]


def macros_in(value: Any) -> list[Any]:
    """The references to macros in a bound value, which may be a nested list, tuple or dict."""
    return [each for each in gin_config.iterate_references(value) if is_macro(each)]


def is_reference(value: Any) -> bool:
    """Whether a bound value refers to a configurable (`@hinge`) or to a macro."""
    return isinstance(value, ConfigurableReference)


def is_call(value: Any) -> bool:
    """Whether a bound value is a reference that gin calls (`@hinge()`)."""
    return is_reference(value) and bool(value.evaluate)


def referenced_part(reference: Any) -> Any:
    """The function or class that a bound value refers to, without gin's wrapper."""
    return reference.configurable.wrapped


def part(selector: str) -> Any:
    """The function or class of a selector, without gin's wrapper; None if there is none."""
    configurable = gin_config._REGISTRY.get_match(selector)
    return None if configurable is None else configurable.wrapped


def allowed_parameters(selector: str) -> Sequence[str] | None:
    """The parameters that may be bound, where a configurable restricts them; else None."""
    return gin_config._REGISTRY.get_match(selector).allowlist or None


def parts_named(name: str) -> list[Any]:
    """All functions and classes, without gin's wrapper, to which a name may refer."""
    return [each.wrapped for each in gin_config._REGISTRY.get_all_matches(name)]


def selectors() -> set[str]:
    """The full names of all configurables."""
    return set(gin_config._REGISTRY._selector_map)


def short_name(selector: str) -> str:
    """The shortest name by which a config can refer to the configurable of this selector."""
    configurable = gin_config._REGISTRY.get_match(selector)
    return gin_config._REGISTRY.minimal_selector(configurable.selector)


def configurable_bases(cls: type) -> list[str]:
    """The short names of the configurable base classes of a class, nearest first."""
    found = (gin_config._INVERSE_REGISTRY.get(base) for base in inspect.getmro(cls)[1:])
    return [short_name(each.selector) for each in found if each is not None]


def values_under(cls: type, names: Sequence[str]) -> dict[str, Any]:
    """The values that are bound to some names under the name of a class or of its bases.

    Args:
      cls: Class, registered with gin or derived from one that is.
      names: Names of parameters.

    Returns:
      Values by name, references resolved. If several of the class and its bases bind a name, the
      nearest one counts. Unbound names are left out.
    """
    found: dict[str, Any] = {}
    for base in inspect.getmro(cls):
        configurable = gin_config._INVERSE_REGISTRY.get(base)
        if configurable is None:
            continue
        bound = gin_config._CONFIG.get(("", configurable.selector), {})
        for name in names:
            if name in bound and name not in found:
                found[name] = copy.deepcopy(bound[name])  # Copying resolves references.
    return found


def is_bound_in_any_scope(cls: type, name: str) -> bool:
    """Whether a parameter is bound under the name of a class or of its bases, in whatever scope."""
    configurables = (gin_config._INVERSE_REGISTRY.get(base) for base in inspect.getmro(cls))
    selectors = {each.selector for each in configurables if each is not None}
    return any(selector in selectors and name == bound for selector, bound, _ in bindings())


def mark_as_used(cls: type, values: Mapping[str, Any]) -> None:
    """Adds values to gin's operative config, under the name of a class."""
    selector = gin_config._INVERSE_REGISTRY[cls].selector
    operative = gin_config._OPERATIVE_CONFIG.setdefault(("", selector), {})
    for name, value in values.items():
        operative.setdefault(name, value)


class Snapshot:
    """All that gin holds of one config: bindings, imports and the record of what has been used."""

    def __init__(self) -> None:
        self.bindings = {key: dict(values) for key, values in gin_config._CONFIG.items()}
        self._imports = set(gin_config._IMPORTS)
        self._singletons = dict(gin_config._SINGLETONS)
        operative = gin_config._OPERATIVE_CONFIG.items()
        self._operative = {key: dict(values) for key, values in operative}

    @property
    def is_current(self) -> bool:
        """Whether gin holds these bindings now."""
        return self.bindings == gin_config._CONFIG

    def restore(self) -> None:
        """Puts everything back."""
        for target, values in (
            (gin_config._CONFIG, self.bindings),
            (gin_config._OPERATIVE_CONFIG, self._operative),
        ):
            target.clear()
            target.update({key: dict(own) for key, own in values.items()})
        gin_config._IMPORTS.clear()
        gin_config._IMPORTS.update(self._imports)
        gin_config._SINGLETONS.clear()
        gin_config._SINGLETONS.update(self._singletons)


@contextlib.contextmanager
def search_path(folders: Sequence[str]) -> Iterator[None]:
    """Makes gin search these folders first, and for an included file that of the including one."""
    prefixes, readers = gin_config._LOCATION_PREFIXES, gin_config._FILE_READERS
    before = list(prefixes), list(readers)
    prefixes[:0] = folders
    others = [
        (read, _in_package if exists is system_path_file_exists else exists)
        for read, exists in before[1]
    ]
    readers[:] = [(_open, os.path.isfile), *others]
    try:
        yield
    finally:
        prefixes[:], readers[:] = before


def _in_package(path: str) -> bool:
    """Whether this is a file of a Python package, such as `package/configs/a.gin`.

    gin's own check logs an error for every path that does not begin with a package.
    """
    package, separator, _ = path.partition("/")
    if not separator or not package.isidentifier() or importlib.util.find_spec(package) is None:
        return False
    return system_path_file_exists(path)


@contextlib.contextmanager
def _open(path: str) -> Iterator[TextIO]:
    try:
        with open(path, encoding="utf-8") as file, search_path([os.path.dirname(path)]):
            yield file
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not a text in UTF-8.") from error
    except tokenize.TokenError as error:
        raise UserError(f"'{path}' ends within brackets or a string.") from error
    except RecursionError as error:
        raise UserError(f"'{path}' includes itself, or has too many brackets.") from error
    except SyntaxError as error:
        if error.filename == "<tokenize>":
            error.filename = path
        raise


@contextlib.contextmanager
def importing_with(do: Callable[[str, Callable[[], None]], None]) -> Iterator[None]:
    """Leaves the imports of the configs that are parsed inside to a function.

    Args:
      do: Function of the name of a module, and of the function of gin that imports it.
    """
    before = gin_config.ParseContext.process_import

    def process(context: Any, statement: Any) -> None:
        do(statement.module, lambda: before(context, statement))

    gin_config.ParseContext.process_import = process
    try:
        yield
    finally:
        gin_config.ParseContext.process_import = before


class ReferencesAsStrings(config_parser.ParserDelegate):
    """Makes gin's parser return references and macros as strings: `@hinge`, `%LR`."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> str:
        return f"@{scoped_configurable_name}{'()' if evaluate else ''}"

    def macro(self, macro_name: str) -> str:
        return f"%{macro_name}"


class StrictParser(config_parser.ConfigParser):
    """Gin's parser, with references as strings, which refuses a dict with two equal keys.

    Gin takes the last of them and drops the others.

    Args:
      text: Text of a config.

    Raises:
      UserError: A dict has a key twice.
    """

    def __init__(self, text: str):
        self._keys: list[Any] = []
        super().__init__(text, ReferencesAsStrings())

    def _maybe_parse_container(self) -> Any:
        outer, self._keys = self._keys, []
        parsed = super()._maybe_parse_container()
        self._keys = outer
        return parsed

    def _parse_dict_item(self) -> Any:
        key, value = super()._parse_dict_item()
        if key in self._keys:
            raise UserError(f"The key {key!r} is there twice.")
        self._keys.append(key)
        return key, value
