"""The state of a training: networks, optimizers, averaged generator weights, step and seed."""

import keras
import tensorflow as tf

from compare_gan.engine.precision import with_loss_scale
from compare_gan.gans import ModularGAN
from compare_gan.schedules import is_schedule, value_at
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.optimizers import make_optimizers


class TrainState:
    """Everything that a training step changes, and nothing else.

    Create it inside `strategy.scope()`.

    Args:
      gan: The GAN.
      seed: Seed of batches and noise.
      optimization: Learning rates, optimizers and the average of the generator; None = those that
        gin bound for the GAN.

    Attributes:
      gan: The GAN with its networks, heads, and variables of penalties and augmentations.
      optimization: The options.
      g_optimizer, d_optimizer: Keras optimizers, built; with a loss scale for float16 networks.
      step: int64 variable, the number of finished generator steps.
      seed: int64 variable, the seed of batches and noise.
      ema: One float32 variable per trainable variable of the generator, its moving average; empty
        unless `optimization.g_use_ema`.
    """

    def __init__(self, gan: ModularGAN, seed: int, optimization: OptimizationOptions | None = None):
        self.gan = gan
        if optimization is None:
            optimization = OptimizationOptions.of(gan)
        self.optimization = optimization
        replicated = dict(trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self.step = tf.Variable(0, dtype=tf.int64, name="step", **replicated)
        self.seed = tf.Variable(seed, dtype=tf.int64, name="seed", **replicated)
        g_optimizer, d_optimizer = make_optimizers(optimization)
        for optimizer in (g_optimizer, d_optimizer):
            if hasattr(optimizer, "training_step"):
                optimizer.training_step = lambda: self.step
        self.g_optimizer = with_loss_scale(g_optimizer, gan.generator)
        self.d_optimizer = with_loss_scale(d_optimizer, gan.discriminator)
        self.g_optimizer.build(gan.generator_variables)
        self.d_optimizer.build(gan.discriminator_variables)
        self.ema = []
        if optimization.g_use_ema:
            self.ema = [
                tf.Variable(keras.ops.convert_to_tensor(v), name=f"ema/{v.path}", **replicated)
                for v in gan.generator_variables
            ]

    def set_learning_rates(self) -> None:
        """Sets the optimizers' learning rates to those of this step, if they follow schedules."""
        rates = self.optimization.g_lr, self.optimization.discriminator_lr
        for optimizer, rate in zip((self.g_optimizer, self.d_optimizer), rates, strict=True):
            if is_schedule(rate):
                _inner(optimizer).learning_rate.assign(rate(self.step))

    def update_ema(self) -> None:
        """Updates the averages; before `ema_start_step` they are copies of the weights."""
        if not self.ema:
            return
        options = self.optimization
        with tf.name_scope("ema"):
            started = self.step >= options.ema_start_step
            decay = value_at(options.ema_decay, self.step)
            for average, variable in zip(self.ema, self.gan.generator_variables, strict=True):
                value = tf.cast(variable.value, tf.float32)
                moved = average + (1.0 - decay) * (value - average)
                average.assign(tf.where(started, moved, value))

    def variables(self) -> dict[str, tf.Variable]:
        """All variables by their names in checkpoints.

        Learning rates are left out: a resumed run takes them from its config.
        """
        named = {"step": self.step, "seed": self.seed}
        networks = {"generator": self.gan.generator, "discriminator": self.gan.discriminator}
        networks.update({f"heads/{name}": head for name, head in self.gan.heads.items()})
        for prefix, network in networks.items():
            for variable in network.variables:
                path = _path_in(network, variable)
                _add_unique(named, f"{prefix}/{path}", variable.value)
        for part, variables in self.gan.memories.items():
            for variable in variables:
                _add_unique(named, f"{part}/{variable.name}", variable.value)
        for prefix, optimizer in (
            ("g_optimizer", self.g_optimizer),
            ("d_optimizer", self.d_optimizer),
        ):
            inner = _inner(optimizer)
            if inner is not optimizer:
                named[f"{prefix}/loss_scale"] = optimizer.dynamic_scale.value
                named[f"{prefix}/loss_scale_steps"] = optimizer.step_counter.value
            for variable in inner.variables:
                if variable is not inner._learning_rate:
                    path = variable.path.split("/", 1)[-1]
                    _add_unique(named, f"{prefix}/{path}", variable.value)
        for average, variable in zip(self.ema, self.gan.generator_variables, strict=False):
            path = _path_in(self.gan.generator, variable)
            _add_unique(named, f"ema/{path}", average)
        return named

    def make_sampling_generator(self) -> keras.Model:
        """A second generator of the same shape, for `update_sampling_generator`."""
        return self.gan.make_generator()

    def update_sampling_generator(self, clone: keras.Model, use_ema: bool = True) -> None:
        """Copies the generator's weights to `clone`, the averaged ones if there are any."""
        for target, source in zip(clone.variables, self.gan.generator.variables, strict=True):
            target.assign(keras.ops.convert_to_tensor(source))
        if self.ema and use_ema:
            for target, average in zip(clone.trainable_variables, self.ema, strict=True):
                target.assign(tf.convert_to_tensor(average))


def _inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer without loss scale."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _path_in(network: keras.layers.Layer, variable: keras.Variable) -> str:
    """The path of a variable without the network's name, which functional models leave out."""
    return variable.path.removeprefix(f"{network.name}/")


def _add_unique(named: dict[str, tf.Variable], name: str, variable: tf.Variable) -> None:
    if name in named:
        raise ValueError(f"Two variables of this model are named '{name}'.")
    named[name] = variable
