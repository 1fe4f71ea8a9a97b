"""Resampling by two, alone and folded into the convolution beside it.

A convolution next to a resampling by a factor of two does most of its multiplications on zeros or
on copies of the same pixel. Each pair has an equal convolution without those:

- zero insertion, then k x k           = stride-2 transposed convolution with the flipped kernel
- nearest neighbour, then 3 x 3        = stride-2 transposed 4 x 4 convolution, kernels summed
- 3 x 3, then 2 x 2 mean               = stride-2 4 x 4 convolution, kernels averaged
- 1 x 1 with any of them               = the 1 x 1 on the smaller side

The weights stay those of the plain definition; results are equal to rounding.
"""

from keras import ops

RESAMPLINGS = ("unpool_then", "nearest_then", "then_mean_pool")


def unpool(x):
    """Twice the height and width, each pixel at the top left of three zeros ("unpooling")."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h, 1, w, 1, c))
    x = ops.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)))
    return ops.reshape(x, (-1, 2 * h, 2 * w, c))


def upsample_nearest(x):
    """Twice the height and width, each pixel four times."""
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)


def mean_pool(x):
    """Half the height and width, the mean of each 2 x 2 block."""
    return ops.average_pool(x, 2, strides=2, padding="valid")


def convolve(x, kernel, resample: str, folded: bool):
    """A stride-1 SAME convolution together with a resampling.

    Args:
      x: [batch, h, w, c]; even h and w for `then_mean_pool`.
      kernel: [k, k, c, filters], k odd.
      resample: `unpool_then`, `nearest_then` or `then_mean_pool`.
      folded: Use the equal, smaller convolution where there is one.

    Returns:
      [batch, 2h, 2w, filters], or [batch, h/2, w/2, filters] for `then_mean_pool`.
    """
    if not folded:
        return _plain(x, kernel, resample)
    size = kernel.shape[0]
    if resample == "unpool_then":
        return _unpool_then(x, kernel)
    if size == 1:
        if resample == "nearest_then":
            return upsample_nearest(ops.conv(x, kernel, padding="same"))
        return ops.conv(mean_pool(x), kernel, padding="same")
    if size != 3:
        return _plain(x, kernel, resample)
    wide = _four_shifts(kernel)
    if resample == "nearest_then":
        # conv_transpose wants [k, k, out, in] and does not flip.
        flipped = ops.transpose(ops.flip(wide, axis=(0, 1)), (0, 1, 3, 2))
        return ops.conv_transpose(x, flipped, strides=2, padding="same")
    return ops.conv(x, wide * 0.25, strides=2, padding="same")


def _plain(x, kernel, resample):
    if resample == "then_mean_pool":
        return mean_pool(ops.conv(x, kernel, padding="same"))
    x = unpool(x) if resample == "unpool_then" else upsample_nearest(x)
    return ops.conv(x, kernel, padding="same")


def _unpool_then(x, kernel):
    size = kernel.shape[0]
    if size == 1:
        return unpool(ops.conv(x, kernel, padding="same"))
    # The transposed convolution's output pixel p takes x[i]·k[p - 2i]; ours takes x[i]·w[2i - p +
    # c] with c = (size - 1) / 2: the flipped kernel, cropped c pixels in.
    flipped = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
    y = ops.conv_transpose(x, flipped, strides=2, padding="valid")
    centre = (size - 1) // 2
    h, w = 2 * x.shape[1], 2 * x.shape[2]
    return y[:, centre : centre + h, centre : centre + w]


def _four_shifts(kernel):
    """The sum of the four copies of a 3 x 3 kernel that fit into 4 x 4."""
    pads = ((0, 1), (1, 0))
    copies = [ops.pad(kernel, (i, j, (0, 0), (0, 0))) for i in pads for j in pads]
    return copies[0] + copies[1] + copies[2] + copies[3]
