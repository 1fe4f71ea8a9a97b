"""ModularGAN: joins two networks, a loss, a penalty and auxiliary tasks."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_range
from compare_gan.gans.examples import Scores, forward_halves, mixes_examples
from compare_gan.gans.tasks import AuxiliaryTask
from compare_gan.gans.terms import LossTerms
from compare_gan.losses import get_losses
from compare_gan.penalties import get_penalty

Batch = dict[str, Any]


@registry.register("gan", "ModularGAN", paper="https://arxiv.org/abs/1807.04720")
class ModularGAN:
    """A GAN of interchangeable parts, conditional or not (Kurach et al., 2019).

    It says what is minimised. It holds the networks, never an optimizer: the runner reads the
    attributes that concern it (learning rates, optimizers, EMA, `disc_iters`).

    A batch is a dict: `images` float [b, H, W, C] in [0, 1], `z` float [b, z_dim], `seed` int32 [2]
    for what noise the losses need, and where the data has classes `labels` and `fake_labels`
    float [b, num_classes], one-hot or soft, a row of zeros for no label.

    Paper: https://arxiv.org/abs/1807.04720.

    Args:
      image_shape: (H, W, C).
      num_classes: Number of classes of the data; None if it has none.
      architecture: Name of a registered architecture, or an object with the classes `Generator`
        and `Discriminator`.
      z_dim: Dimension of the latent.
      disc_iters: Discriminator steps before each generator step.
      lamba: Weight of the penalty (`penalty.fn`).
      g_lr: Learning rate of the generator.
      d_lr: Learning rate of the discriminator; None = `g_lr`.
      g_optimizer_fn: Optimizer of the generator: a function of the learning rate or a registered
        name; None = Adam.
      d_optimizer_fn: Optimizer of the discriminator; None = the generator's.
      g_use_ema: Keep a moving average of the generator's weights, to sample with.
      ema_decay: Decay of that average.
      ema_start_step: Step before which the average copies the weights.
      conditional: Give labels to both networks.
      fit_label_distribution: Draw the labels of generated images as often as they occur among the
        labelled real ones; False = uniformly. Without effect unless conditional.
      experimental_joint_gen_for_disc: Make the fakes of all discriminator steps of one generator
        step in one forward of the generator.
      experimental_force_graph_unroll: Accepted for old configs: steps are always unrolled.
      deprecated_split_disc_calls: Show real and generated images to the discriminator in separate
        forwards (different batch statistics under batch norm) instead of one.

    Raises:
      UserError: Options contradict each other.
    """

    # The weight of the adversarial loss in both totals; a subclass without one sets it to 0.
    adversarial_weight = 1.0

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        architecture: Any,
        z_dim: int = 128,
        disc_iters: int = 1,
        lamba: float = 1,
        g_lr: float = 0.0002,
        d_lr: float | None = None,
        g_optimizer_fn: Callable | str | None = None,
        d_optimizer_fn: Callable | str | None = None,
        g_use_ema: bool = False,
        ema_decay: float = 0.9999,
        ema_start_step: int = 40000,
        conditional: bool = False,
        fit_label_distribution: bool = False,
        experimental_joint_gen_for_disc: bool = False,
        experimental_force_graph_unroll: bool = False,
        deprecated_split_disc_calls: bool = False,
    ):
        self.image_shape = tuple(image_shape)
        self.num_classes = num_classes
        self.architecture = registry.get("architecture", architecture)
        self.z_dim = z_dim
        self.disc_iters = disc_iters
        self.lamba = lamba
        self.g_lr, self.d_lr = g_lr, d_lr
        self.g_optimizer_fn, self.d_optimizer_fn = g_optimizer_fn, d_optimizer_fn
        self.g_use_ema = g_use_ema
        self.ema_decay, self.ema_start_step = ema_decay, ema_start_step
        self.conditional = conditional
        self.fit_label_distribution = fit_label_distribution and conditional
        self.experimental_joint_gen_for_disc = experimental_joint_gen_for_disc
        self.deprecated_split_disc_calls = deprecated_split_disc_calls
        self.check_options()
        self.tasks: list[AuxiliaryTask] = self.make_tasks()
        self._build_networks()

    # What subclasses override.

    def check_options(self) -> None:
        """Raises UserError if options contradict each other; runs before networks are built."""
        name = type(self).__name__
        if self.conditional and not self.num_classes:
            raise UserError(
                f"{name}.conditional is True, but the data set has no classes: set it to False."
            )
        if self.disc_iters < 1 or self.z_dim < 1:
            raise UserError(
                f"{name} needs disc_iters and z_dim of at least 1, received "
                f"{self.disc_iters!r} and {self.z_dim!r}."
            )
        check_range(f"{name}.g_lr", self.g_lr)
        check_range(f"{name}.d_lr", self.g_lr if self.d_lr is None else self.d_lr)
        check_range(f"{name}.ema_decay", self.ema_decay, most=1)

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        """Raises UserError if this GAN cannot train on batches of this size."""

    def make_tasks(self) -> list[AuxiliaryTask]:
        """The auxiliary tasks."""
        return []

    def make_heads(self, num_features: int, spectral_norm: bool) -> dict[str, keras.layers.Layer]:
        """Layers that belong to the discriminator's side, by name, built: the tasks' heads."""
        heads = {task.name: task.make_head(spectral_norm) for task in self.tasks}
        for head in heads.values():
            head.build((None, num_features))
        return heads

    def discriminator_options(self) -> dict[str, Any]:
        """Arguments for the discriminator beside the image shape; they win over gin's."""
        return {}

    def labels(self, batch: Batch):
        """The labels of the real images, float [b, num_classes]; None if unconditional."""
        return batch["labels"] if self.conditional else None

    def conditioned_logits(self, logits, features, y, predictions: dict[str, Any]):
        """The logits [n, 1], with what the GAN itself (not its discriminator) adds to them."""
        return logits

    # What the runner uses.

    def make_generator(self) -> keras.Model:
        """A generator like this GAN's with weights of its own, for example to sample with."""
        generator = self.architecture.Generator(image_shape=self.image_shape)
        # Called once, without training, so that all variables exist.
        generator((ops.zeros((2, self.z_dim)), self._no_labels()), training=False)
        return generator

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """What the generator's loss is minimised over."""
        return self.generator.trainable_variables

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """What the discriminator's loss is minimised over: its own variables, then the heads'."""
        heads = [v for head in self.heads.values() for v in head.trainable_variables]
        return self.discriminator.trainable_variables + heads

    def fakes(self, batch: Batch, generator: keras.Model | None = None):
        """Generated images for a discriminator step; no gradient flows into the generator.

        Args:
          batch: A batch; its `z` and `fake_labels` are used.
          generator: Another generator than this GAN's, called the same way.

        Returns:
          Float [b, H, W, C] in [0, 1].
        """
        generator = self.generator if generator is None else generator
        images = generator((batch["z"], self._fake_labels(batch)), training=True)
        return ops.stop_gradient(images)

    def joint_fakes(self, batches: Sequence[Batch]) -> list:
        """`fakes` of several batches, from one forward of the generator.

        Batch norm then sees all of them at once, and its moving averages move once.

        Returns:
          As many tensors [b, H, W, C] as there are batches.
        """
        names = ("z", "fake_labels") if self.conditional else ("z",)
        images = self.fakes({k: ops.concatenate([batch[k] for batch in batches]) for k in names})
        return ops.split(images, len(batches))

    def discriminator_loss(self, batch: Batch, fake_images) -> LossTerms:
        """What a discriminator step minimises.

        Args:
          batch: A batch.
          fake_images: What `fakes` gives for it.

        Returns:
          LossTerms. Parts: d_loss, d_loss_real, d_loss_fake, penalty (before its weight) and those
          of the tasks.
        """
        x, y = batch["images"], self.labels(batch)
        fake_images = ops.cast(fake_images, x.dtype)
        # Added examples that no term reads are shown only where they are in the batch's statistics.
        fake_tasks = [t for t in self.tasks if t.learns_from_fakes]
        if mixes_examples(self.discriminator):
            fake_tasks = self.tasks
        real, fake = forward_halves(
            self.discriminate,
            [(x, y, self.tasks), (fake_images, self._fake_labels(batch), fake_tasks)],
            self.deprecated_split_disc_calls,
        )
        losses = get_losses(real.logits, fake.logits)
        penalty = get_penalty(
            discriminator=lambda images: self.discriminate(images, y).logits,
            x=x,
            x_fake=fake_images,
            y=y,
            uniform=_uniform_from(batch["seed"]),
            kernels=[v for v in self.discriminator_variables if v.name == "kernel"],
        )
        total = self.adversarial_weight * losses.d_loss + self.lamba * penalty
        parts = {
            "d_loss": losses.d_loss,
            "d_loss_real": losses.d_loss_real,
            "d_loss_fake": losses.d_loss_fake,
            "penalty": penalty,
        }
        for task in self.tasks:
            terms = task.discriminator_terms(real.seen[task.name], fake.seen[task.name])
            total = total + terms.total
            parts |= terms.parts
        return LossTerms(total, parts)

    def generator_loss(self, batch: Batch) -> LossTerms:
        """What a generator step minimises, from one forward of each network.

        The discriminator sees generated images only, unless its batch norm mixes examples: then the
        real ones are in its batch as they are in a discriminator step.

        Args:
          batch: A batch.

        Returns:
          LossTerms. Parts: g_loss and those of the tasks.
        """
        fake_y = self._fake_labels(batch)
        images = self.generator((batch["z"], fake_y), training=True)
        halves = [(images, fake_y, self.tasks)]
        if mixes_examples(self.discriminator) and not self.deprecated_split_disc_calls:
            x = batch["images"]
            images = ops.cast(images, x.dtype)
            halves = [(x, self.labels(batch), self.tasks), (images, fake_y, self.tasks)]
        fake = forward_halves(self.discriminate, halves)[-1]
        # A loss whose g_loss looked at the logits of real images would show itself by a NaN.
        g_loss = get_losses(ops.full_like(fake.logits, float("nan")), fake.logits).g_loss
        total, parts = self.adversarial_weight * g_loss, {"g_loss": g_loss}
        for task in self.tasks:
            terms = task.generator_terms(fake.seen[task.name])
            total = total + terms.total
            parts |= terms.parts
        return LossTerms(total, parts)

    def discriminate(self, x, y) -> Scores:
        """One forward of the discriminator and all heads, in training mode.

        Args:
          x: Float [n, H, W, C] in [0, 1].
          y: Float [n, num_classes], or None if unconditional.
        """
        logits, features = self.discriminator((x, y), training=True)
        # Losses are computed in full precision also where the networks are not.
        logits, features = ops.cast(logits, "float32"), ops.cast(features, "float32")
        predictions = {t.name: self.heads[t.name](features, training=True) for t in self.tasks}
        return Scores(
            self.conditioned_logits(logits, features, y, predictions), features, predictions
        )

    def _fake_labels(self, batch: Batch):
        return batch["fake_labels"] if self.conditional else None

    def _build_networks(self) -> None:
        self.generator = self.make_generator()
        self.discriminator = self.architecture.Discriminator(
            image_shape=self.image_shape, **self.discriminator_options()
        )
        x, y = ops.zeros((2, *self.image_shape)), self._no_labels()
        _, features = self.discriminator((x, y), training=False)
        spectral_norm = getattr(self.discriminator, "spectral_norm", False)
        self.heads = self.make_heads(features.shape[-1], bool(spectral_norm))

    def _no_labels(self):
        return ops.zeros((2, self.num_classes)) if self.conditional else None


def _uniform_from(seed) -> Callable[[Sequence[int]], Any]:
    """A source of uniform draws that all follow from the batch's seed, each call other ones."""
    calls = iter(range(2**31))
    return lambda shape: backend.batch_uniform(tuple(shape), ops.add(seed, [0, next(calls)]))
