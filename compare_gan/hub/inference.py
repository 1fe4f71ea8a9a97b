"""The networks that a set of TensorFlow 1 variables belongs to, from their names and shapes.

Options that names or shapes show (normalizations, spectral norm, embeddings) are derived in
`inferred_options`. Family, image size and width are found by comparison: the networks of every
registered family are created at every usual size, without weights, and the ones with the most
similar layers are chosen.
"""

import collections
import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import keras

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.hub import inferred_options
from compare_gan.hub.inferred_options import Shapes
from compare_gan.hub.weights_source import GraphFacts

ImageShape: TypeAlias = tuple[int, int, int]

_GRAY_SIZES = (28, 32, 64, 128, 48, 96, 256, 512)
# Where several sizes fit, the first is taken: no weight of resnet5 depends on the size.
_COLOUR_SIZES = (128, 64, 32, 256, 512, 48, 96, 28)


@dataclasses.dataclass(frozen=True)
class InferredNetworks:
    """Networks inferred from variables.

    Attributes:
      architecture: Name of the family.
      bindings: Gin bindings that rebuild the networks.
      image_shape: (H, W, C).
      num_classes: Number of classes that the networks are conditioned on; None if they are not.
      other_sizes: Other image heights that the weights fit.
    """

    architecture: str
    bindings: list[str]
    image_shape: ImageShape
    num_classes: int | None
    other_sizes: list[int]


def infer(
    shapes: Shapes,
    facts: GraphFacts | None = None,
    architecture: str | None = None,
    image_shape: ImageShape | None = None,
    num_classes: int | None = None,
) -> InferredNetworks:
    """Infers architecture, sizes and options.

    Args:
      shapes: Shapes of the variables by their names of 2019, see `WeightsSource.shapes`.
      facts: Facts that the saved graph shows, if there is one.
      architecture: Name of the architecture, if it is known.
      image_shape: (H, W, C), if it is known.
      num_classes: Number of classes, used where the variables do not show it.

    Raises:
      UserError: No registered architecture has such variables.
    """
    facts = facts or GraphFacts()
    generator = {n: s for n, s in shapes.items() if n.startswith("generator/")}
    discriminator = {n: s for n, s in shapes.items() if n.startswith("discriminator/")}
    family, image_shape, other_sizes = _find_family(
        generator, architecture, image_shape or facts.image_shape
    )
    module = registry.get("architecture", family)
    network = _fitted(module.Generator, image_shape, generator)
    first_dense = next(path for path, (kernel, _) in _layers(network) if not kernel)
    z_in = generator.get(f"generator/{first_dense}/kernel", (128,))[0]
    z_dim, choices, num_classes = inferred_options.latent_and_labels(
        module.Generator, shapes, z_in, facts, num_classes
    )
    bindings = [
        f"options.architecture = '{family}'",
        f"options.z_dim = {z_dim}",
        *inferred_options.normalizations("G", generator),
        *inferred_options.normalizations("D", discriminator),
        *inferred_options.statistics(shapes, facts),
        *inferred_options.spectral_norm(shapes),
        *_bindings(network, generator, choices),
    ]
    if discriminator:
        network = _fitted(module.Discriminator, image_shape, discriminator)
        choices = {"project_y": "discriminator/embedding_fc/kernel" in discriminator}
        bindings += _bindings(network, discriminator, choices)
    return InferredNetworks(family, bindings, image_shape, num_classes, other_sizes)


def _bindings(network: keras.Model, variables: Shapes, choices: dict[str, object]) -> list[str]:
    choices = choices | {"blocks_with_attention": inferred_options.attention(network, variables)}
    return inferred_options.bindings_of(network, choices)


# Family, size, width.


def _find_family(
    generator: Shapes, architecture: str | None, image_shape: ImageShape | None
) -> tuple[str, ImageShape, list[int]]:
    """The name of the family, the image shape, and other sizes that fit."""
    found = _layers_of(generator)
    convolutions = {path: units for path, (kernel, units) in found.items() if kernel}
    colors = min(convolutions.values(), default=3)
    sizes = _GRAY_SIZES if colors == 1 else _COLOUR_SIZES
    candidates = [image_shape] if image_shape else [(n, n, colors) for n in sizes]
    families = [architecture] if architecture else registry.names("architecture")
    scores: dict[tuple[str, ImageShape], float] = {}
    for family in families:
        cls = registry.get("architecture", family).Generator
        for shape in candidates:
            with contextlib.suppress(UserError):  # The family has no such size.
                usual = _layers_of_network(cls, shape)
                common = len(convolutions.keys() & usual.keys())
                if common < max(len(convolutions), len(usual)) / 2:
                    continue
                ch = _width(cls, shape, found)
                layers = _layers_of_network(cls, shape, ch)
                # Some dense layers exist only after the network has been built.
                known = {path: v for path, v in found.items() if v[0] or path in layers}
                equal = sum(layers.get(path) == value for path, value in known.items())
                scores[family, shape] = equal / len(layers.keys() | known.keys())
    best = max(scores.values(), default=0)
    if best < 0.5:
        raise UserError(
            "The generator's variables are those of no known architecture"
            + (f" at {image_shape[0]}x{image_shape[1]}" if image_shape else "")
            + f" (compared with {', '.join(families)})."
        )
    (family, shape), *others = [key for key, score in scores.items() if score == best]
    return family, shape, [other[0] for name, other in others if name == family]


def _layers_of(variables: Shapes) -> dict[str, tuple[int, int]]:
    """Kernel size (0 if dense) and units of layers, by path without the network's name."""
    layers = {}
    for name, shape in variables.items():
        kernel = variables.get(name.removesuffix("bias") + "kernel", ())
        if name.endswith("/bias") and len(kernel) in (2, 4):
            path = name.split("/", 1)[1].removesuffix("/bias")
            layers[path] = (kernel[0] if len(kernel) == 4 else 0, shape[0])
    return layers


def _fitted(cls: type, image_shape: ImageShape, variables: Shapes) -> keras.Model:
    """The network, not built, of the width that fits the variables best."""
    ch = _width(cls, image_shape, _layers_of(variables))
    return cls(image_shape=image_shape) if ch is None else cls(image_shape=image_shape, ch=ch)


def _width(cls: type, image_shape: ImageShape, found: Mapping[str, tuple[int, int]]) -> int | None:
    """The width `ch` at which most layers are as wide as those found; None without `ch`."""
    usual = inferred_options.defaults(cls).get("ch")
    ratios = collections.Counter(
        found[path][1] / units
        for path, (kernel, units) in _layers_of_network(cls, image_shape).items()
        if kernel and units != image_shape[2] and path in found
    )
    if not isinstance(usual, int):
        return None
    if not ratios:
        return usual
    return max(round(usual * ratios.most_common(1)[0][0]), 1)


@functools.cache
def _layers_of_network(
    cls: type, image_shape: ImageShape, ch: int | None = None
) -> dict[str, tuple[int, int]]:
    """As `_layers_of`, for a network of this width; None = the default of the family.

    Raises:
      UserError: The family has no network for such images.
    """
    width = {} if ch in (None, inferred_options.defaults(cls).get("ch")) else {"ch": ch}
    return dict(_layers(cls(image_shape=image_shape, **width)))


def _layers(layer: keras.layers.Layer, scope: str = "") -> Iterator[tuple[str, tuple[int, int]]]:
    """As `_layers_of`, for a network that is not built."""
    for part in layer._flatten_layers(recursive=False, include_self=False):
        path = f"{scope}{part.name}"
        units = getattr(part, "filters", None) or getattr(part, "units", None)
        if units and getattr(part, "use_bias", False):
            yield path, (getattr(part, "kernel_size", 0), units)
        yield from _layers(part, f"{path}/")
