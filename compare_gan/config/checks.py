"""Checks of gin's bindings before anything is built: types of values, kinds of parts, macros."""

import inspect
import types
import typing
from typing import Any

from compare_gan import registry
from compare_gan.config import gin_internals
from compare_gan.config.mistakes import Mistakes
from compare_gan.config.parsing import located
from compare_gan.errors import UserError, unknown_name
from compare_gan.schedules import Schedule

# Parameters that name a part, and its kind.
_PARTS = {
    "options.gan_class": "gan",
    "options.architecture": "architecture",
    "loss.fn": "loss",
    "penalty.fn": "penalty",
    "evaluation.metrics": "metric",
    "dataset.densest_extractor": "extractor",
    "evaluation.extractor": "extractor",
    "evaluation.refinement": "refinement",
    "run_config.trackers": "tracker",
}
# The same in any scope.
_PARTS_BY_NAME = {
    "batch_norm_fn": "normalization",
    "final_norm_fn": "normalization",
    "g_optimizer_fn": "optimizer",
    "d_optimizer_fn": "optimizer",
}
# The same in the scope of a GAN; most of them may be lists.
PARTS_OF_GANS = {
    "loss": "loss",
    "penalties": "penalty",
    "augmentations": "augmentation",
    "tasks": "task",
}
# Kinds of which a config may list several, and kinds of parts that are objects: gin calls a class.
_LISTS = ("metric", "penalty", "augmentation", "task", "tracker")
_CALLED = ("loss", "penalty", "augmentation", "refinement", "schedule", "task")
# Options that a GAN gets from `options`, so that a binding in its own scope has no effect.
_OPTIONS = ("architecture", "disc_iters", "z_dim")
_MAY_BE_NONE = ("normalization", "optimizer", "refinement")
_TYPES = {
    bool: "True or False",
    int: "an integer",
    float: "a number",
    str: "a string",
    types.NoneType: "None",
}


def check_macros() -> None:
    """Raises UserError if a binding refers to a macro that is not defined or refers to itself."""
    for selector, name, value in gin_internals.bindings():
        with located(f"{selector}.{name}"):
            _follow_macros(value)


def check_bindings(options_of_others: type | None = None) -> None:
    """Raises UserError if gin binds a value of the wrong type or a part of the wrong kind.

    Args:
      options_of_others: Dataclass with the types of the parameters that a class lists in its
        attribute `options_of_others`.

    Raises:
      MistakesError: There are several mistakes.
    """
    check_macros()
    mistakes = Mistakes()
    for selector, name, written in gin_internals.bindings():
        key = f"{gin_internals.short_name(selector)}.{name}"
        with mistakes.noted(), located(key):
            allowed = _allowed_types(selector, name, options_of_others)
            _check_binding(key, selector, name, _resolved(written), allowed)
    mistakes.raise_any()


def _check_binding(key: str, selector: str, name: str, value: Any, allowed: set[Any]) -> None:
    is_gan = _is_gan(selector)
    kind = _PARTS.get(key) or _PARTS_BY_NAME.get(name)
    if is_gan:
        kind = kind or PARTS_OF_GANS.get(name)
    _check_type(key, allowed, value)
    if name in _OPTIONS and is_gan:
        raise UserError(f"{key} has no effect: set options.{name}.")
    if name == "distribution_fn":
        (_require_call if _is_class(value) else _refuse_result)(key, value)
    if kind is not None:
        several = isinstance(value, (list, tuple)) and kind in _LISTS
        several = several and key != "penalty.fn"
        for part in value if several else [value]:
            _check_part(key, kind, part)


def _follow_macros(value: Any, seen: tuple[str, ...] = ()) -> None:
    for macro in gin_internals.macros_in(value):
        name = gin_internals.macro_name(macro)
        if name not in gin_internals.macros():
            raise unknown_name("macro", name, gin_internals.macros())
        if name in seen:
            raise UserError(f"The macro '{name}' refers to itself.")
        _follow_macros(gin_internals.macro_value(macro), (*seen, name))


def _resolved(value: Any) -> Any:
    """A bound value with macros replaced by their values."""
    while gin_internals.is_macro(value):
        value = gin_internals.macro_value(value)
    return value


def _allowed_types(selector: str, name: str, options_of_others: type | None) -> set[Any]:
    """The plain types (and Schedule) of a parameter's annotation; empty if it has other types."""
    parameter = find_parameter(gin_internals.part(selector), name, options_of_others)
    if parameter is None:
        return set()
    annotation = parameter.annotation
    union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    allowed = set(typing.get_args(annotation)) if union else {annotation}
    return allowed if allowed <= {*_TYPES, Schedule} else set()


def find_parameter(
    part: Any, name: str, options_of_others: type | None = None
) -> inspect.Parameter | None:
    """A parameter of a part, which a class may take for one of its bases; None if it has none.

    Args:
      part: Function or class, without gin's wrapper.
      name: Name of the parameter.
      options_of_others: See `check_bindings`.

    Example:
      >>> from compare_gan.config.checks import find_parameter
      >>> from compare_gan.penalties import R1
      >>> find_parameter(R1, "interval").default
      1
    """
    bases = [b for b in part.__mro__ if "__init__" in vars(b)] if inspect.isclass(part) else [part]
    if options_of_others and name in getattr(part, "options_of_others", ()):
        bases = [options_of_others]
    for base in bases:
        parameter = inspect.signature(base).parameters.get(name)
        if parameter is not None:
            return parameter
    return None


def _is_gan(selector: str) -> bool:
    part = gin_internals.part(selector)
    bases = inspect.getmro(part) if inspect.isclass(part) else ()
    gans = [inspect.unwrap(each.value) for each in registry.components("gan")] if bases else []
    return any(base is gan for base in bases for gan in gans)


def _check_type(key: str, allowed: set[Any], value: Any) -> None:
    if not allowed or type(value) in allowed or (float in allowed and type(value) is int):
        return
    if bool in allowed and value in (0, 1):
        return
    if gin_internals.is_reference(value):
        if Schedule in allowed:
            _check_part(key, "schedule", value)
            return
        if gin_internals.is_call(value):
            return  # The type is known only after the call.
    words = " or ".join(words for kind, words in _TYPES.items() if kind in allowed)
    raise UserError(f"{key} must be {words}, received {value!r}.")


def _check_part(key: str, kind: str, value: Any) -> None:
    if value is None and kind in _MAY_BE_NONE:
        return
    if isinstance(value, str):
        if (kind, value) != ("extractor", "auto"):
            registry.get(kind, value)
        return
    if gin_internals.is_reference(value):
        kinds = kinds_of(gin_internals.referenced_part(value))
        if kind in kinds or _is_users_own(value):
            is_class = _is_class(value)
            if kind == "schedule" and is_class:
                _require_call(key, value)
            if not (kind in _CALLED and is_class):
                _refuse_result(key, value)
            return
        wrong = f"but {value!r} is of the kind '{kinds[0]}'" if kinds else f"received {value!r}"
    else:
        wrong = f"received {value!r}"
    raise UserError(
        f"{key} must name a part of the kind '{kind}', {wrong}. "
        f"Known: {', '.join(registry.names(kind))}."
    )


def _is_class(value: Any) -> bool:
    """Whether a value refers to a class, which gin calls to make an object."""
    return gin_internals.is_reference(value) and inspect.isclass(
        gin_internals.referenced_part(value)
    )


def _require_call(key: str, value: Any) -> None:
    """Raises UserError for a class in place of an object of it."""
    if not gin_internals.is_call(value):
        raise UserError(f"{key} = {value!r} is not a call: write {value!r}().")


def _refuse_result(key: str, value: Any) -> None:
    """Raises UserError for a call of a part; a function of the user's may return a part."""
    if gin_internals.is_call(value) and not _is_users_own(value):
        name = repr(value).removesuffix("()")
        raise UserError(f"{key} = {value!r} is a call: write {name} without parentheses.")


def _is_users_own(reference: Any) -> bool:
    """Whether a reference is to a part that is neither registered nor in this library."""
    part = gin_internals.referenced_part(reference)
    module = getattr(part, "__module__", None) or ""
    return not kinds_of(part) and module.split(".")[0] != "compare_gan"


def kinds_of(part: Any) -> list[str]:
    """The kinds under which a function or class, without gin's wrapper, is registered.

    A class that makes parts of a kind, but is not registered, has the attribute `part_kind`.

    Example:
      >>> import inspect
      >>> from compare_gan.config.checks import kinds_of
      >>> from compare_gan.losses import hinge
      >>> kinds_of(inspect.unwrap(hinge))
      ['loss']
    """
    made = [part.part_kind] if hasattr(part, "part_kind") else []
    return made or [
        kind
        for kind in registry.kinds()
        if any(inspect.unwrap(each.value) is part for each in registry.components(kind))
    ]
