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

_TOLERANCE = 1e-3  # Of outputs of affine layers in float32, relative to the largest.


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """Directions in the latent space, those of the largest effect first.

    Attributes:
      vectors: Unit vectors float64 [k, z_dim], orthogonal to each other.
      strengths: Effect of each, float64 [k]: the norm by which a unit step changes the layers'
        outputs.
      layers: Paths of the layers that the latent enters.

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling import Directions
      >>> Directions(np.eye(2), np.array([5.0, 3.0]), ["generator/fc_noise"]).vectors.shape
      (2, 2)
    """

    vectors: np.ndarray
    strengths: np.ndarray
    layers: list[str]


def find_directions(sampler: Sampler, count: int | None = None) -> Directions:
    """The directions in which the first layers of a generator react most (Shen and Zhou, 2021).

    Closed-form factorization, SeFa: the eigenvectors of A^T A, where A is the linear map from the
    latent to the outputs of the dense layers that it enters, among them those of modulated batch
    norm. The layers are found by their outputs, which are affine in the latent, so that it works
    for any generator that has them; a linear embedding of the latent is part of A.

    Paper: https://arxiv.org/abs/2007.06600.

    Args:
      sampler: The generator, a Keras model.
      count: Number of directions; None = the dimension of the latent.

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
    maps = _latent_maps(sampler)
    if not maps:
        raise UserError(
            "No dense layer of this generator is affine in the latent, so that SeFa finds no "
            "directions; a generator with a mapping network has them in the output of that network."
        )
    # Rows are latents: the outputs change by step @ map.
    product = sum(each @ each.T for each in maps.values())
    values, vectors = np.linalg.eigh(product)
    order = np.argsort(-values, kind="stable")[:count]
    strengths = np.sqrt(np.maximum(values[order], 0.0))
    return Directions(_signed(vectors.T[order]), strengths, list(maps))


def _signed(vectors: np.ndarray) -> np.ndarray:
    """The vectors with a positive largest entry: eigenvectors have no sign of their own."""
    largest = np.argmax(np.abs(vectors), axis=1)[:, None]
    return vectors * np.sign(np.take_along_axis(vectors, largest, axis=1))


def _latent_maps(sampler: Sampler) -> dict[str, np.ndarray]:
    """The linear maps [z_dim, units] of dense layers whose outputs are affine in the latent."""
    dim = sampler.z_dim
    ends = np.random.default_rng(0).standard_normal((2, dim))
    # Zero and the unit vectors give the map; the others show whether it is one.
    z = np.concatenate([np.zeros([1, dim]), np.eye(dim), ends, ends.mean(axis=0)[None]])
    y = None
    if sampler.num_classes is not None:
        y = np.eye(sampler.num_classes, dtype=np.float32)[np.zeros(len(z), int)]
    sampler.variables  # noqa: B018 – Builds the network, whose first call would be symbolic.
    with _dense_calls(sampler.network) as calls:
        sampler(ops.convert_to_tensor(z, "float32"), None if y is None else ops.array(y))
    inputs = [_host(call[1]) for call in calls]
    maps: dict[str, np.ndarray] = {}
    for layer, _, tensor in calls:
        output = _host(tensor)
        linear = output[1 : dim + 1] - output[0]
        expected = output[0] + z[dim + 1 :] @ linear
        scale = np.abs(linear).max(initial=0.0)
        affine = np.abs(output[dim + 1 :] - expected).max(initial=0.0) <= _TOLERANCE * scale * dim
        if scale > 0 and affine and not any(_holds(each, output) for each in inputs):
            maps[layer.path] = linear
    return maps


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
      extent: Length of the way to either side, in standard deviations of a latent's coordinate.
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
    start = numbered_latents(sampler, [number], seed, labels)
    marginal = sampler.marginal
    reach = extent * (1.0 if marginal is None else float(marginal.std()))
    steps = np.linspace(-reach, reach, columns)
    z = start + steps[:, None] * directions.vectors[:, None, :]
    rows = len(directions.vectors)
    repeated = None if labels is None else np.repeat(labels, rows * columns)
    images = sampler.generate(z.reshape(rows * columns, -1), repeated)
    return images.reshape(rows, columns, *images.shape[1:])


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
