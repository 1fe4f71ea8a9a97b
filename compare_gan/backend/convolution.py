"""Convolutions, biases and means per channel, in the fastest form on each backend."""

from typing import Any

import keras
from keras import ops

from compare_gan.backend.replicas import on_cpu
from compare_gan.types import Tensor


def conv(x: Tensor, kernel: Tensor, strides: int = 1) -> Tensor:
    """Convolves with SAME padding, in the form that a context of `forms` chooses, or directly.

    A kernel for fewer channels than the input has makes a grouped convolution: the channels and the
    filters form c / d groups of neighbours, and each group of filters sees its group of channels.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, d, filters], where c and filters are multiples of c / d.
      strides: Stride in both directions.

    Returns:
      [batch, ⌈h / strides⌉, ⌈w / strides⌉, filters].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> tuple(backend.conv(ops.ones((2, 8, 8, 3)), ops.ones((3, 3, 3, 4)), strides=2).shape)
      (2, 4, 4, 4)
    """
    is_grouped = x.shape[-1] != kernel.shape[2]
    if keras.backend.backend() == "tensorflow":
        if is_grouped:
            import tensorflow as tf

            # TensorFlow has no gradients of grouped convolutions in float16 on CPUs.
            if on_cpu() and keras.backend.standardize_dtype(x.dtype) == "float16":
                y = conv(ops.cast(x, "float32"), ops.cast(kernel, "float32"), strides)
                return ops.cast(y, x.dtype)
            # Keras hands grouped convolutions to XLA, which on CPUs takes a hundred times as long.
            return tf.nn.conv2d(x, kernel, strides, "SAME")
        from compare_gan.backend import forms

        if form := forms.form_for(x, kernel, strides):
            return form(x, kernel)
    if is_grouped and keras.backend.backend() == "jax":
        import jax

        if jax.default_backend() == "cpu":
            return _grouped_products(x, kernel, strides)
    return ops.conv(x, kernel, strides=strides, padding="same")


def _grouped_products(x: Tensor, kernel: Tensor, strides: int) -> Tensor:
    """A grouped convolution as one batched matrix product over all taps, for XLA on CPUs.

    XLA has no fast gradients of grouped convolutions there: they take up to fifty times as long.
    """
    k, _, d, filters = kernel.shape
    n, h, w, c = x.shape
    sizes = [-(-side // strides) for side in (h, w)]
    left = [
        max((size - 1) * strides + k - side, 0) for size, side in zip(sizes, (h, w), strict=True)
    ]
    x = ops.pad(x, [(0, 0), *((total // 2, total - total // 2) for total in left), (0, 0)])
    spans = [strides * (size - 1) + 1 for size in sizes]
    taps = [
        x[:, i : i + spans[0] : strides, j : j + spans[1] : strides]
        for i in range(k)
        for j in range(k)
    ]
    patches = ops.reshape(ops.stack(taps), (k * k, n, *sizes, c // d, d))
    groups = ops.reshape(kernel, (k * k, d, c // d, filters * d // c))
    y = ops.einsum("tnhwgd,tdgf->nhwgf", patches, groups)
    return ops.reshape(y, (n, *sizes, filters))


def conv_transpose(
    x: Tensor,
    kernel: Tensor,
    strides: int,
    start: int | None = None,
    output_size: tuple[int, int] | None = None,
) -> Tensor:
    """Computes a transposed convolution, in the form that a context of `forms` chooses.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, filters, c].
      strides: Stride in both directions.
      start: Number of rows and columns of the full output that are left out at the top and left;
        None for that of SAME padding.
      output_size: (H, W) that a convolution with SAME padding and these strides maps to (h, w);
        None = (h · strides, w · strides). Not together with `start`.

    Returns:
      [batch, H, W, filters].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x, kernel = ops.ones((2, 4, 4, 3)), ops.ones((4, 4, 5, 3))
      >>> tuple(backend.conv_transpose(x, kernel, strides=2).shape)
      (2, 8, 8, 5)
      >>> tuple(backend.conv_transpose(x, kernel, strides=2, output_size=(7, 7)).shape)
      (2, 7, 7, 5)
    """
    on_tensorflow = keras.backend.backend() == "tensorflow"
    full = strides * x.shape[1], strides * x.shape[2]
    if start is None:
        size = full if output_size is None else output_size
        if on_tensorflow:
            from compare_gan.backend import forms

            if form := forms.form_for(x, kernel, strides, transposed=True):
                return _cropped(form(x, kernel), kernel.shape[0], strides, size)
            if size != full:
                return _part_of_transpose(x, kernel, strides, size, "SAME")
        y = ops.conv_transpose(x, kernel, strides=strides, padding="same")
        return _cropped(y, kernel.shape[0], strides, size)
    if on_tensorflow:
        left = [start, kernel.shape[0] - strides - start]
        return _part_of_transpose(x, kernel, strides, full, [[0, 0], left, left, [0, 0]])
    y = ops.conv_transpose(x, kernel, strides=strides, padding="valid")
    return y[:, start : start + full[0], start : start + full[1]]


def _part_of_transpose(
    x: Tensor, kernel: Tensor, strides: int, size: tuple[int, int], padding: Any
) -> Tensor:
    """A part of a transposed convolution's output, on TensorFlow.

    Not computing what is left out saves a copy, and a slow one for the gradient.
    """
    import tensorflow as tf

    batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    return tf.nn.conv2d_transpose(x, kernel, [batch, *size, kernel.shape[2]], strides, padding)


def _cropped(y: Tensor, k: int, strides: int, size: tuple[int, int]) -> Tensor:
    """The part of the output for SAME padding that a convolution would map to the same image."""
    full = y.shape[1:3]
    if tuple(full) == size:
        return y
    # If the stride does not divide the size, SAME padding puts up to half of the remainder in
    # front, in addition to the padding of the full size: the output starts so much later.
    top, left = (
        max(k - strides + side - wanted, 0) // 2 - max(k - strides, 0) // 2
        for side, wanted in zip(full, size, strict=True)
    )
    return y[:, top : top + size[0], left : left + size[1]]


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Adds `bias` [c] to `x` [..., c], both of the same dtype.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> ops.convert_to_numpy(backend.add_bias(ops.zeros((2, 2)), ops.array([1.0, 2.0]))).tolist()
      [[1.0, 2.0], [1.0, 2.0]]
    """
    # The sum in its gradient is faster than that of a broadcast, but less exact in half precision.
    if (
        keras.backend.backend() == "tensorflow"
        and keras.backend.standardize_dtype(x.dtype) == "float32"
    ):
        import tensorflow as tf

        return tf.nn.bias_add(x, bias)
    return x + bias


def mean_by_channel(x: Tensor) -> Tensor:
    """Returns the mean over all axes but the last: [n, …, c] -> [c].

    Computed first over the pixels of each example, then over examples: on CPUs that is three times
    as fast as over all axes at once, and no less exact.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x = ops.reshape(ops.arange(8, dtype="float32"), (1, 2, 2, 2))
      >>> ops.convert_to_numpy(backend.mean_by_channel(x)).tolist()
      [3.0, 4.0]
    """
    if len(x.shape) > 2:
        x = ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))
    return ops.mean(x, axis=0)
