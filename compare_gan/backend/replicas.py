"""Replicas that share a batch, the device, and computations that are skipped."""

import contextvars
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
    _refuse_in_conditional()
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.MEAN, list(values)))


def gathered(x: Tensor) -> Tensor:
    """Returns the rows of all replicas, or the tensor if there is one replica.

    For losses that compare the examples of a batch: each of the R replicas computes the loss of all
    rows. Gradients flow back to the replica of a row, from the losses of all replicas, so that the
    mean of the replicas' gradients is that of one replica with all rows.

    Args:
      x: Tensor [b, …] of this replica, b static and equal on all of them.

    Returns:
      Tensor [R * b, …], replica by replica.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> tuple(backend.gathered(ops.ones((4, 3))).shape)
      (4, 3)
    """
    if keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    if not in_replicas():
        return x
    _refuse_in_conditional()
    context = tf.distribute.get_replica_context()
    rows = context.all_gather(x, axis=0)
    return tf.ensure_shape(rows, [context.num_replicas_in_sync * x.shape[0], *x.shape[1:]])


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


def _refuse_in_conditional() -> None:
    """Raises UserError inside a conditional, where replicas must not communicate."""
    if part := _conditional_part.get():
        raise UserError(
            f"{part}.interval must be 1 on several replicas here: the term averages over replicas, "
            "itself or by the discriminator's batch norm, which only works in every step."
        )
