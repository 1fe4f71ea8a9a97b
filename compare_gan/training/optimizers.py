"""Optimizers under their names in configs (`@tf.train.AdamOptimizer`).

Each takes the learning rate first and the parameters of its TensorFlow 1 namesake, and returns a
Keras optimizer. Keras's Adam updates as TensorFlow 1's did: epsilon is added to sqrt(v) after the
bias correction is part of the learning rate.
"""

from collections.abc import Callable
from typing import Any

import keras

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_decay, check_range
from compare_gan.schedules import Scheduled, is_schedule, value_at
from compare_gan.schedules import check_decay as check_scheduled_decay
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.types import Tensor

_DECAYS = ("beta1", "beta2", "decay", "momentum", "rho")


def make_optimizers(
    options: OptimizationOptions,
) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
    """The optimizers of the generator and the discriminator, not built.

    A learning rate that follows a schedule has its first value.

    Raises:
      UserError: The name of an optimizer is unknown, or gin binds a value out of range.
    """
    g_fn = options.g_optimizer_fn or "AdamOptimizer"
    d_fn = options.d_optimizer_fn or g_fn
    g_lr, d_lr = (
        float(value_at(rate, 0)) if is_schedule(rate) else rate
        for rate in (options.g_lr, options.discriminator_lr)
    )
    return registry.get("optimizer", g_fn)(g_lr), registry.get("optimizer", d_fn)(d_lr)


def _register(name: str, paper: str = "") -> Callable[[Any], Any]:
    return registry.register(
        "optimizer", name, gin_module="tf.train", aliases=(f"tf.train.{name}",), paper=paper
    )


def _check(optimizer: str, **values: Any) -> None:
    for name, value in values.items():
        check = check_decay if name in _DECAYS else check_range
        check(f"tf.train.{optimizer}.{name}", value)


@_register("AdamOptimizer", paper="https://arxiv.org/abs/1412.6980")
def adam(
    learning_rate: float = 0.001,
    beta1: Scheduled = 0.9,
    beta2: Scheduled = 0.999,
    epsilon: float = 1e-8,
) -> keras.optimizers.Optimizer:
    """Adam: momentum and a per-weight step size from the gradients' moments.

    `beta1` and `beta2` may be schedules; the bias is corrected with their current values.
    """
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        check_scheduled_decay(f"tf.train.AdamOptimizer.{name}", beta)
    _check("AdamOptimizer", epsilon=epsilon)
    return FusedAdam(learning_rate, beta_1=beta1, beta_2=beta2, epsilon=epsilon)


class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, on TensorFlow with one operation for each variable in place of some twenty.

    Attributes:
      training_step: Function that returns the number of finished generator steps, for betas that
        follow a schedule; by default the number of updates.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.training_step = lambda: self.iterations.value
        # Those of the running `apply`, by dtype.
        self._factors: dict[Any, backend.AdamFactors] | None = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        self._factors = {}
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._factors = None

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        index = self._get_variable_index(variable)
        # Once for all variables: for each of them it would be ten more operations.
        factors = {} if self._factors is None else self._factors
        if variable.dtype not in factors:
            factors[variable.dtype] = self._factors_of(learning_rate, variable.dtype)
        backend.apply_adam(
            variable,
            self._momentums[index],
            self._velocities[index],
            gradient,
            factors[variable.dtype],
            self.epsilon,
        )

    def _factors_of(self, learning_rate: Tensor, dtype: Any) -> backend.AdamFactors:
        now = self.training_step() if is_schedule(self.beta_1) or is_schedule(self.beta_2) else 0
        betas = value_at(self.beta_1, now), value_at(self.beta_2, now)
        return backend.AdamFactors.of(self.iterations + 1, learning_rate, *betas, dtype)


@_register("GradientDescentOptimizer")
def gradient_descent(learning_rate: float = 0.01) -> keras.optimizers.Optimizer:
    """Plain gradient descent."""
    return keras.optimizers.SGD(learning_rate)


@_register("MomentumOptimizer")
def momentum(
    learning_rate: float = 0.01, momentum: float = 0.9, use_nesterov: bool = False
) -> keras.optimizers.Optimizer:
    """Gradient descent with momentum, optionally Nesterov's."""
    _check("MomentumOptimizer", momentum=momentum)
    return keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=use_nesterov)


@_register("RMSPropOptimizer")
def rmsprop(
    learning_rate: float = 0.001,
    decay: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-10,
    centered: bool = False,
) -> keras.optimizers.Optimizer:
    """RMSProp; as in TensorFlow 1 its mean square starts at 1, for small first steps."""
    _check("RMSPropOptimizer", decay=decay, momentum=momentum, epsilon=epsilon)
    return _RMSProp(learning_rate, rho=decay, momentum=momentum, epsilon=epsilon, centered=centered)


class _RMSProp(keras.optimizers.RMSprop):
    def build(self, variables: list[keras.Variable]) -> None:
        first = not self.built
        super().build(variables)
        if first:
            for mean_square in self._velocities:
                mean_square.assign(keras.ops.ones(mean_square.shape, mean_square.dtype))


@_register("AdagradOptimizer", paper="https://jmlr.org/papers/v12/duchi11a.html")
def adagrad(
    learning_rate: float = 0.01, initial_accumulator_value: float = 0.1
) -> keras.optimizers.Optimizer:
    """Adagrad: the step size shrinks with the sum of squared gradients."""
    _check("AdagradOptimizer", initial_accumulator_value=initial_accumulator_value)
    return keras.optimizers.Adagrad(
        learning_rate, initial_accumulator_value=initial_accumulator_value, epsilon=0.0
    )


@_register("AdadeltaOptimizer", paper="https://arxiv.org/abs/1212.5701")
def adadelta(
    learning_rate: float = 0.001, rho: float = 0.95, epsilon: float = 1e-8
) -> keras.optimizers.Optimizer:
    """Adadelta: Adagrad over a decaying window, in the units of the weights."""
    _check("AdadeltaOptimizer", rho=rho, epsilon=epsilon)
    return keras.optimizers.Adadelta(learning_rate, rho=rho, epsilon=epsilon)


@_register("FtrlOptimizer", paper="https://research.google/pubs/pub41159")
def ftrl(
    learning_rate: float = 0.001,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    l2_shrinkage_regularization_strength: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Follow the regularized leader: Adagrad's step sizes, with weights drawn to zero."""
    _check(
        "FtrlOptimizer",
        initial_accumulator_value=initial_accumulator_value,
        l1_regularization_strength=l1_regularization_strength,
        l2_regularization_strength=l2_regularization_strength,
        l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
    )
    if learning_rate_power > 0:
        raise UserError(
            "tf.train.FtrlOptimizer.learning_rate_power must be at most 0, received "
            f"{learning_rate_power!r}."
        )
    return keras.optimizers.Ftrl(
        learning_rate,
        learning_rate_power=learning_rate_power,
        initial_accumulator_value=initial_accumulator_value,
        l1_regularization_strength=l1_regularization_strength,
        l2_regularization_strength=l2_regularization_strength,
        l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
    )
