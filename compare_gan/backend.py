"""The few operations that `keras.ops` lacks, for each Keras backend.

The only module below `gans` that imports a backend, and it does so when a function is called.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops


def gradient(fn: Callable, x):
    """The gradient of `sum(fn(x))` with respect to `x`, differentiable once more.

    Args:
      fn: From a tensor like `x` to a tensor of any shape.
      x: Float tensor.

    Returns:
      A tensor of the shape of `x`; zeros where `fn` ignores `x`. For a `fn` that treats examples
      independently (a discriminator without batch norm) row i is the gradient of example i's
      output.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fn(x)
        return tape.gradient(y, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    if name == "jax":
        import jax

        return jax.grad(lambda v: ops.sum(fn(v)))(x)
    if name == "torch":
        import torch

        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            y = fn(x).sum()
            if not y.requires_grad:
                return torch.zeros_like(x)
            return torch.autograd.grad(
                y, x, create_graph=True, allow_unused=True, materialize_grads=True
            )[0]
    raise NotImplementedError(f"No gradient for the Keras backend '{name}'.")


def cross_replica_mean(values: Sequence) -> list:
    """The mean over all replicas of each tensor, inside `strategy.run`; elsewhere, as given."""
    if keras.backend.backend() != "tensorflow":
        return list(values)
    import tensorflow as tf

    if not in_replicas():
        return list(values)
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.MEAN, list(values)))


def num_replicas() -> int:
    """The number of replicas of the strategy in whose scope, or in whose replica, this runs."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def in_replicas() -> bool:
    """Whether this runs inside `strategy.run` of a strategy with more than one replica."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def batch_uniform(shape: Sequence[int], seed):
    """Uniform draws in [0, 1) for a batch, the same numbers on any number of replicas.

    Draws for the whole global batch and takes the rows of this replica, so that a run on 1, 2 or
    8 replicas, compiled by XLA or not, sees the same numbers.

    Args:
      shape: Static shape of this replica's draws, batch first.
      seed: Two integers (tensor or sequence) from which the draws follow.

    Returns:
      float32 tensor of `shape`.
    """
    if keras.backend.backend() == "jax":
        import jax

        first, second = ops.convert_to_tensor(seed)
        return jax.random.uniform(jax.random.fold_in(jax.random.key(first), second), shape)
    if keras.backend.backend() != "tensorflow":
        first, second = (int(part) for part in ops.convert_to_numpy(ops.convert_to_tensor(seed)))
        # One integer of the two, such that (1, 2) and (2, 1) differ; the factor is 2^32 / φ.
        return keras.random.uniform(shape, seed=(first * 2654435769 + second) % 2**31)
    import tensorflow as tf

    if not in_replicas():
        return _stateless_uniform(shape, seed)
    context = tf.distribute.get_replica_context()
    replicas, rows = context.num_replicas_in_sync, shape[0]
    draws = _stateless_uniform([replicas * rows, *shape[1:]], seed)
    # On every strategy the id is a tensor or an int; the slice is static in size.
    start = context.replica_id_in_sync_group * rows
    return tf.slice(draws, [start] + [0] * (len(shape) - 1), shape)


def conv(x, kernel, strides: int = 1):
    """Convolution with SAME padding, by Winograd's algorithm where that is enabled and worth it.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, c, filters].
      strides: Stride in both directions.

    Returns:
      [batch, ⌈h / strides⌉, ⌈w / strides⌉, filters].
    """
    if keras.backend.backend() == "tensorflow":
        from compare_gan import winograd

        if scheme := winograd.scheme_for(x, kernel, strides):
            return scheme.convolve(x, kernel)
    return ops.conv(x, kernel, strides=strides, padding="same")


def conv_transpose(x, kernel, strides: int, start: int | None = None):
    """Transposed convolution, by Winograd's algorithm where that is enabled and worth it.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, filters, c].
      strides: Stride in both directions.
      start: Rows and columns left out at the top and left of the full result; None = as SAME
        padding does.

    Returns:
      [batch, h · strides, w · strides, filters].
    """
    on_tensorflow = keras.backend.backend() == "tensorflow"
    if start is None:
        if on_tensorflow:
            from compare_gan import winograd

            if scheme := winograd.scheme_for(x, kernel, strides, True):
                return scheme.transpose(x, kernel)
        return ops.conv_transpose(x, kernel, strides=strides, padding="same")
    h, w = strides * x.shape[1], strides * x.shape[2]
    if on_tensorflow:
        import tensorflow as tf

        # Never computing what is left out saves a copy, and another for the gradient.
        left = [start, kernel.shape[0] - strides - start]
        batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
        return tf.nn.conv2d_transpose(
            x, kernel, [batch, h, w, kernel.shape[2]], strides, [[0, 0], left, left, [0, 0]]
        )
    y = ops.conv_transpose(x, kernel, strides=strides, padding="valid")
    return y[:, start : start + h, start : start + w]


def add_bias(x, bias):
    """`x` [..., c] plus `bias` [c], of the same dtype."""
    # Its gradient's sum is faster than that of a broadcast, but in half precision less exact.
    if (
        keras.backend.backend() == "tensorflow"
        and keras.backend.standardize_dtype(x.dtype) == "float32"
    ):
        import tensorflow as tf

        return tf.nn.bias_add(x, bias)
    return x + bias


def mean_by_channel(x):
    """The mean over all axes but the last: [n, …, c] -> [c].

    First over the pixels of each example, then over examples: on CPUs that is three times as fast
    as over all at once, and no less exact.
    """
    if len(x.shape) > 2:
        x = ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))
    return ops.mean(x, axis=0)


def on_cpu() -> bool:
    """Whether TensorFlow is the backend and sees no accelerator."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return all(device.device_type == "CPU" for device in tf.config.list_logical_devices())


def _stateless_uniform(shape, seed):
    """TensorFlow's draws in [0, 1) on CPU, on every device.

    `tf.random.stateless_uniform` makes floats of the low bits of its integers, XLA of the high.
    """
    import tensorflow as tf

    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    low = tf.bitwise.bitwise_and(bits, tf.constant(2**23 - 1, tf.uint32))
    return tf.cast(low, tf.float32) * 2.0**-23
