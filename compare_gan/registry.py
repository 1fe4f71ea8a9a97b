"""The registry: every interchangeable part by kind and name.

A part registers itself where it is defined:

    @registry.register("loss", "hinge", paper="https://arxiv.org/abs/1705.02894")
    def hinge(d_real_logits, d_fake_logits): ...

which also makes it gin-configurable (`loss.fn = @hinge`). `registry.get("loss", "hinge")` returns
it. A room is imported when one of its parts is looked up, not before.
"""

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import gin

from compare_gan.errors import UserError, unknown_name
from compare_gan.natural_order import in_natural_order

# The room with the parts of each kind.
_ROOMS = {
    "architecture": "compare_gan.architectures",
    "augmentation": "compare_gan.augmentations",
    "dataset": "compare_gan.datasets.catalog",
    "extractor": "compare_gan.metrics.extractors",
    "gan": "compare_gan.gans",
    "loss": "compare_gan.losses",
    "metric": "compare_gan.metrics",
    "normalization": "compare_gan.layers",
    "optimizer": "compare_gan.training.optimizers",
    "penalty": "compare_gan.penalties",
    "protocol": "compare_gan.evaluation.protocols",
    "refinement": "compare_gan.sampling.refinements",
    "schedule": "compare_gan.schedules",
    "task": "compare_gan.gans.tasks",
    "tracker": "compare_gan.training.trackers",
}

# Modules with options that configs may name and that no kind of part imports.
_OPTIONS = (
    "compare_gan.datasets.latents",
    "compare_gan.datasets.opening",
    "compare_gan.evaluation.evaluation_options",
    "compare_gan.labels.label_options",
    "compare_gan.sampling",
    "compare_gan.training.run_options",
)

_Part = TypeVar("_Part")


@dataclasses.dataclass(frozen=True)
class Component:
    """One registered part.

    Attributes:
      kind: One of `kinds()`.
      name: The field's name for the part.
      value: The part itself: a function, a class, a module, or a bundle of them.
      summary: One line about the part.
      paper: URL or citation of its publication; empty if there is none.
      aliases: Other names under which `get` finds the part.

    Example:
      >>> from compare_gan import registry
      >>> [part] = [each for each in registry.components("loss") if each.name == "hinge"]
      >>> part.paper
      'https://arxiv.org/abs/1705.02894'
    """

    kind: str
    name: str
    value: Any
    summary: str
    paper: str = ""
    aliases: tuple[str, ...] = ()


_components: dict[str, dict[str, Component]] = {kind: {} for kind in _ROOMS}


def kinds() -> list[str]:
    """The kinds of parts, sorted.

    Example:
      >>> from compare_gan import registry
      >>> "loss" in registry.kinds()
      True
    """
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
    """Registers `value` under `kind` and `name` without making it gin-configurable.

    Args:
      kind: One of `kinds()`.
      name: The field's name for the part.
      value: The part: a function, a class, a module, or a bundle of them.
      summary: One line about the part; the first line of its docstring if empty.
      paper: URL or citation of its publication.
      aliases: Other names under which `get` finds the part.

    Raises:
      UserError: `kind` is unknown, or another part of this kind has the name already.

    Example:
      >>> from compare_gan import registry
      >>> registry.add("penalty", "docstring_constant", lambda x: 0.0, summary="Nothing.")
      >>> registry.get("penalty", "docstring_constant")(None)
      0.0
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
) -> Callable[[_Part], _Part]:
    """Returns a decorator that registers a function or class and makes it gin-configurable.

    Args:
      kind: One of `kinds()`.
      name: The field's name for the part.
      gin_name: Name of the part in gin files; `name` if None.
      gin_module: Module prefix in gin files, for names that are not unique by themselves.
      summary: One line about the part; the first line of its docstring if empty.
      paper: URL or citation of its publication.
      aliases: Other names, under which `get` and gin find the part.

    Raises:
      UserError: `kind` is unknown, or another part of this kind has the name already (raised where
        the decorator is applied).

    Example:
      >>> from compare_gan import registry
      >>> @registry.register("penalty", "docstring_penalty", paper="https://example.org")
      ... def docstring_penalty(x):
      ...     "No penalty."
      ...     return 0.0
      >>> registry.get("penalty", "docstring_penalty")(None)
      0.0
    """

    def decorate(part: _Part) -> _Part:
        _refuse_taken(kind, (name, *aliases), part)
        configurable = gin_configurable(gin_name or name, gin_module)(part)
        for alias in aliases:
            _name_in_gin(alias, part)
        add(kind, name, configurable, summary=summary, paper=paper, aliases=aliases)
        return configurable

    return decorate


def gin_configurable(
    name: str | None = None, module: str | None = None
) -> Callable[[_Part], _Part]:
    """Returns a decorator like `gin.configurable` that suits Keras layers and models as well.

    Keras reads the parameter names of `__init__` to serialize a layer, and gin's wrapper hides
    them: this decorator shows them again. Keras does not see the values that gin supplies: a class
    that is saved with them must return them from its `get_config`.

    Args:
      name: Name in gin files; None = that of the function or class.
      module: Module prefix in gin files.

    Example:
      >>> import gin
      >>> from compare_gan import registry
      >>> @registry.gin_configurable("docstring_scale")
      ... def scale(x, factor=1.0):
      ...     return x * factor
      >>> gin.bind_parameter("docstring_scale.factor", 3.0)
      >>> scale(2.0)
      6.0
    """

    def decorate(part: Any) -> Any:
        if not inspect.isclass(part):
            return gin.configurable(name, module=module)(part)
        signature = inspect.signature(part.__init__)
        configurable = gin.configurable(name or part.__name__, module=module)(part)
        configurable.__init__.__signature__ = signature
        return configurable

    return decorate


def _name_in_gin(alias: str, part: Any) -> None:
    """Makes an alias another name of a configurable: its bindings are those of the main name."""
    known = gin.config._INVERSE_REGISTRY[part]
    if "." not in alias:  # Such as `tf.train.AdamOptimizer`, which is the full name in gin.
        gin.config._REGISTRY[f"{known.module}.{alias}"] = known


def get(kind: str, name: Any) -> Any:
    """Returns the part of this kind and name.

    Args:
      kind: One of `kinds()`.
      name: Name or alias of the part. Anything but a string (a gin reference) is returned as it is.

    Raises:
      UserError: There is no such part; the message has the nearest name.

    Example:
      >>> from compare_gan import registry
      >>> registry.get("loss", "hinge").__name__
      'hinge'
    """
    if not isinstance(name, str):
        return name
    load(kind)
    component = _find(kind, name)
    if component is None:
        raise unknown_name(kind, name, _components[kind])
    return component.value


def components(kind: str) -> list[Component]:
    """All parts of one kind, in natural order of their names.

    Example:
      >>> from compare_gan import registry
      >>> [part.name for part in registry.components("schedule")][0]
      'cosine_decay'
    """
    load(kind)
    return [_components[kind][name] for name in in_natural_order(_components[kind])]


def names(kind: str) -> list[str]:
    """The names of all parts of one kind, sorted.

    Example:
      >>> from compare_gan import registry
      >>> "wgangp_penalty" in registry.names("penalty")
      True
    """
    return [component.name for component in components(kind)]


def load(kind: str) -> None:
    """Imports the room with the parts of this kind, which registers them.

    Raises:
      UserError: `kind` is unknown; the message has the nearest one.

    Example:
      >>> from compare_gan import registry
      >>> registry.load("loss")
    """
    if kind not in _ROOMS:
        raise unknown_name("kind of part", kind, _ROOMS)
    importlib.import_module(_ROOMS[kind])


def load_all() -> None:
    """Imports every room, so that gin knows every name that a config may use.

    Example:
      >>> from compare_gan import registry
      >>> registry.load_all()
    """
    for module in (*_ROOMS.values(), *_OPTIONS):
        importlib.import_module(module)


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
    fixed = fn.keywords if isinstance(fn, functools.partial) else {}
    requested = {
        name: available[name]
        for name, parameter in signature.parameters.items()
        if name in available
        and name not in fixed
        and parameter.kind != inspect.Parameter.VAR_KEYWORD
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
    """Whether `b` is `a`, or `a` after its module was reloaded, as in a notebook."""
    if a is b:
        return True
    where = [(getattr(v, "__module__", None), getattr(v, "__qualname__", None)) for v in (a, b)]
    return where[0] == where[1] != (None, None)
