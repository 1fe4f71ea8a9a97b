"""The networks of a GAN: built, cloned, with heads."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.config.keywords import parameters
from compare_gan.errors import UserError
from compare_gan.gans.tasks import AuxiliaryTask, Head
from compare_gan.registry import call_with_requested
from compare_gan.types import NoiseSource, Tensor, TensorShape


def built_generator(generator: keras.Model, z_dim: int, y_shape: TensorShape | None) -> keras.Model:
    """The generator after one call without training, so that all its variables exist."""
    _first_call(generator, (2, z_dim), y_shape)
    return generator


def num_features(
    discriminator: keras.Model, image_shape: tuple[int, int, int], y_shape: TensorShape | None
) -> int:
    """The number of features of the discriminator, which is called once without training."""
    _, features = _first_call(discriminator, (2, *image_shape), y_shape)
    return features.shape[-1]


def check_both_given(gan: str, generator: Any, discriminator: Any) -> None:
    """Raises UserError if a network is None in a GAN without architecture."""
    if generator is None or discriminator is None:
        raise UserError(
            f"{gan} needs an architecture, unless generator and discriminator are both given."
        )


def check_given_generator(
    generator: keras.Model,
    z_dim: int,
    y_shape: TensorShape | None,
    image_shape: tuple[int, int, int],
) -> None:
    """Builds a generator and raises UserError unless it makes images of this shape."""
    images = _checked_call("generator", generator, "z", (2, z_dim), y_shape)
    if tuple(getattr(images, "shape", ())) != (2, *image_shape):
        raise UserError(
            f"The given generator must make images of shape {(2, *image_shape)} from 2 latents, "
            f"received {_shape_of(images)}."
        )


def given_or_made_discriminator(
    given: keras.Model | None,
    architecture: Any,
    image_shape: tuple[int, int, int],
    y_shape: TensorShape | None,
    options: Mapping[str, Any],
) -> keras.Model:
    """The given discriminator, checked, or the architecture's with those of the options it has."""
    if given is not None:
        check_given_discriminator(given, y_shape, image_shape, options)
        return given
    known = set(parameters(architecture.Discriminator))
    own = {name: value for name, value in options.items() if name in known}
    return architecture.Discriminator(image_shape=image_shape, **own)


def check_given_discriminator(
    discriminator: keras.Model,
    y_shape: TensorShape | None,
    image_shape: tuple[int, int, int],
    options: Mapping[str, Any],
) -> None:
    """Builds a discriminator and raises UserError unless it returns logits and features.

    One of the options that it has with another value than required is refused too.
    """
    _refuse_options(discriminator, options)
    result = _checked_call("discriminator", discriminator, "x", (2, *image_shape), y_shape)
    is_pair = isinstance(result, (list, tuple)) and len(result) == 2
    shapes = [tuple(each.shape) for each in result] if is_pair else []
    if not is_pair or shapes[0] != (2, 1) or len(shapes[1]) != 2 or shapes[1][0] != 2:
        raise UserError(
            "The given discriminator must return logits [2, 1] and features [2, f] for 2 images, "
            f"received {_shape_of(result)}."
        )


def _checked_call(
    name: str, network: keras.Model, first: str, shape: TensorShape, y_shape: TensorShape | None
) -> Any:
    try:
        return _first_call(network, shape, y_shape)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise UserError(
            f"The given {name} cannot be called with ({first}, y) of the shapes "
            f"{shape} and {y_shape} (y is None in an unconditional GAN; a functional "
            f"model then needs an input with optional=True): {reason}"
        ) from error


def _first_call(network: keras.Model, *shapes: TensorShape | None) -> Any:
    """The outputs of a network without training; under JAX only their shapes and types."""
    return backend.first_call(lambda inputs: network(inputs, training=False), *shapes)


def _shape_of(result: Any) -> str:
    if isinstance(result, (list, tuple)):
        return f"({', '.join(_shape_of(each) for each in result)})"
    return str(list(result.shape)) if hasattr(result, "shape") else repr(result)


def generate(generator: keras.Model, z: Tensor, y: Tensor | None, draws: NoiseSource) -> Tensor:
    """The images of a generator in training mode.

    Args:
      generator: Generator. If its `call` has a parameter `draws`, it receives them.
      z: Float [b, z_dim].
      y: Float [b, num_classes]; None if unconditional.
      draws: Random numbers for what a generator draws in training, such as StyleGAN2's noise.
    """
    takes_draws = "draws" in inspect.signature(generator.call).parameters
    return generator((z, y), training=True, **({"draws": draws} if takes_draws else {}))


def has_styles(generator: keras.Model) -> bool:
    """Whether the generator maps latents to styles before it makes images of them."""
    return hasattr(generator, "styles") and hasattr(generator, "synthesize")


def styles(generator: keras.Model, z: Tensor, y: Tensor | None) -> Tensor:
    """The styles of latents, float [b, n, w_dim]; the latents if the generator has no styles."""
    return generator.styles(z, y) if has_styles(generator) else z


def synthesize(
    generator: keras.Model, given: Tensor, y: Tensor | None, draws: NoiseSource
) -> Tensor:
    """The images of the result of `styles`, in training mode; see `generate`."""
    if has_styles(generator):
        return generator.synthesize(given, draws=draws)
    return generate(generator, given, y, draws)


def kernels(
    networks: Iterable[keras.layers.Layer], variables: Iterable[keras.Variable]
) -> dict[str, list[Any]]:
    """The kernels among variables as the layers use them, with their groups, for penalties.

    A layer that stores its kernel in another scale or order has a method `used_kernel`; for Keras's
    own transposed convolution, which has none, the order is known. Spectral normalization is not
    part of it.

    Args:
      networks: The networks and heads that own the variables.
      variables: Variables, of which those named `kernel` count; their order is that of the result.

    Returns:
      `kernels`, float [..., units] each, and `kernel_groups`, the number of groups of each.
    """
    layers = [layer for network in networks for layer in network._flatten_layers()]
    owners = {id(getattr(layer, "kernel", None)): layer for layer in layers}
    found = [(v, owners.get(id(v))) for v in variables if v.name == "kernel"]
    return {
        "kernels": [_as_used(v, layer) for v, layer in found],
        "kernel_groups": [getattr(layer, "groups", 1) for _, layer in found],
    }


def _as_used(kernel: keras.Variable, layer: Any) -> Tensor:
    if hasattr(layer, "used_kernel"):
        return layer.used_kernel()
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return ops.swapaxes(kernel, -1, -2)
    return kernel


def clone(network: keras.Model) -> keras.Model:
    """A network of the same kind with weights of its own."""
    return type(network).from_config(network.get_config())


def make_heads(
    tasks: Sequence[AuxiliaryTask],
    num_features: int,
    spectral_norm: bool,
    num_classes: int | None,
) -> dict[str, keras.layers.Layer]:
    """The heads of tasks by the task's name, built for features [b, num_features]."""
    heads = {
        task.name: call_with_requested(
            task.make_head, spectral_norm=spectral_norm, num_classes=num_classes
        )
        for task in tasks
    }
    # All are made before any is built: both draw from Keras's seed, and runs keep their numbers.
    for head in heads.values():
        head.build((None, num_features))
    return heads


def make_class_head(num_classes: int, num_features: int, spectral_norm: bool) -> keras.layers.Layer:
    """A head with a logit for each class, built, for losses that request it."""
    head = Head(num_classes, "linear", spectral_norm, name="discriminator_class_logits")
    head.build((None, num_features))
    return head


def _refuse_options(discriminator: keras.Model, options: Mapping[str, Any]) -> None:
    """Raises UserError if a given discriminator has an option with another value than required."""
    for name, value in options.items():
        if getattr(discriminator, name, value) != value:
            raise UserError(
                f"The given discriminator must have {name} = {value}, received "
                f"{getattr(discriminator, name)!r}."
            )
