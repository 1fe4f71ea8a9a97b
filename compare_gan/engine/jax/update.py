"""One update of variables with JAX: a gradient in Keras's stateless scope."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from compare_gan.engine.interface import Aux, Update
from compare_gan.types import Tensor


def update(
    loss_fn: Callable[[], tuple[Tensor, Aux]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
) -> Update[Aux]:
    """Moves variables down the gradient of a loss.

    Sees the whole batch: under `jax.jit` JAX divides the work among the devices.

    Args:
      loss_fn: Returns the loss, a mean over the examples of the batch, and anything else that the
        caller wants back: tensors, in dicts, lists or tuples.
      variables: The variables to train.
      optimizer: A built Keras optimizer; a `LossScaleOptimizer` skips updates that overflow.

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

    values = [variable.value for variable in variables]
    (_, (loss, aux, updates)), gradients = jax.value_and_grad(scaled_loss, has_aux=True)(values)
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


class Scope(keras.StatelessScope):
    """A stateless scope with the values of the one around it, which it leaves as they are.

    Args:
      values: Pairs of a variable and its value inside.
    """

    def __init__(self, values: Any = ()):
        super().__init__(values)
        self.state_mapping: dict[int, Any]
        self._assigned: dict[int, keras.Variable] = {}

    @property
    def assigned(self) -> list[keras.Variable]:
        """The variables that were assigned inside, in the order of their first assignment."""
        return list(self._assigned.values())

    def __enter__(self) -> "Scope":
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        self._assigned[id(update[0])] = update[0]
        super().add_update(update)
