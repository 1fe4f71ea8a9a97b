"""Finds the file and line in which a config binds a parameter: messages begin with it."""

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
      value: What it is bound to; references and macros as strings (`@hinge`, `%LR`).
      place: `path/to/config.gin, line 3` or `--gin_bindings`.
    """

    key: str
    value: Any
    place: str


class Places:
    """The bindings of files and of a command line that gin has parsed without complaint.

    Args:
      paths: Gin files.
      bindings: Bindings as strings, which win over those of files.
      folders: Where included files are looked for, if not beside those that include them.
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

    def of_parameter(self, key: str) -> str | None:
        """Where the parameter was bound last; None where it is not."""
        for binding in reversed(self._bindings):
            if _same_parameter(binding.key, key):
                return binding.place
        return None

    def as_bound(self, sentence: str) -> str:
        """The sentence with the names under which the config binds the parameters that it names.

        A class takes the parameters of its bases under their names too: where `S3GAN.g_lr` is not
        bound but `ModularGAN.g_lr` is, that is what the sentence is about.
        """
        return _PARAMETER.sub(lambda match: self._bound_name(match[0]), sentence)

    def _bound_name(self, key: str) -> str:
        scope, name = key.rsplit(".", 1)
        names = [key, *(f"{base}.{name}" for base in _bases(scope))]
        return next((each for each in names if self.of_parameter(each)), key)

    def of_sentence(self, sentence: str, otherwise: Iterable[str] = ()) -> str | None:
        """Where what the sentence is about was bound.

        That is the first parameter that it names and the config binds, else the binding whose value
        it quotes, else one of the parameters in `otherwise`, else the config as a whole; None if
        there is no config.
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
    """A path as messages show it: relative where the file is below the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _bases(scope: str) -> list[str]:
    """The names of the configurable bases of the class of this name, nearest first."""
    parts = gin_internals.parts_named(scope)
    if len(parts) != 1 or not inspect.isclass(parts[0]):
        return []
    return gin_internals.configurable_bases(parts[0])


def _of_file(path: str, folders: Sequence[str]) -> Iterator[Binding]:
    folders = (os.path.dirname(path), *folders)
    with open(path) as file:
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
        yield Binding(f"{statement.selector}.{statement.arg_name}", statement.value, place)


def _same_parameter(a: str, b: str) -> bool:
    """Whether one name is the other with modules before it: `hinge.x`, `losses.hinge.x`."""
    shorter, longer = sorted((a, b), key=len)
    return f".{longer}".endswith(f".{shorter}") and "." in shorter


def _strings(value: Any) -> Iterator[str]:
    """The strings that a bound value consists of."""
    if isinstance(value, str):
        yield value
        yield value.lstrip("@").removesuffix("()")
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each)
