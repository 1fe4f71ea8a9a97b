"""One update of variables with JAX: a gradient in Keras's stateless scope."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from compare_gan.backend import part_of_batch
from compare_gan.backend.scopes import Scope
from compare_gan.engine.interface import Aux, Update
from compare_gan.types import Tensor


def update(
    loss_fn: Callable[[], tuple[Tensor, Aux]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    parts: int = 1,
) -> Update[Aux]:
    """Moves variables down the gradient of a loss.

    Sees the whole batch: under `jax.jit` JAX divides the work among the devices.

    Args:
      loss_fn: Returns the loss, a mean over the examples of the batch, and anything else that the
        caller wants back: tensors, in dicts, lists or tuples.
      variables: The variables to train.
      optimizer: A built Keras optimizer; a `LossScaleOptimizer` skips updates that overflow.
      parts: Number of parts of the batch, see `engine.tensorflow.update`.

    Returns:
      The loss, the second value of `loss_fn`, and the norm of the gradients.
    """
    scale = None
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = optimizer.dynamic_scale.value
    assigned: list[keras.Variable] = []  # By the loss: moving averages, vectors of spectral norm.

    def scaled_loss(values: list[Any]) -> tuple[Any, Any]:
        with Scope(zip(variables, values, strict=True)) as scope:
            loss, aux = loss_fn()
        assigned[:] = scope.assigned
        updates = [scope.get_current_value(variable) for variable in assigned]
        return loss if scale is None else loss * scale, (loss, aux, updates)

    def value_and_gradients(values: list[Any]) -> Any:
        (_, results), gradients = jax.value_and_grad(scaled_loss, has_aux=True)(values)
        return results, gradients

    values = [variable.value for variable in variables]
    if parts == 1:
        (loss, aux, updates), gradients = value_and_gradients(values)
    else:
        (loss, aux, updates), gradients = _mean_over_parts(value_and_gradients, values, parts)
    for variable, value in zip(assigned, updates, strict=True):
        variable.assign(value)
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g.astype("float32"))) for g in gradients))
    if scale is None:
        optimizer.apply(gradients, variables)
    else:
        finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(g)) for g in gradients]))
        _apply_if(finite, optimizer, [g / scale for g in gradients], variables)
        # An overflow that a smaller loss scale may avoid is no divergence: that update is skipped.
        norm = jnp.where(~finite & (scale > 1.0), 0.0, norm / scale)
    return Update(loss, aux, norm, scale)


def _mean_over_parts(function: Callable[[list[Any]], Any], values: list[Any], parts: int) -> Any:
    """The means of a function's results over the parts of the batch, of integers the last result.

    Args:
      function: Function of the values of variables, called in `part_of_batch`.
      values: Those values.
      parts: Number of parts.
    """

    def of_part(index: Any, values: list[Any]) -> Any:
        with part_of_batch(index, parts):
            return function(values)

    def added(total: Any, new: Any) -> Any:
        return new if jnp.issubdtype(new.dtype, jnp.integer) else total + new

    if _loops_over_parts():
        shapes = jax.eval_shape(of_part, jnp.array(0), values)
        total = jax.tree.map(lambda each: jnp.zeros(each.shape, each.dtype), shapes)
        total, _ = jax.lax.scan(
            lambda total, index: (jax.tree.map(added, total, of_part(index, values)), None),
            total,
            jnp.arange(parts),
        )
    else:
        total = of_part(0, values)
        for index in range(1, parts):
            # One after the other: otherwise XLA might hold the activations of several parts.
            total, values = jax.lax.optimization_barrier((total, values))
            total = jax.tree.map(added, total, of_part(index, values))
    return jax.tree.map(
        lambda each: each if jnp.issubdtype(each.dtype, jnp.integer) else each / parts, total
    )


def _loops_over_parts() -> bool:
    """Whether one part is compiled and repeated, instead of a longer program for all parts.

    XLA's convolutions on CPUs are up to 100 times as slow within a loop.
    """
    return jax.default_backend() != "cpu"


def _apply_if(
    finite: jax.Array,
    optimizer: keras.optimizers.LossScaleOptimizer,
    gradients: list[jax.Array],
    variables: Sequence[keras.Variable],
) -> None:
    """Applies gradients if they are finite, and adapts the loss scale as Keras does.

    Keras's own conditional does not see the values of variables that its optimizer does not own,
    such as the step that a schedule of Adam's betas follows.
    """
    with Scope() as scope:
        optimizer.inner_optimizer.apply(gradients, variables)
    for variable in scope.assigned:
        moved = scope.get_current_value(variable)
        variable.assign(jnp.where(finite, moved, variable.value))
    count, scale = optimizer.step_counter.value, optimizer.dynamic_scale.value
    grows = finite & (count == optimizer.dynamic_growth_steps - 1)
    optimizer.step_counter.assign(jnp.where(finite & ~grows, count + 1, 0))
    factor = jnp.where(grows, 2.0, jnp.where(finite, 1.0, 0.5))
    optimizer.dynamic_scale.assign(scale * factor)
