"""Directions in the latent space along which images change most (SeFa)."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan.errors import UserError, check_positive_integer
from compare_gan.plots import grids
from compare_gan.sampling.numbered import numbered_labels, numbered_latents
from compare_gan.sampling.sampler import Sampler
from compare_gan.sampling.styles import has_styles, images_of_styles, styles_of

_BATCH_SIZE = 32  # Images in one forward pass.
_NUM_SPREAD, _SPREAD_SEED = 1000, 0x73706C  # Of the samples that show how far styles spread.
_TOLERANCE = 1e-3  # Of outputs of affine layers in float32, relative to the largest.


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """Directions in the latent space, those of the largest effect first.

    Attributes:
      vectors: Unit vectors float64 [k, dim], orthogonal to each other.
      strengths: Effect of each, float64 [k]: the norm by which a unit step changes the layers'
        outputs.
      layers: Paths of the layers that the latent enters.
      space: `z`, the space of the latents, or `w`, that of the styles.

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling import Directions
      >>> Directions(np.eye(2), np.array([5.0, 3.0]), ["generator/fc_noise"]).vectors.shape
      (2, 2)
    """

    vectors: np.ndarray
    strengths: np.ndarray
    layers: list[str]
    space: str = "z"


def find_directions(sampler: Sampler, count: int | None = None) -> Directions:
    """The directions in which the first layers of a generator react most (Shen and Zhou, 2021).

    Closed-form factorization, SeFa: the eigenvectors of A^T A, where A is the linear map from the
    latent to the outputs of the dense layers that it enters, among them those of modulated batch
    norm. The layers are found by their outputs, which are affine in the latent, so that it works
    for any generator that has them; a linear embedding of the latent is part of A. The latent of a
    generator with styles (StyleGAN2) is w, the output of its mapping network, which enters the
    modulation of every layer.

    Paper: https://arxiv.org/abs/2007.06600.

    Args:
      sampler: The generator, a Keras model.
      count: Number of directions; None = the dimension of the space.

    Raises:
      UserError: No dense layer of the generator is affine in the latent.

    Example:
      >>> import keras
      >>> from keras import ops
      >>> from compare_gan.sampling import Sampler, find_directions
      >>> class Network(keras.Model):
      ...     def __init__(self):
      ...         super().__init__()
      ...         self.dense = keras.layers.Dense(2)
      ...         self.dense.build((None, 2))
      ...         self.dense.kernel.assign([[3.0, 0.0], [0.0, 5.0]])
      ...     def call(self, inputs, training=None):
      ...         return ops.sigmoid(self.dense(inputs[0]))[:, None, :, None]
      >>> directions = find_directions(Sampler(Network(), 2, (1, 2, 1)))
      >>> abs(directions.vectors).round(4).tolist(), directions.strengths.round(4).tolist()
      ([[0.0, 1.0], [1.0, 0.0]], [5.0, 3.0])
    """
    if count is not None:
        check_positive_integer("count", count)
    space = "w" if has_styles(sampler) else "z"
    maps = _style_maps(sampler) if space == "w" else _latent_maps(sampler)
    if not maps:
        raise UserError(
            "No dense layer of this generator is affine in the latent, so that SeFa finds no "
            "directions; those of a mapping network's output are found if the generator has "
            "`styles` and `synthesize`, as that of stylegan2_arch."
        )
    # Rows are latents: the outputs change by step @ map.
    product = sum(each @ each.T for each in maps.values())
    values, vectors = np.linalg.eigh(product)
    order = np.argsort(-values, kind="stable")[:count]
    strengths = np.sqrt(np.maximum(values[order], 0.0))
    return Directions(_signed(vectors.T[order]), strengths, list(maps), space)


def _signed(vectors: np.ndarray) -> np.ndarray:
    """The vectors with a positive largest entry: eigenvectors have no sign of their own."""
    largest = np.argmax(np.abs(vectors), axis=1)[:, None]
    return vectors * np.sign(np.take_along_axis(vectors, largest, axis=1))


def _latent_maps(sampler: Sampler) -> dict[str, np.ndarray]:
    """The maps from z, see `_affine_maps`."""
    sampler.variables  # noqa: B018 – Builds the network, whose first call would be symbolic.

    def run(z: np.ndarray) -> None:
        y = None
        if sampler.num_classes is not None:
            y = ops.array(np.eye(sampler.num_classes, dtype=np.float32)[np.zeros(len(z), int)])
        sampler(ops.convert_to_tensor(z, "float32"), y)

    return _affine_maps(sampler.network, sampler.z_dim, run)


def _style_maps(sampler: Sampler) -> dict[str, np.ndarray]:
    """The maps from w, the same style for all layers; see `_affine_maps`."""
    labels = None if sampler.num_classes is None else np.zeros(1, int)
    _, num_styles, dim = styles_of(sampler, sampler.draw_z(1, 0), labels).shape

    def run(w: np.ndarray) -> None:
        styles = np.repeat(w[:, None], num_styles, axis=1)
        sampler.network.synthesize(ops.convert_to_tensor(styles, "float32"))

    return _affine_maps(sampler.network, dim, run)


def _affine_maps(
    network: Any, dim: int, run: Callable[[np.ndarray], None]
) -> dict[str, np.ndarray]:
    """The linear maps [dim, units] of dense layers whose outputs are affine in an input.

    Args:
      network: The network.
      dim: Dimension of the input.
      run: Calls the network with inputs [n, dim].
    """
    ends = np.random.default_rng(0).standard_normal((2, dim))
    # Zero and the unit vectors give the map; the others show whether it is one.
    points = np.concatenate([np.zeros([1, dim]), np.eye(dim), ends, ends.mean(axis=0)[None]])
    calls = _calls_in_batches(network, points, run)
    inputs = [call[1] for call in calls]
    maps: dict[str, np.ndarray] = {}
    for layer, _, output in calls:
        linear = output[1 : dim + 1] - output[0]
        expected = output[0] + points[dim + 1 :] @ linear
        scale = np.abs(linear).max(initial=0.0)
        affine = np.abs(output[dim + 1 :] - expected).max(initial=0.0) <= _TOLERANCE * scale * dim
        if scale > 0 and affine and not any(_holds(each, output) for each in inputs):
            maps[layer.path] = linear
    return maps


def _calls_in_batches(
    network: Any, points: np.ndarray, run: Callable[[np.ndarray], None]
) -> list[tuple[keras.layers.Layer, np.ndarray, np.ndarray]]:
    """The calls of `_dense_calls` on all points: images of all of them may not fit into memory."""
    parts = []
    for start in range(0, len(points), _BATCH_SIZE):
        with _dense_calls(network) as calls:
            run(points[start : start + _BATCH_SIZE])
        parts.append([(layer, _host(x), _host(output)) for layer, x, output in calls])
    return [
        (same[0][0], np.concatenate([x for _, x, _ in same]), np.concatenate([o for *_, o in same]))
        for same in zip(*parts, strict=True)
    ]


def _holds(values: np.ndarray, output: np.ndarray) -> bool:
    """Whether an input [n, i] has a column of a layer's output: then the layer is an embedding."""
    column = output[:, [np.argmax(output.std(axis=0))]]
    return bool(np.any(np.all(values == column, axis=0)))


def _host(tensor: Any) -> np.ndarray:
    return ops.convert_to_numpy(tensor).astype(np.float64)


@contextlib.contextmanager
def _dense_calls(network: Any) -> Iterator[list[tuple[keras.layers.Layer, Any, Any]]]:
    """Records the calls of the network's layers with a matrix as kernel.

    Yields:
      For each call the layer, its input [n, i] and its output [n, o].
    """
    calls: list[tuple[keras.layers.Layer, Any, Any]] = []

    def recorded(layer: keras.layers.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
        def call_and_record(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            output = call(inputs, *args, **kwargs)
            if len(output.shape) == 2:
                calls.append((layer, inputs, output))
            return output

        return call_and_record

    # Other functions have no layers to list.
    found = network._flatten_layers() if isinstance(network, keras.Model) else ()
    layers = [each for each in found if _has_matrix(each)]
    # Beside Keras's attributes, which it tracks and may have locked.
    for layer in layers:
        vars(layer)["call"] = recorded(layer, layer.call)
    try:
        yield calls
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _has_matrix(layer: keras.layers.Layer) -> bool:
    kernel = getattr(layer, "kernel", None)
    return kernel is not None and len(kernel.shape) == 2


def direction_images(
    sampler: Sampler,
    directions: Directions,
    *,
    number: int = 0,
    seed: int = 0,
    columns: int = 7,
    extent: float = 3.0,
    classes: Iterable[str | int] | None = None,
) -> np.ndarray:
    """Images of one sample whose latent is moved along each direction.

    Args:
      sampler: The sampler.
      directions: The directions.
      number: Number of the sample in the sequence of `seed`, see `numbered`.
      seed: Seed of the sequence.
      columns: Images for each direction; with an odd number the middle one is the sample itself.
      extent: Length of the way to either side, in standard deviations of the latents along the
        direction; those of styles are estimated from 1,000 samples of the class.
      classes: Names or numbers of the classes that take turns; None = all.

    Returns:
      uint8 [k, columns, H, W, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling import Directions, Sampler, direction_images
      >>> sampler = Sampler(
      ...     lambda inputs, training: inputs[0][:, :, None, None] ** 2, 2, (2, 1, 1)
      ... )
      >>> directions = Directions(np.eye(2), np.ones(2), ["dense"])
      >>> direction_images(sampler, directions, columns=3).shape
      (2, 3, 2, 1, 1)
    """
    labels = numbered_labels(sampler, [number], classes)
    sampler.prepare()
    z = numbered_latents(sampler, [number], seed, labels)
    steps = np.linspace(-extent, extent, columns)
    if directions.space == "w":
        spread = _style_spread(sampler, directions, labels)
        moves = steps[:, None] * (spread * directions.vectors)[:, None]  # [k, columns, w_dim]
        styles = styles_of(sampler, z, labels) + moves[:, :, None].astype(np.float32)
        images = images_of_styles(sampler, styles.reshape(-1, *styles.shape[2:]))
    else:
        marginal = sampler.marginal
        reach = steps * (1.0 if marginal is None else float(marginal.std()))
        moved = z + reach[:, None] * directions.vectors[:, None]
        repeated = None if labels is None else np.repeat(labels, moved[..., 0].size)
        images = sampler.generate(moved.reshape(-1, moved.shape[-1]), repeated)
    return images.reshape(len(directions.vectors), columns, *images.shape[1:])


def _style_spread(
    sampler: Sampler, directions: Directions, labels: np.ndarray | None
) -> np.ndarray:
    """Standard deviations of the styles of a class along directions, float [k, 1]."""
    classes = None if labels is None else np.repeat(labels, _NUM_SPREAD)
    w = styles_of(sampler, sampler.draw_z(_NUM_SPREAD, _SPREAD_SEED), classes)[:, 0]
    return (w @ directions.vectors.T).std(axis=0)[:, None]


def write_directions(
    sampler: Sampler, path: str, count: int = 5, **options: Any
) -> tuple[str, Directions]:
    """Writes a picture as PNG: a row for each direction, along which one sample is moved.

    Args:
      sampler: The sampler.
      path: File to write.
      count: Number of directions.
      **options: Those of `direction_images`.

    Returns:
      `path`, and the directions.

    Raises:
      UserError: See `find_directions`.

    Example:
      >>> from compare_gan.sampling import write_directions
      >>> write_directions(sampler, "directions.png", count=3)  # doctest: +SKIP
    """
    directions = find_directions(sampler, count)
    rows = direction_images(sampler, directions, **options)
    names = [str(i + 1) for i in range(len(rows))]
    grids.save_png(grids.class_grid(list(rows), names), path)
    return path, directions
