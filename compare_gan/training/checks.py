"""What a run would stumble over is told before it starts: no data read, no network built.

Building large networks and reading data take minutes; a misspelled name, a value of the wrong type,
an image size that the architecture cannot make, or a batch size that does not divide are found
without either.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from typing import Any

import gin
from gin.config import ConfigurableReference
from keras import ops

from compare_gan import registry
from compare_gan.architectures.base import option_name
from compare_gan.config import is_bound, told
from compare_gan.config.gin_internals import short_name, values_under
from compare_gan.errors import UserError, unknown_name
from compare_gan.gans import ModularGAN
from compare_gan.schedules import Schedule
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.optimizers import make_optimizers
from compare_gan.training.run_options import Options

# The parameters that name a part, and its kind.
_PARTS = {
    "options.gan_class": "gan",
    "options.architecture": "architecture",
    "loss.fn": "loss",
    "penalty.fn": "penalty",
    "evaluation.metrics": "metric",
    "evaluation.extractor": "extractor",
}
# The same in any scope.
_PARTS_BY_NAME = {
    "batch_norm_fn": "normalization",
    "final_norm_fn": "normalization",
    "g_optimizer_fn": "optimizer",
    "d_optimizer_fn": "optimizer",
}
# The same in the scope of a GAN, where most may be lists.
_PARTS_OF_GANS = {
    "loss": "loss",
    "penalties": "penalty",
    "augmentations": "augmentation",
    "tasks": "task",
}
# Kinds of which a config may give several, and those whose parts are objects: a class is called.
_LISTS = ("metric", "penalty", "augmentation", "task")
_CALLED = ("penalty", "augmentation", "schedule", "task")
# What a GAN is given by `options`, whatever its own scope says.
_OPTIONS = ("architecture", "disc_iters", "z_dim")
_MAY_BE_NONE = ("normalization", "optimizer")
_MACRO = "gin.macro"
_TYPES = {
    bool: "True or False",
    int: "an integer",
    float: "a number",
    str: "a string",
    types.NoneType: "None",
}


def check_bindings() -> None:
    """Raises UserError if gin binds a value of the wrong type, or no part of the kind needed."""
    _check_macros()
    for selector, name, value in _bindings():
        key = f"{short_name(selector)}.{name}"
        kind = _PARTS.get(key) or _PARTS_BY_NAME.get(name)
        if _is_gan(selector):
            kind = kind or _PARTS_OF_GANS.get(name)
        with told(key):
            _check_type(key, _allowed_types(selector, name), value)
            if name in _OPTIONS and _is_gan(selector):
                raise UserError(f"{key} has no effect: set options.{name}.")
            if name == "distribution_fn":
                _refuse_result(key, value)
            if kind is not None:
                several = isinstance(value, (list, tuple)) and kind in _LISTS
                several = several and key != "penalty.fn"
                for part in value if several else [value]:
                    _check_part(key, kind, part)


def check_spellings(options: Options) -> None:
    """Raises UserError if gin chooses a part of the GAN in an old spelling and in the new one."""
    gan_class = registry.get("gan", options.gan_class)
    names = list(_PARTS_OF_GANS)
    bound = values_under(gan_class, names) if inspect.isclass(gan_class) else {}
    scope = getattr(gan_class, "__name__", "ModularGAN")
    for old, is_used, new in (
        ("loss.fn", not options.loss.is_default, "loss"),
        ("penalty.fn", not options.penalty.is_default, "penalties"),
        ("options.lamba", options.lamba != 1, "penalties"),
        ("DiffAugment.policy", bool(options.diff_augment.policy), "augmentations"),
    ):
        if is_used and bound.get(new):
            raise UserError(
                f"{old} and {scope}.{new} are two spellings for the same part of the GAN: leave "
                "out one of them."
            )


def check_gan(
    options: Options,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    num_replicas: int = 1,
    soft_labels: bool = False,
) -> None:
    """Raises UserError if the GAN cannot be made for such images or trained on such batches.

    Args:
      options: What is trained.
      image_shape: (H, W, C).
      num_classes: Of the data; None if it has none.
      num_replicas: How many share a batch.
      soft_labels: Whether `infer_labels.soft` asks for them.
    """
    with told("options.architecture", "options.gan_class"):
        architecture = _without_variables(registry.get("architecture", options.architecture))
        gan = dataclasses.replace(options, architecture=architecture).make_gan(
            image_shape, num_classes
        )
    with told():
        _check_uses_of_labels(gan)
        if soft_labels and not getattr(gan, "use_soft_labels", True):
            name = type(gan).__name__
            raise UserError(
                f"infer_labels.soft = True needs {name}.use_soft_labels = True: else {name} takes "
                "the likeliest class of each."
            )
        make_optimizers(options.optimization)
    with told("options.batch_size"):
        if options.batch_size % num_replicas:
            raise UserError(
                f"options.batch_size is {options.batch_size}, which {num_replicas} replicas cannot "
                "share equally."
            )
        gan.check_batch_size(options.batch_size // num_replicas)


def _check_uses_of_labels(gan: ModularGAN) -> None:
    if gan.conditional:
        return
    for network, option in ((gan.discriminator, "project_y"), (gan.generator, "embed_y")):
        key = option_name(type(network), option)
        # Where it is a family's default (BigGAN's), it is no mistake.
        if getattr(network, option, False) and is_bound(key):
            raise UserError(f"{key} = True needs {type(gan).__name__}.conditional = True.")


def _check_macros() -> None:
    for (_, selector), values in gin.config._CONFIG.items():
        for name, value in values.items():
            with told(f"{selector}.{name}"):
                _follow_macros(value)


def _follow_macros(value: Any, seen: tuple = ()) -> None:
    config = gin.config._CONFIG
    for macro in filter(_is_macro, gin.config.iterate_references(value)):
        key = macro.config_key
        if key not in config:
            raise unknown_name("macro", key[0], [s for s, selector in config if selector == _MACRO])
        if key in seen:
            raise UserError(f"The macro '{key[0]}' stands for itself.")
        _follow_macros(config[key]["value"], (*seen, key))


def _bindings() -> Iterator[tuple[str, str, Any]]:
    """The parameters that gin binds: selector, name, value; macros resolved."""
    for (_, selector), values in gin.config._CONFIG.items():
        for name, value in values.items():
            yield selector, name, _resolved(value)


def _resolved(value: Any) -> Any:
    return _resolved(gin.config._CONFIG[value.config_key]["value"]) if _is_macro(value) else value


def _is_macro(value: Any) -> bool:
    return isinstance(value, ConfigurableReference) and value.configurable.selector == _MACRO


def _allowed_types(selector: str, name: str) -> set[type]:
    """The plain types (and Schedule) of a parameter's annotation; none if there are others."""
    part = gin.config._REGISTRY.get_match(selector).wrapped
    bases = [b for b in part.__mro__ if "__init__" in vars(b)] if inspect.isclass(part) else [part]
    if name in getattr(part, "options_of_others", ()):
        bases = [OptimizationOptions]
    for base in bases:
        parameter = inspect.signature(base).parameters.get(name)
        if parameter is not None:
            annotation = parameter.annotation
            union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
            allowed = set(typing.get_args(annotation)) if union else {annotation}
            return allowed if allowed <= {*_TYPES, Schedule} else set()
    return set()


def _is_gan(selector: str) -> bool:
    part = gin.config._REGISTRY.get_match(selector).wrapped
    return inspect.isclass(part) and issubclass(part, ModularGAN)


def _check_type(key: str, allowed: set[type], value: Any) -> None:
    if not allowed or type(value) in allowed or (float in allowed and type(value) is int):
        return
    if bool in allowed and value in (0, 1):
        return
    if isinstance(value, ConfigurableReference):
        if Schedule in allowed:
            _check_part(key, "schedule", value)
            return
        if value.evaluate:
            return  # Known only when it is called.
    words = " or ".join(words for kind, words in _TYPES.items() if kind in allowed)
    raise UserError(f"{key} must be {words}, received {value!r}.")


def _check_part(key: str, kind: str, value: Any) -> None:
    if value is None and kind in _MAY_BE_NONE:
        return
    if isinstance(value, str):
        if (key, value) != ("evaluation.extractor", "auto"):
            registry.get(kind, value)
        return
    if isinstance(value, ConfigurableReference):
        kinds = _kinds(value)
        if kind in kinds or _is_users_own(value):
            is_class = inspect.isclass(value.configurable.wrapped)
            if kind == "schedule" and is_class and not value.evaluate:
                raise UserError(f"{key} = {value!r} is not a call: write {value!r}().")
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


def _refuse_result(key: str, value: Any) -> None:
    """What a function of the user's own returns may be a part; what a part returns is none."""
    if isinstance(value, ConfigurableReference) and value.evaluate and not _is_users_own(value):
        name = repr(value).removesuffix("()")
        raise UserError(f"{key} = {value!r} is a call: write {name} without parentheses.")


def _is_users_own(reference: ConfigurableReference) -> bool:
    """Whether it is to neither a registered part nor anything else of this library."""
    module = getattr(reference.configurable.wrapped, "__module__", None) or ""
    return not _kinds(reference) and module.split(".")[0] != "compare_gan"


def _kinds(reference: ConfigurableReference) -> list[str]:
    """The kinds of parts that the reference is registered as."""
    part = reference.configurable.wrapped
    return [
        kind
        for kind in registry.kinds()
        if any(inspect.unwrap(each.value) is part for each in registry.components(kind))
    ]


def _without_variables(architecture: Any) -> types.SimpleNamespace:
    """The architecture with networks that check what they are called with and compute nothing."""
    nothing = ops.zeros((2, 1))

    def stand_in(network: Any, result: Any) -> Any:
        if not inspect.isclass(network):
            return network  # A function that makes one, of the user's own: it is built.

        def call(self: Any, inputs: Any, training: bool | None = None) -> Any:
            check = getattr(self, "check_inputs", lambda *shapes: None)
            check(*(None if x is None else tuple(x.shape) for x in inputs))
            return result

        attributes = {"__call__": call, "__module__": network.__module__}
        return type(network.__name__, (network,), attributes)

    return types.SimpleNamespace(
        Generator=stand_in(architecture.Generator, nothing),
        Discriminator=stand_in(architecture.Discriminator, (nothing, nothing)),
    )
