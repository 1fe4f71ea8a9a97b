"""Resampling by a factor of two, alone and folded into an adjacent convolution.

A convolution next to a resampling by two does most of its multiplications with zeros or with copies
of the same pixel. Each such pair equals one convolution without them:

- zero insertion, then k x k           = stride-2 transposed convolution with the flipped kernel
- nearest neighbour, then 3 x 3        = stride-2 transposed 4 x 4 convolution, kernels summed
- 3 x 3 on even sizes, then 2 x 2 mean = stride-2 4 x 4 convolution, kernels averaged
- 1 x 1 with any of them               = the 1 x 1 convolution on the smaller side

The weights are those of the plain definition; results are equal up to rounding. There is no such
form if a ReLU or a normalization lies between convolution and resampling, nor for max pooling, nor
for odd sizes: there the mean at the border is over fewer pixels, which is not a convolution.

Folding is the default on every device: it takes 2.25 to 4 times fewer operations. On CPU a block
that resamples is 1.4 to 1.6 times as fast with it (benchmarks/README.md); on GPU and TPU only the
number of operations speaks for it, and nothing has been measured.
"""

from keras import ops

from compare_gan import backend
from compare_gan.types import Tensor

RESAMPLINGS = ("unpool_then", "nearest_then", "then_mean_pool")


def unpool(x: Tensor) -> Tensor:
    """Doubles height and width by zeros to the right of and below each pixel ("unpooling").

    Args:
      x: [batch, h, w, c].

    Returns:
      [batch, 2h, 2w, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import unpool
      >>> ops.convert_to_numpy(unpool(ops.array([[[[1], [2]]]])))[0, :, :, 0].tolist()
      [[1, 0, 2, 0], [0, 0, 0, 0]]
    """
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h, 1, w, 1, c))
    x = ops.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)))
    return ops.reshape(x, (-1, 2 * h, 2 * w, c))


def upsample_nearest(x: Tensor) -> Tensor:
    """Doubles height and width by repeating each pixel.

    Args:
      x: [batch, h, w, c].

    Returns:
      [batch, 2h, 2w, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import upsample_nearest
      >>> ops.convert_to_numpy(upsample_nearest(ops.array([[[[1], [2]]]])))[0, :, :, 0].tolist()
      [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


def mean_pool(x: Tensor) -> Tensor:
    """Halves height and width by the mean of each 2 x 2 block; odd sides are rounded up.

    Args:
      x: Float tensor [batch, h, w, c].

    Returns:
      [batch, ⌈h/2⌉, ⌈w/2⌉, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import mean_pool
      >>> x = ops.reshape(ops.arange(6, dtype="float32"), (1, 2, 3, 1))
      >>> ops.convert_to_numpy(mean_pool(x))[0, :, :, 0].tolist()
      [[2.0, 3.5]]
    """
    return ops.average_pool(x, 2, strides=2, padding="same")


def convolve(x: Tensor, kernel: Tensor, resample: str, folded: bool) -> Tensor:
    """Computes a SAME convolution of stride 1 together with a resampling.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, c, filters].
      resample: `unpool_then`, `nearest_then` or `then_mean_pool`.
      folded: Whether to use the equal, smaller convolution where there is one.

    Returns:
      [batch, 2h, 2w, filters], or [batch, ⌈h/2⌉, ⌈w/2⌉, filters] for `then_mean_pool`.
    """
    size = kernel.shape[0]
    if folded and size == 1:
        return _pointwise(x, kernel, resample)
    if folded and resample == "unpool_then" and size > 2:
        return _unpool_then(x, kernel)
    if folded and resample == "nearest_then" and size == 3:
        return backend.conv_transpose(x, _flipped(_four_shifts(kernel)), strides=2)
    if folded and resample == "then_mean_pool" and size == 3 and _is_even(x):
        return backend.conv(x, _four_shifts(kernel) * 0.25, strides=2)
    return _plain(x, kernel, resample)


def _is_even(x: Tensor) -> bool:
    return all(side % 2 == 0 for side in x.shape[1:3])


def _plain(x: Tensor, kernel: Tensor, resample: str) -> Tensor:
    if resample == "then_mean_pool":
        return mean_pool(backend.conv(x, kernel))
    x = unpool(x) if resample == "unpool_then" else upsample_nearest(x)
    return backend.conv(x, kernel)


def _pointwise(x: Tensor, kernel: Tensor, resample: str) -> Tensor:
    if resample == "then_mean_pool":
        return backend.conv(mean_pool(x), kernel)
    y = backend.conv(x, kernel)
    return unpool(y) if resample == "unpool_then" else upsample_nearest(y)


def _unpool_then(x: Tensor, kernel: Tensor) -> Tensor:
    # Output pixel p of the transposed convolution sums x[i]·k[p - 2i]; ours sums x[i]·w[2i - p + c]
    # with c = ⌊(size - 1) / 2⌋: the flipped kernel, starting at pixel size - 1 - c = ⌊size / 2⌋.
    return backend.conv_transpose(x, _flipped(kernel), strides=2, start=kernel.shape[0] // 2)


def _flipped(kernel: Tensor) -> Tensor:
    """Returns the kernel with which `conv_transpose` ([k, k, out, in], no flip) equals `conv`."""
    return ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))


def _four_shifts(kernel: Tensor) -> Tensor:
    """Sums the four shifted copies of a 3 x 3 kernel that fit into 4 x 4."""
    pads = ((0, 1), (1, 0))
    copies = [ops.pad(kernel, (i, j, (0, 0), (0, 0))) for i in pads for j in pads]
    return copies[0] + copies[1] + copies[2] + copies[3]
