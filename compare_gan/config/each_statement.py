"""A second reading of a config with mistakes, statement by statement, that finds all of them."""

import itertools
import os
import tokenize
from collections.abc import Sequence

import gin
from gin import config_parser

from compare_gan.config import gin_internals
from compare_gan.config.imports import import_freely
from compare_gan.config.messages import ConfigError, explain, explain_at
from compare_gan.config.places import shown

_ERRORS = (AttributeError, LookupError, SyntaxError, TypeError, ValueError)
# Of files that cannot be read or are no gin files: they end within brackets, or include themselves.
_UNREADABLE = (OSError, RecursionError, SyntaxError, UnicodeError, tokenize.TokenError)


class _CannotGoOnError(Exception):
    """A statement without which the following ones cannot be judged."""


def parse_each(
    paths: Sequence[str], gin_bindings: Sequence[str], folders: Sequence[str]
) -> list[ConfigError] | None:
    """Parses a config statement by statement; gin then holds all bindings but the wrong ones.

    Args:
      paths: Gin files.
      gin_bindings: Bindings as strings.
      folders: Folders in which included files are searched for after that of the including file.

    Returns:
      A mistake for each wrong statement; None if it cannot be known which statements are wrong,
      because one cannot be parsed, or a file or module is missing.
    """
    gin.clear_config()
    mistakes: list[ConfigError] = []
    try:
        for path in paths:
            _parse_file(path, [*folders, ""], mistakes)
    except (_CannotGoOnError, *_UNREADABLE):
        return None
    for binding in gin_bindings:
        try:
            with gin_internals.importing_with(import_freely):
                gin.parse_config(binding)
        except _UNREADABLE:
            return None
        except _ERRORS as error:
            mistakes.append(explain(error))
    return mistakes


def _parse_file(path: str, folders: Sequence[str], mistakes: list[ConfigError]) -> None:
    folders = [os.path.dirname(path), *folders]
    with open(path, encoding="utf-8") as file:
        statements = list(config_parser.ConfigParser(file, gin_internals.ReferencesAsStrings()))
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    starts = [statement.location.line_num for statement in statements]
    for statement, (start, end) in zip(
        statements, itertools.pairwise([*starts, len(lines) + 1]), strict=True
    ):
        if isinstance(statement, config_parser.IncludeStatement):
            candidates = (os.path.join(folder, statement.filename) for folder in folders)
            included = next((each for each in candidates if os.path.isfile(each)), None)
            if included is None:
                raise _CannotGoOnError
            _parse_file(included, folders, mistakes)
            continue
        is_binding = isinstance(statement, config_parser.BindingStatement)
        try:
            gin.parse_config("".join(lines[start - 1 : end - 1]))
        except _ERRORS as error:
            if not is_binding:
                raise _CannotGoOnError from error
            mistakes.append(explain_at(f"{shown(path)}, line {start}", error))
        except Exception as error:
            raise _CannotGoOnError from error
