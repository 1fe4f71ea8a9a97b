"""Keyword arguments of classes, those of their base classes included, and the check of names."""

import inspect
from collections.abc import Iterable

from compare_gan.errors import UserError, nearest


def parameters(cls: type) -> list[str]:
    """Names of the parameters of a class, those that it passes on to its bases included."""
    names = []
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            signature = inspect.signature(vars(base)["__init__"]).parameters.values()
            names += [p.name for p in signature if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            if not any(p.kind == p.VAR_KEYWORD for p in signature):
                break
    return [name for name in names if name != "self"]


def check_keywords(cls: type, keywords: Iterable[str]) -> None:
    """Raises UserError if a keyword is not a parameter of `cls` or, passed on, of its bases."""
    known = set(parameters(cls))
    for name in keywords:
        if name not in known:
            guess = nearest(name, known)
            hint = f" Did you mean '{guess}'?" if guess else ""
            raise UserError(
                f"{cls.__name__} has no parameter '{name}'.{hint} "
                f"Known: {', '.join(sorted(known))}."
            )
