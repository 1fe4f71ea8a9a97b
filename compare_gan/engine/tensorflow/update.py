"""One update of variables with TensorFlow: a gradient tape under `tf.distribute`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from compare_gan.backend import cross_replica_mean, in_replicas, part_of_batch
from compare_gan.backend.scopes import Scope
from compare_gan.engine.interface import Aux, Update


def update(
    loss_fn: Callable[[], tuple[tf.Tensor, Aux]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    parts: int = 1,
) -> Update[Aux]:
    """Moves variables down the gradient of a loss.

    Runs inside `strategy.run`: the gradients are averaged over the replicas.

    Args:
      loss_fn: Returns the loss of this replica's part of the batch, a mean over its examples, and
        anything else that the caller wants back.
      variables: The variables to train.
      optimizer: A built Keras optimizer; a `LossScaleOptimizer` skips updates that overflow.
      parts: Number of parts of this replica's batch. With several, `loss_fn` is called once for
        each, in `backend.part_of_batch`; the update follows the mean of the parts' gradients.
        Losses, second values and floats that `loss_fn` assigns to variables (moving averages) are
        means over the parts too; of integers the last one counts. Each part starts from the values
        that the variables had before.

    Returns:
      The loss, the second value of `loss_fn`, and the norm of the gradients.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> weight = keras.Variable(3.0)
      >>> sgd = keras.optimizers.SGD(0.1)
      >>> done = engine.update(lambda: (weight.value**2, "note"), [weight], sgd)
      >>> float(done.loss), done.aux, float(done.gradient_norm), round(float(weight), 4)
      (9.0, 'note', 6.0, 2.4)
    """
    tensors = [variable.value for variable in variables]
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync

    def value_and_gradients() -> tuple[tf.Tensor, Aux, list]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            loss, aux = loss_fn()
            # Keras sums gradients over the replicas; each replica's loss is a mean over its part.
            scaled = optimizer.scale_loss(loss / replicas)
        return loss, aux, tape.gradient(scaled, tensors)

    if parts == 1:
        loss, aux, gradients = value_and_gradients()
    else:
        loss, aux, gradients = _mean_over_parts(value_and_gradients, parts)
    scale = _loss_scale(optimizer)
    if scale is not None:
        gradients = _agreed(gradients)
    optimizer.apply(gradients, variables)
    return Update(loss, aux, _unscaled_norm(gradients, scale) * replicas, scale)


def _mean_over_parts(
    function: Callable[[], tuple[tf.Tensor, Aux, list]], parts: int
) -> tuple[tf.Tensor, Aux, list]:
    """The means of a function's results over the parts of the batch; see `update`."""
    total: Any = None
    assigned: list[keras.Variable] = []
    for index in range(parts):
        done = (
            [] if total is None else [each for each in tf.nest.flatten(total) if each is not None]
        )
        # One after the other: otherwise the activations of several parts would be in memory.
        with tf.control_dependencies(done), part_of_batch(index, parts), Scope() as scope:
            results = function()
            assigned = scope.assigned
            values = [tf.convert_to_tensor(scope.get_current_value(v)) for v in assigned]
            new = tf.nest.map_structure(_dense, (results, values))
            total = new if total is None else tf.nest.map_structure(_added, total, new)
    results, values = tf.nest.map_structure(lambda each: _divided(each, parts), total)
    for variable, value in zip(assigned, values, strict=True):
        variable.assign(value)
    return results


def _dense(value: Any) -> Any:
    return None if value is None else tf.convert_to_tensor(value)


def _added(total: Any, new: Any) -> Any:
    if new is None or new.dtype.is_integer:
        return new
    return total + new


def _divided(total: Any, parts: int) -> Any:
    return total if total is None or total.dtype.is_integer else total / parts


def _loss_scale(optimizer: keras.optimizers.Optimizer) -> tf.Tensor | None:
    """The factor of the optimizer's next loss; None without one."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale.value)
    return None


def _agreed(gradients: list) -> list:
    """Gradients that are finite on all replicas or on none, as Keras's loss scale requires."""
    if not in_replicas():
        return gradients
    [share] = cross_replica_mean([tf.cast(_all_finite(gradients), tf.float32)])
    return [None if g is None else tf.where(share == 1.0, g, float("nan")) for g in gradients]


def _unscaled_norm(gradients: list, scale: tf.Tensor | None) -> tf.Tensor:
    """The norm of all gradients together, not finite only where training has diverged.

    An overflow that a smaller loss scale may avoid is no divergence: that update is skipped, and
    the norm is 0. At a scale of 1 or less the gradients themselves are not finite.
    """
    norm = tf.linalg.global_norm([g for g in gradients if g is not None])
    if scale is None:
        return norm
    skipped = tf.logical_and(tf.logical_not(_all_finite(gradients)), scale > 1.0)
    return tf.where(skipped, 0.0, norm / scale)


def _all_finite(gradients: list) -> tf.Tensor:
    finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]
    return tf.reduce_all(tf.stack(finite))
