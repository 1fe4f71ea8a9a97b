"""ModularGAN: joins two networks, a loss, penalties, augmentations and auxiliary tasks."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.backend import num_replicas
from compare_gan.config.keywords import check_remaining_keywords
from compare_gan.errors import UserError
from compare_gan.gans import networks, parts
from compare_gan.gans.adversarial import CLASS_LOGITS, adversarial_losses, generator_loss
from compare_gan.gans.batch_view import BatchView, Stream, TrainingBatch, with_replaced
from compare_gan.gans.examples import (
    Half,
    Scores,
    check_forwards,
    check_interval,
    forward_halves,
    is_separable,
    mixes_examples,
    needs_halves_apart,
    of_images,
)
from compare_gan.gans.image_gradients import requested_gradients, with_gradients
from compare_gan.gans.latent_optimization import (
    LatentOptimization,
    check_latent_optimization,
    with_transport_cost,
)
from compare_gan.gans.noise import JoinedNoise, Noise
from compare_gan.gans.tasks import AuxiliaryTask
from compare_gan.gans.tasks.base import add_tasks
from compare_gan.gans.terms import LossTerms, add_penalties, check_names
from compare_gan.losses import needs_class_logits, non_saturating, sees_real
from compare_gan.registry import call_with_requested
from compare_gan.schedules import Scheduled, value_at
from compare_gan.types import Tensor


@registry.register("gan", "ModularGAN", paper="https://arxiv.org/abs/1807.04720")
class ModularGAN:
    """A GAN of interchangeable parts, conditional or not (Kurach et al., 2019).

    It defines the losses. It holds the networks, never an optimizer: learning rates, optimizers and
    moving averages are the trainer's, although configs write them under the name of the GAN
    (`ModularGAN.g_lr`; see `training.optimization.OptimizationOptions`).

    A batch is a dict: `images` float [b, H, W, C] in [0, 1], `z` float [b, z_dim], `seed` int32 [2]
    for the draws of penalties, augmentations and generators, and, where the data has classes,
    `labels` and `fake_labels` float [b, num_classes], one-hot or soft, a row of zeros for no label.

    Loss, penalties, augmentations and tasks are given as objects, functions or registered names; in
    configs `ModularGAN.loss = @rp_gan`, `ModularGAN.penalties = [@r1(), @lecam()]`.

    Paper: https://arxiv.org/abs/1807.04720.

    Args:
      image_shape: Shape of images, (H, W, C).
      num_classes: Number of classes of the data; None if it has none.
      architecture: Name of a registered architecture, or an object with the classes `Generator`
        and `Discriminator`; None if both networks are given.
      z_dim: Dimension of the latent.
      disc_iters: Discriminator steps before each generator step.
      loss: Function of real and fake logits.
      penalties: `Penalty` objects and functions (terms of the discriminator's loss with weight 1).
        The GAN works with copies of penalties and augmentations, so that their variables are its
        own.
      augmentations: `Augmentation` objects, applied in this order to all images that the
        discriminator sees.
      tasks: `AuxiliaryTask` objects, in addition to those of the class.
      top_k: Share in (0, 1] of the generated images, those with the highest logits, over which the
        generator's adversarial loss is computed (https://arxiv.org/abs/2002.06224); a number or a
        schedule. The paper multiplies it by 0.99 in each epoch, down to 0.5.
      latent_optimization: `LatentOptimization`, which moves latents towards what the discriminator
        finds real before they are used; None = none.
      generator: Keras model from (z, y) to images in [0, 1]; None = the architecture's. Layers of a
        functional model need names of their own, which checkpoints use; its input y needs
        `optional=True` in an unconditional GAN, where y is None.
      discriminator: Keras model from (x, y) to logits [b, 1] and features [b, f], likewise; None =
        the architecture's.
      conditional: Give labels to both networks.
      fit_label_distribution: Draw the labels of generated images as often as they occur among the
        labelled real ones; False = uniformly. Without effect unless conditional.
      experimental_joint_gen_for_disc: Make the fakes of all discriminator steps of one generator
        step in one forward of the generator.
      experimental_force_graph_unroll: Accepted for old configs: steps are always unrolled.
      deprecated_split_disc_calls: Show real and generated images to the discriminator in separate
        forwards (different batch statistics under batch norm) instead of one. A discriminator that
        compares the images of a batch, as StyleGAN2's does, always sees them so.
      **options_of_others: Values that gin binds under the name of this class for the trainer,
        which finds them in `trainer_options`. A caller cannot give them.

    Attributes:
      trainer_options: Values of `options_of_others`, by name.
      heads: Layers on the discriminator's features, by name: those of the tasks, and others.

    Raises:
      UserError: Options contradict each other, or a keyword is not known.

    Example:
      >>> from compare_gan.gans import ModularGAN
      >>> from compare_gan.losses import hinge
      >>> from compare_gan.penalties import R1
      >>> gan = ModularGAN(
      ...     (8, 8, 1), None, "dummy_arch", z_dim=4, loss=hinge, penalties=[R1(gamma=0.1)]
      ... )
      >>> [penalty.name for penalty in gan.penalties]
      ['r1']
    """

    # The weight of the adversarial loss in both totals; a subclass without one sets it to 0.
    adversarial_weight = 1.0
    # Configs bind these under the name of the GAN, the trainer reads them.
    options_of_others: Sequence[str] = (
        "g_lr",
        "d_lr",
        "g_optimizer_fn",
        "d_optimizer_fn",
        "g_use_ema",
        "ema_decay",
        "ema_half_life",
        "ema_rampup",
        "ema_start_step",
        "ema_other_half_lives",
        "ema_lengths",
    )

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        architecture: Any = None,
        z_dim: int = 128,
        disc_iters: int = 1,
        *,
        loss: Callable[..., Any] | str = non_saturating,
        penalties: Any = (),
        augmentations: Any = (),
        tasks: Any = (),
        top_k: Scheduled = 1.0,
        latent_optimization: LatentOptimization | None = None,
        generator: Any = None,
        discriminator: Any = None,
        conditional: bool = False,
        fit_label_distribution: bool = False,
        experimental_joint_gen_for_disc: bool = False,
        experimental_force_graph_unroll: bool = False,
        deprecated_split_disc_calls: bool = False,
        **options_of_others: Any,
    ):
        check_remaining_keywords(type(self), options_of_others)
        self.trainer_options = options_of_others
        height, width, channels = image_shape
        self.image_shape = (height, width, channels)
        self.num_classes = num_classes
        self.architecture = registry.get("architecture", architecture)
        self.z_dim = z_dim
        self.disc_iters = disc_iters
        self.conditional = conditional
        self.fit_label_distribution = fit_label_distribution and conditional
        self.experimental_joint_gen_for_disc = experimental_joint_gen_for_disc
        self.deprecated_split_disc_calls = deprecated_split_disc_calls
        self.top_k = top_k
        self.latent_optimization = latent_optimization
        self.check_options()
        self.loss = parts.make_loss(loss)
        parts.check_loss(self.loss, type(self).__name__, conditional, top_k)
        check_latent_optimization(
            latent_optimization, type(self).__name__, experimental_joint_gen_for_disc
        )
        self.penalties = parts.make_penalties(penalties)
        check_names(self.penalties)
        self.augmentations = parts.make_augmentations(augmentations)
        self.tasks: list[AuxiliaryTask] = parts.unique_names(
            "task", [*self.make_tasks(), *parts.make_parts("task", tasks)]
        )
        for task in self.tasks:
            call_with_requested(
                task.check,
                image_shape=self.image_shape,
                num_classes=self.num_classes if conditional else None,
                z_dim=z_dim,
            )
        parts.check_probabilities(self.augmentations, self.loss)
        self._build_networks(generator, discriminator)
        check_forwards(self.penalties, self.discriminator, self._splits_halves, type(self).__name__)
        self.penalties = parts.prepared(self.penalties)
        self.augmentations = parts.prepared(self.augmentations)
        # By kind and name of the part, the variables of the parts that have a memory.
        self.memories: dict[str, list[keras.Variable]] = {
            **parts.memories("penalties", self.penalties),
            **parts.memories("augmentations", self.augmentations),
        }

    # Methods that subclasses override.

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

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        """Raises UserError if this GAN cannot train on batches of this size."""
        if (replicas := num_replicas()) > 1:
            for penalty in self.penalties:
                check_interval(penalty, self.discriminator, self.generator, replicas)
        for penalty in self.penalties:
            penalty.check_batch_size(batch_size_per_replica)
        for task in self.tasks:
            task.check_batch_size(batch_size_per_replica)

    def make_tasks(self) -> list[AuxiliaryTask]:
        """The auxiliary tasks of the class itself."""
        return []

    def make_heads(self, num_features: int, spectral_norm: bool) -> dict[str, keras.layers.Layer]:
        """Layers on the discriminator's features, by name, built: of the tasks and of the loss."""
        heads = networks.make_heads(self.tasks, num_features, spectral_norm, self.num_classes)
        if needs_class_logits(self.loss):
            heads[CLASS_LOGITS] = networks.make_class_head(
                self.num_classes or 0, num_features, spectral_norm
            )
        return heads

    def discriminator_options(self) -> dict[str, Any]:
        """Options of the discriminator, where it has them, that win over gin's."""
        return {}

    def labels(self, batch: TrainingBatch) -> Tensor | None:
        """The labels of the real images, float [b, num_classes]; None if unconditional."""
        return batch["labels"] if self.conditional else None

    def conditioned_logits(
        self, logits: Tensor, features: Tensor, y: Tensor | None, predictions: dict[str, Tensor]
    ) -> Tensor:
        """The logits [n, 1], with the terms that the GAN itself (not its discriminator) adds."""
        return logits

    # State.

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """The variables over which the generator's loss is minimised."""
        return self.generator.trainable_variables

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """The variables over which the discriminator's loss is minimised: its own, the heads'."""
        heads = [v for head in self.heads.values() for v in head.trainable_variables]
        return self.discriminator.trainable_variables + heads

    @property
    def variables(self) -> list[keras.Variable]:
        """All state: of networks, heads, penalties and augmentations."""
        layers = (self.generator, self.discriminator, *self.heads.values())
        memories = [v for variables in self.memories.values() for v in variables]
        return [v for layer in layers for v in layer.variables] + memories

    def make_generator(self) -> keras.Model:
        """A generator like this GAN's with weights of its own, for example to sample with."""
        if self._given_generator is not None:
            generator = networks.clone(self._given_generator)
        else:
            generator = self.architecture.Generator(image_shape=self.image_shape)
        return networks.built_generator(generator, self.z_dim, self._y_shape())

    # Losses. From latents to the generator's loss: `generator_loss`.

    def optimized(self, batch: TrainingBatch, step: Any = 0) -> TrainingBatch:
        """The batch with optimized latents, for the other methods; as it is if they are not.

        Args:
          batch: Batch, of which `z`, `fake_labels` and `seed` are used.
          step: Number of finished generator steps.

        Returns:
          A batch with new `z` and the entry `transport_cost`, of which both losses take account.
        """
        if self.latent_optimization is None:
            return batch
        available = self._view(batch, step).available()
        judge, generate = available["discriminator_of_fakes"], available["generator"]
        uniform = Noise(batch["seed"], Stream.LATENTS).uniform
        z, cost = self.latent_optimization(batch["z"], lambda z: judge(generate(z)), uniform, step)
        return {**batch, "z": z, "transport_cost": cost}

    def fakes(self, batch: TrainingBatch, generator: keras.Model | None = None) -> Tensor:
        """Generated images for a discriminator step; no gradient flows into the generator.

        A gradient flows through the images only into latents that the discriminator has optimized.

        Args:
          batch: Batch, of which `z`, `fake_labels` and `seed` are used.
          generator: Another generator than this GAN's, called the same way.

        Returns:
          Float [b, H, W, C] in [0, 1].
        """
        generator = self.generator if generator is None else generator
        y, draws = self._fake_labels(batch), Noise(batch["seed"], Stream.GENERATOR)
        images = networks.generate(generator, batch["z"], y, draws)
        return images if "transport_cost" in batch else ops.stop_gradient(images)

    def joint_fakes(self, batches: Sequence[TrainingBatch]) -> list[Tensor]:
        """`fakes` of several batches, from one forward of the generator.

        Batch norm then sees all of them at once, and its moving averages move once.

        Returns:
          As many tensors [b, H, W, C] as there are batches.
        """
        z = ops.concatenate([batch["z"] for batch in batches])
        y = ops.concatenate([b["fake_labels"] for b in batches]) if self.conditional else None
        draws = JoinedNoise([Noise(batch["seed"], Stream.GENERATOR) for batch in batches])
        images = networks.generate(self.generator, z, y, draws)
        return ops.split(ops.stop_gradient(images), len(batches))

    def discriminator_loss(
        self, batch: TrainingBatch, fake_images: Tensor, step: Any = 0, iteration: int = 0
    ) -> LossTerms:
        """The loss that a discriminator step minimises.

        Args:
          batch: Batch.
          fake_images: Result of `fakes` for the batch.
          step: Number of finished generator steps.
          iteration: Number of discriminator steps done since the last generator step.

        Returns:
          LossTerms. Parts: d_loss, d_loss_real, d_loss_fake, each penalty (before its weight) and
          those of the tasks.
        """
        fake_images = ops.cast(fake_images, batch["images"].dtype)
        constant_fakes = ops.stop_gradient(fake_images)
        batch, known = with_replaced(batch, self.augmentations, constant_fakes, step)
        view, known_labels = self._view(batch, step), self.labels(known)
        # Added examples that no term reads are shown only where they are in the batch's statistics.
        fake_tasks = [t for t in self.tasks if t.learns_from_fakes]
        if mixes_examples(self.discriminator):
            fake_tasks = self.tasks
        wanted_real, wanted_fake = requested_gradients(
            self.penalties, self.discriminator, self._splits_halves, bool(self.tasks)
        )
        # No gradient of a penalty flows through images into optimized latents.
        wanted = wanted_real, wanted_fake and "transport_cost" not in batch
        has_own_forward = any(wanted) and is_separable(self.discriminator)

        def forward(x: Tensor, x_fake: Tensor) -> list[Half]:
            halves = [
                (view.augmented(x, Stream.REAL), view.y, self.tasks),
                (view.augmented(x_fake, Stream.FAKE), view.fake_y, fake_tasks),
            ]
            own = (lambda half, task: wanted[half] and task is None) if has_own_forward else None
            return forward_halves(self.discriminate, halves, self._splits_halves, own)

        (real, fake), gradients = with_gradients(forward, [batch["images"], fake_images], wanted)
        losses = adversarial_losses(self.loss, real, fake)
        terms = add_penalties(
            LossTerms(
                self.adversarial_weight * losses.d_loss,
                {
                    "d_loss": losses.d_loss,
                    "d_loss_real": losses.d_loss_real,
                    "d_loss_fake": losses.d_loss_fake,
                },
            ),
            self.penalties,
            "discriminator",
            update=step * self.disc_iters + iteration,
            x_fake=constant_fakes,
            features=real.features,
            **networks.kernels(
                [self.discriminator, *self.heads.values()], self.discriminator_variables
            ),
            **view.judged(Stream.REAL, real, fake, gradients),
        )
        terms = with_transport_cost(terms, self.latent_optimization, batch, "discriminator", step)
        seen = {
            "real": {name: each._replace(labels=known_labels) for name, each in real.seen.items()},
            "fake": fake.seen,
        }
        terms = add_tasks(terms, self.tasks, "discriminator", seen, z=batch["z"], step=step)
        # Last, so that all images of a step are augmented equally strongly.
        for augmentation in self.augmentations:
            augmentation.update(of_images(real.logits), of_images(fake.logits), step)
        return terms

    def generator_loss(self, batch: TrainingBatch, step: Any = 0) -> LossTerms:
        """The loss that a generator step minimises.

        The discriminator sees generated images only, except in two cases: its batch norm mixes
        examples, and the real ones are in its batch as they are in a discriminator step; or the
        loss compares with real images, which are then in a forward of their own, unless the
        discriminator has state that the forwards of a step would share (see `is_separable`).

        Args:
          batch: Batch.
          step: Number of finished generator steps.

        Returns:
          LossTerms. Parts: g_loss, penalties and those of the tasks.
        """
        view = self._view(batch, step)
        x, images = batch["images"], view.generated()
        shown = view.augmented(images, Stream.FAKE)
        halves = [(shown, view.fake_y, self.tasks)]
        mixes = mixes_examples(self.discriminator) and not self._splits_halves
        if mixes or sees_real(self.loss):
            real_tasks = self.tasks if mixes else []
            halves = [
                (view.augmented(x, Stream.REAL), view.y, real_tasks),
                (ops.cast(shown, x.dtype), view.fake_y, self.tasks),
            ]
        apart = is_separable(self.discriminator)
        of_fakes = (lambda half, task: half == len(halves) - 1) if apart else None
        *real, fake = forward_halves(self.discriminate, halves, self._splits_halves, of_fakes)
        seen_real = real[0] if sees_real(self.loss) else fake.placeholder()
        g_loss = generator_loss(self.loss, seen_real, fake, value_at(self.top_k, step))
        terms = add_penalties(
            LossTerms(self.adversarial_weight * g_loss, {"g_loss": g_loss}),
            self.penalties,
            "generator",
            update=step,
            x_fake=images,
            features=fake.features,
            **networks.kernels([self.generator], self.generator_variables),
            **view.judged(Stream.FAKE, seen_real, fake),
        )
        terms = with_transport_cost(terms, self.latent_optimization, batch, "generator", step)
        seen = {"fake": fake.seen}
        return add_tasks(terms, self.tasks, "generator", seen, z=batch["z"], step=step)

    def logits(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The logits [n, 1] of images as they are, in inference mode.

        Args:
          x: Float [n, H, W, C] in [0, 1].
          y: Float [n, num_classes], or None if unconditional.
        """
        return self.discriminate(x, y, training=False).logits

    def discriminate(self, x: Tensor, y: Tensor | None, training: bool = True) -> Scores:
        """One forward of the discriminator and all heads.

        Args:
          x: Float [n, H, W, C] in [0, 1], already augmented.
          y: Float [n, num_classes], or None if unconditional.
          training: Whether in training mode.
        """
        logits, features = self.discriminator((x, y), training=training)
        # Losses are computed in full precision also where the networks are not.
        logits, features = ops.cast(logits, "float32"), ops.cast(features, "float32")
        names = [task.name for task in self.tasks]
        if CLASS_LOGITS in self.heads:
            names.append(CLASS_LOGITS)
        predictions = {name: self.heads[name](features, training=training) for name in names}
        return Scores(
            self.conditioned_logits(logits, features, y, predictions), features, predictions
        )

    def _view(self, batch: TrainingBatch, step: Any) -> BatchView:
        return BatchView(
            batch,
            step,
            self.labels(batch),
            self._fake_labels(batch),
            self.generator,
            self.discriminate,
            self.augmentations,
        )

    def _fake_labels(self, batch: TrainingBatch) -> Tensor | None:
        return batch["fake_labels"] if self.conditional else None

    def _build_networks(self, generator: Any, discriminator: Any) -> None:
        if self.architecture is None:
            networks.check_both_given(type(self).__name__, generator, discriminator)
        self._given_generator = generator
        if generator is not None:
            networks.check_given_generator(generator, self.z_dim, self._y_shape(), self.image_shape)
        self.generator = self.make_generator() if generator is None else generator
        self.discriminator = networks.given_or_made_discriminator(
            discriminator,
            self.architecture,
            self.image_shape,
            self._y_shape(),
            self.discriminator_options(),
        )
        self._splits_halves = self.deprecated_split_disc_calls or needs_halves_apart(
            self.discriminator
        )
        features = networks.num_features(self.discriminator, self.image_shape, self._y_shape())
        spectral_norm = getattr(self.discriminator, "spectral_norm", False)
        self.heads = self.make_heads(features, bool(spectral_norm))

    def _y_shape(self) -> tuple[int, int] | None:
        """Shape of the labels of two images; None if unconditional."""
        return (2, self.num_classes) if self.conditional and self.num_classes else None
