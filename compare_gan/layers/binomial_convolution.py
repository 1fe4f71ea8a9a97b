"""Convolutions next to a resampling with the binomial filter [1, 3, 3, 1], as in StyleGAN2.

Between a 3 x 3 convolution and a resampling the filter has one place: behind the convolution of the
image with zeros inserted (`up`), or before the convolution of stride 2 (`down`).
"""

from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, unknown_name
from compare_gan.layers.binomial_resampling import downsample_binomial, upsample_binomial
from compare_gan.types import Tensor

_RESAMPLINGS = ("up", "down")


def check_binomial(kernel_size: int, resample: str | None) -> None:
    """Raises UserError unless `convolve_binomial` can compute this."""
    if resample is None:
        return
    if resample not in _RESAMPLINGS:
        raise unknown_name("resample", resample, _RESAMPLINGS)
    if kernel_size not in (1, 3):
        raise UserError(
            f"A convolution with resample='{resample}' needs a kernel_size of 1 or 3, received "
            f"{kernel_size!r}."
        )


def convolve_binomial(x: Tensor, kernel: Tensor, resample: str | None) -> Tensor:
    """Computes a SAME convolution of stride 1 together with a resampling.

    Args:
      x: Float tensor [batch, h, w, c].
      kernel: [k, k, c, filters], where k is 1 or 3 if there is a resampling. `up` uses it turned by
        180 degrees, as the published networks do.
      resample: `up` (twice the size), `down` (half the size, for even sizes) or None.

    Returns:
      [batch, 2h, 2w, filters], [batch, h / 2, w / 2, filters] or [batch, h, w, filters].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers.binomial_convolution import convolve_binomial
      >>> x, kernel = ops.ones((2, 8, 8, 3)), ops.ones((3, 3, 3, 4))
      >>> [tuple(convolve_binomial(x, kernel, resample).shape) for resample in ("up", "down")]
      [(2, 16, 16, 4), (2, 4, 4, 4)]
    """
    if resample is None:
        return backend.conv(x, kernel)
    if kernel.shape[0] == 1:  # It commutes with the filter, and is cheaper on the smaller side.
        if resample == "up":
            return upsample_binomial(backend.conv(x, kernel))
        return backend.conv(downsample_binomial(x), kernel)
    # The filter's factors, 4 · 8⁻² and 8⁻², are cheapest on the kernel.
    if resample == "up":
        turned = ops.transpose(kernel * (4 / 64), (0, 1, 3, 2))
        y = ops.conv_transpose(x, turned, strides=2, padding="valid")
        return backend.binomial_filter(y, padding=1)
    y = backend.binomial_filter(x, padding=2)
    return ops.conv(y, kernel * (1 / 64), strides=2, padding="valid")
