"""Our training step under JAX, in the loop that training runs."""

import itertools
import random
import time
from collections.abc import Mapping
from typing import Any

import gin
import jax
import keras
import numpy as np

from benchmarks.gpu.cases import LEARNING_RATE, Case
from benchmarks.gpu.counting import count_operations
from compare_gan import engine, registry
from compare_gan.gans import ModularGAN
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

# Seconds that XLA took to compile each function of this process.
_compilations: list[float] = []


def _record_compilation(event: str, seconds: float, **_: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _compilations.append(seconds)


jax.monitoring.register_event_duration_secs_listener(_record_compilation)


def make_gan(case: Case, resample: str = "folded") -> ModularGAN:
    """Our GAN of a case; equal networks get equal weights."""
    network = case.network
    # Gin knows a class when its module has been imported.
    architecture = registry.get("architecture", f"{network.name}_arch")
    penalty = network.penalty and registry.get("penalty", network.penalty)
    gin.clear_config()
    gin.parse_config(case.bindings(resample))
    random.seed(0)  # Keras draws the seeds of initializers from it.
    with engine.mixed_precision(None if case.precision == "float32" else case.precision):
        return ModularGAN(
            (network.image_size, network.image_size, 3),
            network.num_classes,
            architecture,
            z_dim=network.z_dim,
            disc_iters=case.disc_iters,
            loss=network.loss,
            penalties=[penalty()] if penalty else (),
            conditional=network.num_classes is not None,
            experimental_joint_gen_for_disc=True,
        )


class Training:
    """Training of a GAN, always on one batch.

    Args:
      gan: The GAN.
      batch: Element of the input pipeline.
    """

    def __init__(self, gan: ModularGAN, batch: Mapping[str, np.ndarray]):
        state = TrainState(gan, 0, OptimizationOptions(g_lr=LEARNING_RATE))
        self._step = TrainStep(state)
        self._batch = dict(batch)
        self._executable: Any = None
        self._loop = engine.Loop(self._step, lambda *_: itertools.repeat(self._batch))

    def operations(self) -> int:
        """Floating-point operations of one step; see `counting`."""
        variables = self._step.state_variables()

        def step(values: list[Any], batch: dict[str, Any]) -> tuple[list[Any], Any]:
            with keras.StatelessScope(zip(variables, values, strict=True)) as scope:
                row = self._step(batch)
            return [scope.get_current_value(variable) for variable in variables], row

        return count_operations(step, [v.value for v in variables], self._batch)

    def start(self) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Compiles the step and runs it three times.

        Returns:
          `compile`: seconds of XLA's compilation, `trace`: of tracing and everything else before
          the second step, `memory`: bytes that a step needs at once, with its state and batches;
          and the losses of the three steps.
        """
        client, compiled_before = jax.devices()[0].client, len(_compilations)
        known = {id(each) for each in client.live_executables()}
        started = time.perf_counter()
        first = self.run(1)
        seconds = time.perf_counter() - started
        compile_s = max(_compilations[compiled_before:], default=0.0)
        # By far the largest of the new programs is the step.
        new = [each for each in client.live_executables() if id(each) not in known]
        self._executable = max(new, key=_bytes)
        later = self.run(2)
        return (
            {
                "trace": seconds - compile_s,
                "compile": compile_s,
                "memory": _bytes(self._executable),
            },
            {name: first[name] + later[name] for name in first},
        )

    def compiled_text(self) -> str:
        """The compiled step as XLA prints it: the operations that a profile names."""
        return self._executable.hlo_modules()[0].to_string()

    def run(self, steps: int) -> dict[str, list[float]]:
        """Trains; returns the losses of both networks in each step.

        Raises:
          FloatingPointError: A loss is not finite.
        """
        history = self._loop.run(steps)
        losses = {name: history[f"loss/{name}"] for name in ("discriminator", "generator")}
        if not all(np.isfinite(values).all() for values in history.values()):
            raise FloatingPointError("A loss is not finite.")
        return {name: values.tolist() for name, values in losses.items()}


def _bytes(executable: Any) -> int:
    stats = executable.get_compiled_memory_stats()
    return (
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        - stats.alias_size_in_bytes
        + stats.temp_size_in_bytes
    )
