"""The state of a training: networks, optimizers, averages of the generator, step and seed."""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan.engine.precision import with_loss_scale
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.schedules import is_schedule
from compare_gan.training.averages import EMA, Power
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.optimizers import make_optimizers


class HostInteger:
    """An integer of 64 bits in the memory of the host, saved in checkpoints like a variable.

    Example:
      >>> from compare_gan.training.state import HostInteger
      >>> seed = HostInteger(2**40)
      >>> seed.assign(7)
      >>> int(seed), seed.numpy().dtype
      (7, dtype('int64'))
    """

    dtype = "int64"
    shape: tuple[int, ...] = ()

    def __init__(self, value: int):
        self.assign(value)

    def assign(self, value: Any) -> None:
        """Sets the value, an integer or an array of one."""
        self._value = np.array(value, np.int64)

    def numpy(self) -> np.ndarray:
        """The value, int64 []."""
        return self._value

    def __int__(self) -> int:
        return int(self._value)


class TrainState:
    """Everything that a training step changes, and nothing else.

    Create it inside `strategy.scope()`.

    Args:
      gan: The GAN.
      seed: Seed of batches and noise.
      optimization: Learning rates, optimizers and averages of the generator; None = those that
        gin bound for the GAN.
      batch_size: Images in a batch, over all devices; only averages with a half-life need it.

    Attributes:
      gan: The GAN with its networks, heads, and variables of penalties and augmentations.
      optimization: The options.
      g_optimizer, d_optimizer: Keras optimizers, built; with a loss scale for float16 networks.
      step: Integer variable, the number of finished generator steps.
      seed: The seed of batches and noise, saved in checkpoints.
      averages: For each average of the generator's weights, by its name in checkpoints, one float32
        variable per trainable variable of the generator; empty unless `optimization.g_use_ema`.
    """

    def __init__(
        self,
        gan: ModularGAN,
        seed: int,
        optimization: OptimizationOptions | None = None,
        batch_size: int | None = None,
    ):
        self.gan = gan
        if optimization is None:
            optimization = OptimizationOptions.of(gan)
        self.optimization = optimization
        replicated = dict(trainable=False, aggregation="only_first_replica")
        # JAX has no int64 unless all numbers of the process have 64 bits.
        wide = "int32" if keras.backend.backend() == "jax" else "int64"
        self.step = keras.Variable(np.zeros([], wide), name="step", dtype=wide, **replicated)
        self.seed = HostInteger(seed)
        g_optimizer, d_optimizer = make_optimizers(optimization)
        for optimizer in (g_optimizer, d_optimizer):
            if hasattr(optimizer, "training_step"):
                optimizer.training_step = lambda: self.step.value
        self.g_optimizer = with_loss_scale(g_optimizer, gan.generator)
        self.d_optimizer = with_loss_scale(d_optimizer, gan.discriminator)
        self.g_optimizer.build(gan.generator_variables)
        self.d_optimizer.build(gan.discriminator_variables)
        self._rules = optimization.averages(batch_size)
        self.averages = {
            name: [
                keras.Variable(ops.convert_to_numpy(v), name="ema", dtype="float32", **replicated)
                for v in gan.generator_variables
            ]
            for name in self._rules
        }

    @property
    def ema(self) -> list[keras.Variable]:
        """The average that sampling and evaluation use; empty without any."""
        return self.averages.get(EMA, [])

    def start_missing(self, names: Collection[str]) -> None:
        """Prepares variables that a restored checkpoint lacks.

        The averages become copies of the weights; an optimizer whose memory is new counts its steps
        anew, as its corrections for a young memory depend on them.

        Args:
          names: Their names in checkpoints.
        """
        for prefix, averages in self.averages.items():
            if any(name.startswith(f"{prefix}/") for name in names):
                if isinstance(self._rules[prefix], Power) and int(self.step.value) > 0:
                    raise UserError(
                        f"{self.optimization.scope}.ema_lengths cannot be added to a run at step "
                        f"{int(self.step.value)}: such averages are over the training from its "
                        "first step. Add ema_other_half_lives, or begin a new run."
                    )
                for average, variable in zip(averages, self.gan.generator_variables, strict=True):
                    # By way of the host: JAX overwrites the arrays of the weights.
                    average.assign(ops.convert_to_numpy(variable))
        for prefix, optimizer in (
            ("g_optimizer/", self.g_optimizer),
            ("d_optimizer/", self.d_optimizer),
        ):
            lost = {name for name in names if name.startswith(prefix)}
            if lost - {f"{prefix}loss_scale", f"{prefix}loss_scale_steps"}:
                for variable in _inner(optimizer).variables:
                    if variable is not _inner(optimizer)._learning_rate:
                        variable.assign(ops.zeros(variable.shape, variable.dtype))

    def set_learning_rates(self) -> None:
        """Sets the optimizers' learning rates to those of this step, if they follow schedules."""
        rates = self.optimization.g_lr, self.optimization.discriminator_lr
        for optimizer, rate in zip((self.g_optimizer, self.d_optimizer), rates, strict=True):
            if is_schedule(rate):
                _inner(optimizer).learning_rate.assign(rate(self.step.value))

    def update_ema(self) -> None:
        """Updates the averages; before their `start_step` they are copies of the weights."""
        step = self.step.value
        for name, rule in self._rules.items():
            with keras.name_scope("ema"):
                share = rule.share(step)
                for average, variable in zip(
                    self.averages[name], self.gan.generator_variables, strict=True
                ):
                    value = ops.cast(variable.value, "float32")
                    moved = average.value + share * (value - average.value)
                    if rule.start_step > 0:
                        moved = ops.where(step >= rule.start_step, moved, value)
                    average.assign(moved)

    def all_variables(self) -> list[keras.Variable]:
        """All variables that a training step reads or changes, learning rates too."""
        named = [v for v in self.variables().values() if isinstance(v, keras.Variable)]
        rates = [_inner(each)._learning_rate for each in (self.g_optimizer, self.d_optimizer)]
        return named + [rate for rate in rates if isinstance(rate, keras.Variable)]

    def variables(self) -> dict[str, "keras.Variable | HostInteger"]:
        """All variables by their names in checkpoints.

        Learning rates are left out: a resumed run takes them from its config.
        """
        named: dict[str, keras.Variable | HostInteger] = {"step": self.step, "seed": self.seed}
        networks = {"generator": self.gan.generator, "discriminator": self.gan.discriminator}
        networks.update({f"heads/{name}": head for name, head in self.gan.heads.items()})
        for prefix, network in networks.items():
            for variable in network.variables:
                path = _path_in(network, variable)
                _add_unique(named, f"{prefix}/{path}", variable)
        for part, variables in self.gan.memories.items():
            for variable in variables:
                _add_unique(named, f"{part}/{variable.name}", variable)
        for prefix, optimizer in (
            ("g_optimizer", self.g_optimizer),
            ("d_optimizer", self.d_optimizer),
        ):
            inner = _inner(optimizer)
            if inner is not optimizer:
                named[f"{prefix}/loss_scale"] = optimizer.dynamic_scale
                named[f"{prefix}/loss_scale_steps"] = optimizer.step_counter
            for variable in inner.variables:
                if variable is not inner._learning_rate:
                    path = variable.path.split("/", 1)[-1]
                    _add_unique(named, f"{prefix}/{path}", variable)
        for name, averages in self.averages.items():
            for average, variable in zip(averages, self.gan.generator_variables, strict=True):
                path = _path_in(self.gan.generator, variable)
                _add_unique(named, f"{name}/{path}", average)
        return named

    def make_sampling_generator(self) -> keras.Model:
        """A second generator of the same shape, for `update_sampling_generator`."""
        return self.gan.make_generator()

    def update_sampling_generator(self, clone: keras.Model, use_ema: bool = True) -> None:
        """Copies the generator's weights to `clone`, the averaged ones if there are any."""
        # By way of the host: under JAX the next training step overwrites the arrays of these.
        for target, source in zip(clone.variables, self.gan.generator.variables, strict=True):
            target.assign(ops.convert_to_numpy(source))
        if self.ema and use_ema:
            for target, average in zip(clone.trainable_variables, self.ema, strict=True):
                target.assign(ops.convert_to_numpy(average))


def _inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer without loss scale."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _path_in(network: keras.layers.Layer, variable: keras.Variable) -> str:
    """The path of a variable without the network's name, which functional models leave out."""
    return variable.path.removeprefix(f"{network.name}/")


def _add_unique(named: dict[str, Any], name: str, variable: keras.Variable) -> None:
    if name in named:
        raise ValueError(f"Two variables of this model are named '{name}'.")
    named[name] = variable
