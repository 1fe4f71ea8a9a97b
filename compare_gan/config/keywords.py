"""Keyword arguments of classes, those of base classes included, and checks of their names."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from compare_gan.config.gin_internals import is_bound_in_any_scope
from compare_gan.errors import UserError, with_known_names


def parameters(cls: Callable[..., Any]) -> list[str]:
    """Names of the parameters of a class, those that it passes on to its bases included.

    Args:
      cls: Class or other callable; of the latter, only its own parameters count.
    """
    if not inspect.isclass(cls):
        return list(inspect.signature(cls).parameters)
    names = []
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            signature = inspect.signature(vars(base)["__init__"]).parameters.values()
            names += [p.name for p in signature if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            if not any(p.kind == p.VAR_KEYWORD for p in signature):
                break
    return [name for name in names if name != "self"]


def bindable_parameters(cls: type) -> list[str]:
    """Names that a config may bind under the name of a class.

    These are its parameters and the options of another part of the library that configs write under
    the same name, which a class lists in `options_of_others`.
    """
    return [*parameters(cls), *getattr(cls, "options_of_others", ())]


def check_remaining_keywords(cls: type, keywords: Iterable[str]) -> None:
    """Raises UserError unless gin added every keyword, for another part of the library.

    Args:
      cls: Class with a constructor that takes **keywords.
      keywords: Names for which the constructor has no parameters.
    """
    others = set(getattr(cls, "options_of_others", ()))
    check_keywords(cls, (name for name in keywords if name not in others))
    for name in keywords:
        if not is_bound_in_any_scope(cls, name):
            raise UserError(
                f"{cls.__name__} has no parameter '{name}': it is an option of the trainer "
                "(training.optimization.OptimizationOptions)."
            )


def check_keywords(cls: type, keywords: Iterable[str]) -> None:
    """Raises UserError if a keyword is not a parameter of `cls` or, passed on, of its bases."""
    known = set(parameters(cls))
    for name in keywords:
        if name not in known:
            sentence = f"{cls.__name__} has no parameter '{name}'."
            raise UserError(with_known_names(sentence, name, known))
