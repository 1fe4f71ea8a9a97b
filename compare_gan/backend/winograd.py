"""Winograd's minimal filtering: convolutions with 2.25 or 1.8 times fewer multiplications.

Small overlapping tiles of the image and the kernel are transformed by additions, multiplied plane
by plane (with one matrix product over channels per plane), and transformed back
(https://arxiv.org/abs/1509.09308):

- 3 x 3 with stride 1: F(2, 3), 16 products for four pixels instead of 36.
- 4 x 4 with stride 2, and its transpose: 2 x 2 on the image's four phases, F(2, 2), 9 products
  instead of 16.

Results equal those of direct convolutions up to rounding (a few 1e-6 of their scale). cuDNN has the
same method on GPUs; on CPUs no library that TensorFlow calls has it. It is worthwhile with many
channels, because the matrix products then dominate; XLA fuses each transform into one pass over
memory. TensorFlow only; `forms` decides which convolutions use it.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from compare_gan.types import Tensor

# Tensors at the places of a tile: rows of columns.
_Grid: TypeAlias = Sequence[Sequence[Tensor]]


class _Scheme:
    """Minimal filtering of tiles with two outputs in each direction.

    Args:
      image: Transform of a tile's lines, B^T in the paper.
      kernel: Transform of a kernel's taps, G in the paper.
      output: Transform of the products' lines, A^T in the paper.
      stride: Stride of the convolution, whose phases are convolved together.
    """

    def __init__(
        self,
        image: Sequence[Sequence[float]],
        kernel: Sequence[Sequence[float]],
        output: Sequence[Sequence[float]],
        stride: int,
    ):
        self.image = np.kron(image, np.eye(stride))
        self.kernel = np.kron(kernel, np.eye(stride))
        self.output = np.array(output)
        self.stride = stride
        self.size = stride * len(kernel[0])

    def suits(self, image: tuple[int, ...], transposed: bool) -> bool:
        """Whether an image of this shape, [n, h, w, c], is a whole number of tiles."""
        step = 2 if transposed else 2 * self.stride
        return all(side % step == 0 for side in image[1:3])

    def convolve(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Convolves with SAME padding: [n, h, w, c], [k, k, c, f] -> [n, h/stride, w/stride, f]."""
        n, h, w, _ = x.shape
        products = _multiply(self.image_planes(x), self.kernel_planes(kernel), False)
        return self.image_of(products, (n, h // self.stride, w // self.stride))

    def transpose(self, y: Tensor, kernel: Tensor) -> Tensor:
        """Applies its transpose: [n, h, w, f], [k, k, c, f] -> [n, h·stride, w·stride, c]."""
        n, h, w, _ = y.shape
        products = _multiply(self.planes_of(y), self.kernel_planes(kernel), True)
        return self.overlap_planes(products, (n, h * self.stride, w * self.stride))

    # Two pairs of linear maps: each map is the adjoint, and therefore the gradient, of the other.

    def image_planes(self, x: Tensor) -> list[Tensor]:
        """Maps [n, h, w, c] to planes [tiles, c · stride²]."""
        return _linear(self._image_planes, self._overlap_planes, tuple(x.shape[:3]), x)

    def overlap_planes(self, planes: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
        """Maps planes [tiles, c · stride²] to [n, h, w, c] and adds tiles where they overlap."""
        return _linear(self._overlap_planes, self._image_planes, shape, *planes)

    def image_of(self, planes: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
        """Maps planes [tiles, f] to [n, h, w, f]."""
        return _linear(self._image_of, self._planes_of, shape, *planes)

    def planes_of(self, y: Tensor) -> list[Tensor]:
        """Maps [n, h, w, f] to planes [tiles, f]."""
        return _linear(self._planes_of, self._image_of, tuple(y.shape[:3]), y)

    def kernel_planes(self, kernel: Tensor) -> list[Tensor]:
        """Maps [k, k, c, f] to planes [c · stride², f]."""
        return _compiled(self._kernel_planes, None, tuple(kernel.shape))(kernel)

    def _image_planes(self, shape: tuple[int, ...], x: Tensor) -> list[Tensor]:
        n, h, w = shape
        step = 2 * self.stride
        # Tiles overlap by two pixels: the last two lines of each are the first two of the next.
        x = tf.pad(x, [[0, 0], [1, step - 1], [1, step - 1], [0, 0]])
        rows, columns = h // step, w // step
        x = tf.reshape(x, [n, rows + 1, step, columns + 1, step, -1])

        def line(a: int, b: int) -> Tensor:
            (i, a), (j, b) = divmod(a, step), divmod(b, step)
            return x[:, i : i + rows, a, j : j + columns, b]

        tile = range(step + 2)
        lines = _transform(self.image, [[line(a, b) for b in tile] for a in tile])
        return [tf.reshape(plane, [n * rows * columns, -1]) for plane in self._join(lines)]

    def _overlap_planes(self, shape: tuple[int, ...], *planes: Tensor) -> Tensor:
        n, h, w = shape
        step = 2 * self.stride
        tiles = [tf.reshape(plane, [n, h // step, w // step, -1]) for plane in planes]
        lines = _transform(self.image.T, self._split(tiles))
        columns = [_overlap(column, step, axis=1) for column in zip(*lines, strict=True)]
        lines = [_overlap(row, step, axis=2) for row in zip(*columns, strict=True)]
        x = tf.stack([tf.stack(row, axis=3) for row in lines], axis=2)
        x = tf.reshape(x, [n, h + step, w + step, -1])
        return x[:, 1 : h + 1, 1 : w + 1]

    def _image_of(self, shape: tuple[int, ...], *planes: Tensor) -> Tensor:
        n, h, w = shape
        tiles = [tf.reshape(plane, [n, h // 2, w // 2, -1]) for plane in planes]
        pixels = _transform(self.output, _square(tiles))
        y = tf.stack([tf.stack(row, axis=3) for row in pixels], axis=2)
        return tf.reshape(y, [n, h, w, -1])

    def _planes_of(self, shape: tuple[int, ...], y: Tensor) -> list[Tensor]:
        n, h, w = shape
        y = tf.reshape(y, [n, h // 2, 2, w // 2, 2, -1])
        pixels = [[y[:, :, a, :, b] for b in range(2)] for a in range(2)]
        planes = _flat(_transform(self.output.T, pixels))
        return [tf.reshape(plane, [n * h * w // 4, -1]) for plane in planes]

    def _kernel_planes(self, _: Any, kernel: Tensor) -> list[Tensor]:
        taps = range(self.size)
        lines = [[kernel[a, b] for b in taps] for a in taps]
        return self._join(_transform(self.kernel, lines), axis=0)

    def _join(self, lines: _Grid, axis: int = -1) -> list[Tensor]:
        """Concatenates the phases, between which the lines of a grid alternate, to planes."""
        s = self.stride
        places = range(0, len(lines), s)  # Places of the first phase.
        return [
            tf.concat([lines[a + i][b + j] for i in range(s) for j in range(s)], axis)
            for a in places
            for b in places
        ]

    def _split(self, planes: Sequence[Tensor]) -> list[list[Tensor]]:
        """Splits planes into phases: the adjoint of `_join` along the last axis."""
        s = self.stride
        grid = [[tf.split(plane, s * s, axis=-1) for plane in row] for row in _square(planes)]
        lines = range(s * len(grid))
        return [[grid[a // s][b // s][a % s * s + b % s] for b in lines] for a in lines]


_THREE = _Scheme(
    image=[[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    kernel=[[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]],
    output=[[1, 1, 1, 0], [0, 1, -1, -1]],
    stride=1,
)
_FOUR = _Scheme(
    image=[[1, -1, 0], [0, 1, 0], [0, -1, 1]],
    kernel=[[1, 0], [1, 1], [0, 1]],
    output=[[1, 1, 0], [0, 1, 1]],
    stride=2,
)

# By the size of the kernel and the stride.
SCHEMES = {(scheme.size, scheme.stride): scheme for scheme in (_THREE, _FOUR)}


def _multiply(planes: Sequence[Tensor], kernels: Sequence[Tensor], transpose: bool) -> list[Tensor]:
    return [tf.matmul(p, k, transpose_b=transpose) for p, k in zip(planes, kernels, strict=True)]


def _transform(matrix: np.ndarray, grid: _Grid) -> list[list[Tensor]]:
    """Applies the matrix to the lines of a square grid, then to its columns."""
    rows = zip(*(_combine(matrix, column) for column in zip(*grid, strict=True)), strict=True)
    return [_combine(matrix, row) for row in rows]


def _combine(matrix: np.ndarray, items: Sequence[Tensor]) -> list[Tensor]:
    """Multiplies a matrix, most of whose entries are 0, 1 or -1, by a vector of tensors."""
    results = []
    for weights in matrix:
        terms = [(w, item) for w, item in zip(weights, items, strict=True) if w]
        terms.sort(key=lambda term: -term[0])  # A positive term first.
        total: Tensor = None
        for weight, item in terms:
            scaled = item if abs(weight) == 1 else abs(weight) * item
            if total is None:
                total = scaled if weight > 0 else -scaled
            else:
                total = total + scaled if weight > 0 else total - scaled
        results.append(total)
    return results


def _overlap(lines: Sequence[Tensor], step: int, axis: int) -> list[Tensor]:
    """Maps lines of tiles to lines of the image: the last two are added to the next tile."""

    def padded(line: Tensor, before: bool) -> Tensor:
        return tf.pad(
            line, [([1, 0] if before else [0, 1]) if i == axis else [0, 0] for i in range(4)]
        )

    own = [padded(line, False) for line in lines[:step]]
    return [own[0] + padded(lines[step], True), own[1] + padded(lines[step + 1], True), *own[2:]]


def _flat(grid: _Grid) -> list[Tensor]:
    return [item for row in grid for item in row]


def _square(items: Sequence[Tensor]) -> list[list[Tensor]]:
    side = round(len(items) ** 0.5)
    return [list(items[i : i + side]) for i in range(0, len(items), side)]


def _linear(
    fn: Callable[..., Any], adjoint: Callable[..., Any], shape: tuple[int, ...], *values: Tensor
) -> Any:
    """Returns `fn(shape, *values)`, compiled by XLA, with the adjoint as its gradient."""

    @tf.custom_gradient
    def apply(*values: Tensor) -> Any:
        def gradient(*upstream: Tensor) -> Any:
            return _linear(adjoint, fn, shape, *upstream)

        return _compiled(fn, shape, tuple(values[0].shape))(*values), gradient

    return apply(*values)


@functools.cache
def _compiled(
    fn: Callable[..., Any], shape: tuple[int, ...] | None, _: tuple[int, ...]
) -> Callable[..., Any]:
    """Compiles a separate function for each shape: TensorFlow warns of one with many traces."""
    return tf.function(functools.partial(fn, shape), jit_compile=True, autograph=False)
