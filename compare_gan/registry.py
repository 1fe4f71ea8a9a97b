"""Everything interchangeable is found here by kind and name.

A part registers itself where it is defined:

    @registry.register("loss", "hinge", paper="https://arxiv.org/abs/1705.02894")
    def hinge(d_real_logits, d_fake_logits): ...

which also makes it gin-configurable (`loss.fn = @hinge`). `registry.get("loss", "hinge")` finds
it again; `compare_gan list loss` prints what is registered.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import gin

from compare_gan.errors import UserError, unknown_name

# The rooms that hold each kind's parts: imported when the kind is looked up, not before.
_ROOMS = {
    "architecture": "compare_gan.architectures",
    "dataset": "compare_gan.datasets",
    "extractor": "compare_gan.metrics.extractors",
    "gan": "compare_gan.gans",
    "loss": "compare_gan.losses",
    "metric": "compare_gan.metrics",
    "normalization": "compare_gan.layers",
    "optimizer": "compare_gan.training.optimizers",
    "penalty": "compare_gan.penalties",
    "protocol": "compare_gan.evaluation.protocols",
}


@dataclasses.dataclass(frozen=True)
class Component:
    """One registered part: what it is called, the thing itself, one line about it, its paper."""

    kind: str
    name: str
    value: Any
    summary: str
    paper: str = ""
    aliases: tuple[str, ...] = ()


_components: dict[str, dict[str, Component]] = {kind: {} for kind in _ROOMS}


def kinds() -> list[str]:
    """The kinds of parts, sorted."""
    return sorted(_components)


def add(
    kind: str,
    name: str,
    value: Any,
    *,
    summary: str = "",
    paper: str = "",
    aliases: Iterable[str] = (),
) -> None:
    """Registers `value` as it is (no gin binding) under `kind` and `name`.

    Args:
      kind: One of `kinds()`.
      name: The field's name for the part.
      value: The part: a function, a class, or a bundle of them.
      summary: One line; the first line of the docstring if empty.
      paper: Where the part was published (a URL or a citation).
      aliases: Other names under which `get` finds it.

    Raises:
      UserError: `kind` is not a kind, or `name` already names another part of this kind.
    """
    _refuse_taken(kind, (name, *aliases), value)
    summary = summary or (inspect.getdoc(value) or "").split("\n", 1)[0]
    _components[kind][name] = Component(kind, name, value, summary, paper, tuple(aliases))


def register(
    kind: str,
    name: str,
    *,
    gin_name: str | None = None,
    gin_module: str | None = None,
    summary: str = "",
    paper: str = "",
    aliases: Iterable[str] = (),
) -> Callable[[Any], Any]:
    """Decorator: makes a function or class gin-configurable and registers it; see `add`.

    Args:
      kind: One of `kinds()`.
      name: The field's name for the part.
      gin_name: Its name in gin files; `name` if None.
      gin_module: Module prefix in gin files, for names that are not unique by themselves.
      summary: One line; the first line of the docstring if empty.
      paper: Where the part was published.
      aliases: Other names under which `get` finds it.

    Returns:
      A decorator that returns the gin-configurable part.
    """

    def decorate(part):
        _refuse_taken(kind, (name, *aliases), part)
        configurable = gin_configurable(gin_name or name, gin_module)(part)
        add(kind, name, configurable, summary=summary, paper=paper, aliases=aliases)
        return configurable

    return decorate


def gin_configurable(name: str | None = None, module: str | None = None) -> Callable[[Any], Any]:
    """`gin.configurable`, for Keras layers and models as well.

    Keras reads the parameter names of `__init__` to serialize a layer, and gin's wrapper hides
    them: here it shows them again. Values that gin gives are beyond Keras's sight: a class that is
    to be saved with them returns them in its `get_config`.
    """

    def decorate(part):
        if not inspect.isclass(part):
            return gin.configurable(name, module=module)(part)
        signature = inspect.signature(part.__init__)
        configurable = gin.configurable(name or part.__name__, module=module)(part)
        configurable.__init__.__signature__ = signature
        return configurable

    return decorate


def get(kind: str, name: Any) -> Any:
    """The part of this kind and name; what is not a string (a gin reference) passes through.

    Raises:
      UserError: There is no such part; the message names the nearest one.
    """
    if not isinstance(name, str):
        return name
    load(kind)
    component = _find(kind, name)
    if component is None:
        raise unknown_name(kind, name, _components[kind])
    return component.value


def components(kind: str) -> list[Component]:
    """All parts of one kind, sorted by name."""
    load(kind)
    return [_components[kind][name] for name in sorted(_components[kind])]


def names(kind: str) -> list[str]:
    """The names of all parts of one kind, sorted."""
    return [component.name for component in components(kind)]


def load(kind: str) -> None:
    """Imports the room that holds the parts of this kind, so that they are registered."""
    if kind not in _ROOMS:
        raise unknown_name("kind of part", kind, _ROOMS)
    importlib.import_module(_ROOMS[kind])


def call_with_requested(fn: Callable, /, **available: Any) -> Any:
    """Calls `fn` with those of the `available` values whose names are parameters of `fn`.

    A penalty or a normalization asks for a value by naming a parameter after it.

    Raises:
      TypeError: A parameter without a default is not among the available values.

    Example:
      >>> from compare_gan import registry
      >>> registry.call_with_requested(lambda x, scale=2: x * scale, x=3, y=4)
      6
    """
    # A Keras layer is called through __call__, but its parameters are those of call().
    signature = inspect.signature(fn.call if hasattr(fn, "call") else fn)
    requested = {
        name: available[name]
        for name, parameter in signature.parameters.items()
        if name in available and parameter.kind != inspect.Parameter.VAR_KEYWORD
    }
    return fn(**requested)


def _refuse_taken(kind: str, keys: Iterable[str], value: Any) -> None:
    if kind not in _components:
        raise unknown_name("kind of part", kind, _components)
    for key in keys:
        present = _find(kind, key)
        if present is not None and not _same_definition(present.value, value):
            raise UserError(f"The {kind} name '{key}' is taken by {present.value!r} already.")


def _find(kind: str, name: str) -> Component | None:
    for component in _components[kind].values():
        if name == component.name or name in component.aliases:
            return component
    return None


def _same_definition(a: Any, b: Any) -> bool:
    """Whether `b` is `a`, or `a`'s module loaded once more (a notebook, gin's interactive mode)."""
    if a is b:
        return True
    where = [(getattr(v, "__module__", None), getattr(v, "__qualname__", None)) for v in (a, b)]
    return where[0] == where[1] != (None, None)
