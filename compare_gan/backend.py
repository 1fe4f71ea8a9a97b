"""The few operations that `keras.ops` lacks, for each Keras backend.

The only module below `gans` that imports a backend, and only when one of its functions is called.
"""

import contextvars
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.errors import UserError
from compare_gan.types import Tensor

# Part that is being computed inside a conditional, where replicas must not communicate, or None.
_conditional_part: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "conditional_part", default=None
)


def gradient(fn: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Returns the gradient of `sum(fn(x))` with respect to `x`, which is differentiable itself.

    Args:
      fn: Function from a tensor like `x` to a tensor of any shape.
      x: Float tensor.

    Returns:
      Tensor with the shape of `x`; zeros if `fn` ignores `x`. If `fn` treats examples independently
      (a discriminator without batch norm), row i is the gradient of the output for example i.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x = ops.array([1.0, 2.0])
      >>> ops.convert_to_numpy(backend.gradient(lambda x: x**3, x)).tolist()
      [3.0, 12.0]
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


def cross_replica_mean(values: Sequence[Tensor]) -> list[Tensor]:
    """Returns the mean over all replicas of each tensor, or the tensors if there is one replica.

    Args:
      values: Tensors of this replica.

    Example:
      >>> from compare_gan import backend
      >>> backend.cross_replica_mean([1.0, 2.0])
      [1.0, 2.0]
    """
    if keras.backend.backend() != "tensorflow":
        return list(values)
    import tensorflow as tf

    if not in_replicas():
        return list(values)
    if part := _conditional_part.get():
        raise UserError(
            f"{part}.interval must be 1 on several replicas here: the term averages over replicas, "
            "itself or by the discriminator's batch norm, which only works in every step."
        )
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.MEAN, list(values)))


def num_replicas() -> int:
    """Returns the number of replicas of the current `tf.distribute` strategy; 1 without any.

    Example:
      >>> from compare_gan import backend
      >>> backend.num_replicas()
      1
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def in_replicas() -> bool:
    """Whether this runs inside `strategy.run` of a strategy with more than one replica.

    Example:
      >>> from compare_gan import backend
      >>> backend.in_replicas()
      False
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def batch_uniform(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws uniform numbers in [0, 1) for a batch, the same for any number of replicas.

    Draws for the whole global batch and returns the rows of this replica, so that a run on 1, 2 or
    8 replicas, compiled by XLA or not, sees the same numbers.

    Args:
      shape: Static shape of this replica's draws; the first axis is the batch.
      seed: Two integers (tensor or sequence) that determine the draws.

    Returns:
      float32 tensor of shape `shape`.

    Example:
      >>> from compare_gan import backend
      >>> draws = backend.batch_uniform((2, 3), seed=(0, 7))
      >>> tuple(draws.shape), bool((draws == backend.batch_uniform((2, 3), seed=(0, 7)))[0, 0])
      ((2, 3), True)
    """
    if keras.backend.backend() == "jax":
        import jax

        first, second = ops.convert_to_tensor(seed)
        return jax.random.uniform(jax.random.fold_in(jax.random.key(first), second), shape)
    if keras.backend.backend() != "tensorflow":
        first, second = (int(part) for part in ops.convert_to_numpy(ops.convert_to_tensor(seed)))
        # Combines the two such that (1, 2) and (2, 1) differ; the factor is 2^32 / φ.
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


def batch_normal(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws standard normal numbers for a batch, computed from those of `batch_uniform`.

    Args:
      shape: Static shape of this replica's draws; the first axis is the batch.
      seed: Two integers (tensor or sequence) that determine the draws.

    Returns:
      float32 tensor of shape `shape`.

    Example:
      >>> from compare_gan import backend
      >>> tuple(backend.batch_normal((2, 3), seed=(0, 7)).shape)
      (2, 3)
    """
    # Uniform draws are multiples of 2**-23; adding half of that avoids 0, which maps to infinity.
    centred = batch_uniform(shape, seed) + 2.0**-24
    return math.sqrt(2.0) * ops.erfinv(2.0 * centred - 1.0)


def computed_when(
    due: Any, compute: Callable[[], Tensor], variables: Sequence[keras.Variable], part: str
) -> Tensor:
    """Returns `compute()` if `due` is true, else zero, without the cost of computing it.

    Of the updates of variables in `compute`, only those of `variables` take effect; they happen
    outside of the conditional, where replicas may communicate.

    Args:
      due: Whether to compute: a boolean or a boolean scalar tensor, equal on all replicas.
      compute: Function that returns a float32 scalar.
      variables: Variables that `compute` may update.
      part: Gin name of the part that this computes, for error messages.

    Returns:
      A float32 scalar, differentiable.

    Raises:
      UserError: `compute` averages over replicas.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> [
      ...     float(backend.computed_when(due, lambda: ops.ones(()), variables=[], part="r1"))
      ...     for due in (True, False)
      ... ]
      [1.0, 0.0]
    """

    def isolated() -> tuple[Any, list[Any]]:
        token = _conditional_part.set(part)
        try:
            with keras.StatelessScope() as scope:
                if scope.original_scope is not None:
                    scope.state_mapping.update(scope.original_scope.state_mapping)
                value = compute()
                return value, [ops.convert_to_tensor(v.value) for v in variables]
        finally:
            _conditional_part.reset(token)

    def skipped() -> tuple[Any, list[Any]]:
        return ops.zeros(()), [ops.convert_to_tensor(v.value) for v in variables]

    if isinstance(due, bool):
        value, updates = isolated() if due else skipped()
    else:
        value, updates = ops.cond(due, isolated, skipped)
    for variable, update in zip(variables, updates, strict=True):
        variable.assign(ops.stop_gradient(update))
    return value


def conv(x: Tensor, kernel: Tensor, strides: int = 1) -> Tensor:
    """Convolves with SAME padding, by Winograd's algorithm where it is enabled and worthwhile.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, c, filters].
      strides: Stride in both directions.

    Returns:
      [batch, ⌈h / strides⌉, ⌈w / strides⌉, filters].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> tuple(backend.conv(ops.ones((2, 8, 8, 3)), ops.ones((3, 3, 3, 4)), strides=2).shape)
      (2, 4, 4, 4)
    """
    if keras.backend.backend() == "tensorflow":
        from compare_gan import winograd

        if scheme := winograd.scheme_for(x, kernel, strides):
            return scheme.convolve(x, kernel)
    return ops.conv(x, kernel, strides=strides, padding="same")


def conv_transpose(x: Tensor, kernel: Tensor, strides: int, start: int | None = None) -> Tensor:
    """Computes a transposed convolution, by Winograd's algorithm where enabled and worthwhile.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, filters, c].
      strides: Stride in both directions.
      start: Number of rows and columns of the full output that are left out at the top and left;
        None for that of SAME padding.

    Returns:
      [batch, h · strides, w · strides, filters].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x, kernel = ops.ones((2, 4, 4, 3)), ops.ones((4, 4, 5, 3))
      >>> tuple(backend.conv_transpose(x, kernel, strides=2).shape)
      (2, 8, 8, 5)
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

        # Not computing what is left out saves a copy, and another one for the gradient.
        left = [start, kernel.shape[0] - strides - start]
        batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
        return tf.nn.conv2d_transpose(
            x, kernel, [batch, h, w, kernel.shape[2]], strides, [[0, 0], left, left, [0, 0]]
        )
    y = ops.conv_transpose(x, kernel, strides=strides, padding="valid")
    return y[:, start : start + h, start : start + w]


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


def on_cpu() -> bool:
    """Whether TensorFlow is the Keras backend and has no accelerator.

    Example:
      >>> from compare_gan import backend
      >>> backend.on_cpu() in (True, False)
      True
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return all(device.device_type == "CPU" for device in tf.config.list_logical_devices())


def _stateless_uniform(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws the numbers in [0, 1) that TensorFlow draws on CPU, on every device.

    `tf.random.stateless_uniform` makes floats of the low bits of its integers, XLA of the high
    bits.
    """
    import tensorflow as tf

    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    low = tf.bitwise.bitwise_and(bits, tf.constant(2**23 - 1, tf.uint32))
    return tf.cast(low, tf.float32) * 2.0**-23
