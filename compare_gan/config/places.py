"""The file and line in which a config binds a parameter; messages begin with it."""

import inspect
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TextIO

from gin import config_parser

from compare_gan.config import gin_internals

_PARAMETER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class Binding(NamedTuple):
    """One binding of a config.

    Attributes:
      key: The parameter as written, without gin scope: `S3GAN.g_lr`.
      value: Bound value; references and macros as strings (`@hinge`, `%LR`).
      place: `path/to/config.gin, line 3` or `--gin_bindings`.
      scope: Gin scope of the binding; empty without one.
    """

    key: str
    value: Any
    place: str
    scope: str = ""


class Places:
    """The bindings of files and of a command line, which gin has parsed without an error.

    Args:
      paths: Gin files.
      bindings: Bindings as strings, which win over those of files.
      folders: Folders in which included files are searched for after that of the including file.
    """

    def __init__(
        self, paths: Sequence[str] = (), bindings: Sequence[str] = (), folders: Sequence[str] = ()
    ):
        self._bindings = [each for path in paths for each in _of_file(path, (*folders, ""))]
        for statement in config_parser.ConfigParser(
            "\n".join(bindings), gin_internals.ReferencesAsStrings()
        ):
            self._bindings += _of_statement(statement, "--gin_bindings")
        self._whole = shown(paths[-1]) if paths else "--gin_bindings" if bindings else None

    @property
    def bindings(self) -> Sequence[Binding]:
        """All bindings in the order in which gin took them; a later one replaces an earlier one."""
        return self._bindings

    def of_parameter(self, key: str) -> str | None:
        """The place of the last binding of a parameter; None if it is not bound."""
        for binding in reversed(self._bindings):
            if _same_parameter(binding.key, key):
                return binding.place
        return None

    def as_bound(self, sentence: str) -> str:
        """The sentence with its parameters under the names that the config binds.

        A class also takes parameters that are bound under the names of its bases: if
        `ModularGAN.g_lr` is bound and `S3GAN.g_lr` is not, the sentence names the former.
        """
        return _PARAMETER.sub(lambda match: self._bound_name(match[0]), sentence)

    def _bound_name(self, key: str) -> str:
        scope, name = key.rsplit(".", 1)
        names = [key, *(f"{base}.{name}" for base in _bases(scope))]
        return next((each for each in names if self.of_parameter(each)), key)

    def of_sentence(self, sentence: str, otherwise: Iterable[str] = ()) -> str | None:
        """The place that a sentence refers to; None if there is no config.

        It is the place of the first parameter in the sentence that the config binds; else that of
        the binding with a value that the sentence quotes; else that of the first bound parameter
        in `otherwise`; else the whole config.
        """
        for key in _PARAMETER.findall(sentence):
            if place := self.of_parameter(key):
                return place
        for quoted in re.findall(r"'([^']+)'", sentence.split(" Did you mean ")[0]):
            for binding in reversed(self._bindings):
                if quoted in _strings(binding.value):
                    return binding.place
        places = (self.of_parameter(key) for key in otherwise)
        return next((place for place in places if place), self._whole)


def shown(path: str) -> str:
    """A path as messages show it: relative if the file is below the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _bases(scope: str) -> list[str]:
    """The names of the configurable bases of a class, nearest first."""
    parts = gin_internals.parts_named(scope)
    if len(parts) != 1 or not inspect.isclass(parts[0]):
        return []
    return gin_internals.configurable_bases(parts[0])


def _of_file(path: str, folders: Sequence[str]) -> Iterator[Binding]:
    folders = (os.path.dirname(path), *folders)
    with open(path, encoding="utf-8") as file:
        for statement in _parsed(file):
            if isinstance(statement, config_parser.IncludeStatement):
                paths = (os.path.join(folder, statement.filename) for folder in folders)
                included = next((path for path in paths if os.path.isfile(path)), None)
                yield from _of_file(included, folders) if included else ()
            else:
                place = f"{shown(path)}, line {statement.location.line_num}"
                yield from _of_statement(statement, place)


def _parsed(config: str | TextIO) -> config_parser.ConfigParser:
    return config_parser.ConfigParser(config, gin_internals.ReferencesAsStrings())


def _of_statement(statement: Any, place: str) -> Iterator[Binding]:
    if isinstance(statement, config_parser.BindingStatement) and statement.arg_name:
        key = f"{statement.selector}.{statement.arg_name}"
        yield Binding(key, statement.value, place, statement.scope or "")


def _same_parameter(a: str, b: str) -> bool:
    """Whether one name is the other with modules before it: `hinge.x`, `losses.hinge.x`."""
    shorter, longer = sorted((a, b), key=len)
    return f".{longer}".endswith(f".{shorter}") and "." in shorter


def _strings(value: Any) -> Iterator[str]:
    """The strings in a bound value."""
    if isinstance(value, str):
        yield value
        yield value.lstrip("@").removesuffix("()")
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each)
