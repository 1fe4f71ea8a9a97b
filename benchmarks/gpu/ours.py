"""Our training step under JAX."""

import time
from collections.abc import Mapping
from typing import Any

import gin
import jax
import keras
import numpy as np

from benchmarks.gpu.cases import DISC_ITERS, Case
from benchmarks.gpu.counting import count_operations
from compare_gan import registry
from compare_gan.gans import ModularGAN

_LEARNING_RATE = 2e-4


def make_gan(case: Case, resample: str = "folded") -> Any:
    """Our GAN of a case."""
    network = case.network
    # Gin knows a class when its module has been imported.
    architecture = registry.get("architecture", f"{network.name}_arch")
    gin.clear_config()
    gin.parse_config(case.bindings(resample))
    before = keras.config.dtype_policy()
    if case.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return ModularGAN(
            (network.image_size, network.image_size, 3),
            network.num_classes,
            architecture,
            z_dim=network.z_dim,
            disc_iters=DISC_ITERS,
            loss=network.loss,
            conditional=network.num_classes is not None,
            experimental_joint_gen_for_disc=True,
        )
    finally:
        keras.config.set_dtype_policy(before)


class Training:
    """The compiled training step of a GAN and its state.

    Args:
      gan: The GAN.
      batch: Element of the input pipeline on which every step trains.

    Attributes:
      memory: Bytes that a step needs at once, its state and the batch included; None if not known.
    """

    def __init__(self, gan: Any, batch: Mapping[str, np.ndarray]):
        self.gan = gan
        self.memory: int | None = None
        self._optimizers = [keras.optimizers.Adam(_LEARNING_RATE, epsilon=1e-8) for _ in range(2)]
        for optimizer, variables in zip(
            self._optimizers, (gan.discriminator_variables, gan.generator_variables), strict=True
        ):
            optimizer.build(variables)
        self._variables = [*gan.variables, *(v for o in self._optimizers for v in o.variables)]
        self._values = [v.value for v in self._variables]
        self._batch = jax.device_put(dict(batch))
        self._compiled: Any = None

    def operations(self) -> int:
        """Floating-point operations of one step; see `counting`."""
        return count_operations(self._step, self._values, self._batch)

    def compile(self) -> dict[str, float]:
        """Compiles the step; returns the seconds of tracing and of compiling."""
        started = time.perf_counter()
        lowered = jax.jit(self._step, donate_argnums=0).lower(self._values, self._batch)
        traced = time.perf_counter()
        self._compiled = lowered.compile()
        finished = time.perf_counter()
        sizes = self._compiled.memory_analysis()
        if sizes is not None:
            self.memory = (
                sizes.argument_size_in_bytes
                + sizes.output_size_in_bytes
                - sizes.alias_size_in_bytes
                + sizes.temp_size_in_bytes
            )
        return {"trace": traced - started, "compile": finished - traced}

    def run(self, steps: int) -> dict[str, float]:
        """Trains; returns the losses of both networks in the last step when it has finished."""
        for _ in range(steps):
            self._values, losses = self._compiled(self._values, self._batch)
        return {name: float(loss) for name, loss in losses.items()}

    def _step(self, values: list[Any], batch: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        gan, losses = self.gan, {}
        d_optimizer, g_optimizer = self._optimizers
        batch = dict(batch, images=batch["images"].astype("float32") / 255.0)
        *d_batches, g_batch = [
            {name: value[i] for name, value in batch.items()} for i in range(DISC_ITERS + 1)
        ]
        with keras.StatelessScope(zip(self._variables, values, strict=True)) as scope:
            for d_batch, fake in zip(d_batches, gan.joint_fakes(d_batches), strict=True):
                losses["discriminator"] = _update(
                    lambda b=d_batch, f=fake: gan.discriminator_loss(b, f).total,
                    gan.discriminator_variables,
                    gan.variables,
                    d_optimizer,
                )
            losses["generator"] = _update(
                lambda: gan.generator_loss(g_batch).total,
                gan.generator_variables,
                gan.variables,
                g_optimizer,
            )
            return [scope.get_current_value(v) for v in self._variables], losses


def _update(loss_fn: Any, variables: Any, state: Any, optimizer: Any) -> Any:
    """Moves variables down the gradient of a loss, inside a `StatelessScope`."""
    trained = {id(variable) for variable in variables}
    others = [variable for variable in state if id(variable) not in trained]

    def loss_and_state(values: list[Any], other_values: list[Any]) -> tuple[Any, list[Any]]:
        mapping = [*zip(variables, values, strict=True), *zip(others, other_values, strict=True)]
        with keras.StatelessScope(mapping) as scope:
            return loss_fn(), [scope.get_current_value(v) for v in others]

    values, other_values = ([v.value for v in each] for each in (variables, others))
    (loss, changed), gradients = jax.value_and_grad(loss_and_state, has_aux=True)(
        values, other_values
    )
    for variable, value in zip(others, changed, strict=True):
        variable.assign(value)
    optimizer.apply(gradients, variables)
    return loss
