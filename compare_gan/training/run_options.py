"""The options of a run: the gin scopes `options` and `run_config`."""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import gin

from compare_gan import registry
from compare_gan.config import Mistakes
from compare_gan.config.gin_internals import is_bound_in_any_scope
from compare_gan.errors import UserError, check_positive_integer, check_range, unknown_name
from compare_gan.gans import ModularGAN
from compare_gan.schedules import Scheduled
from compare_gan.schedules import check_range as check_scheduled_range
from compare_gan.training.objective import DiffAugmentOptions, LossOptions, PenaltyOptions
from compare_gan.training.optimization import OptimizationOptions

PRECISIONS = ("bfloat16", "float16")
ON_DIVERGENCE = ("stop", "rollback")
DISTRIBUTIONS = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


@gin.configurable("options", denylist=["loss", "penalty", "diff_augment", "optimization"])
@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the GAN and its training (gin scope `options`).

    Attributes:
      gan_class: Class of the GAN: a reference (`@S3GAN`) or a registered name.
      architecture: Name of the family of both networks, e.g. `resnet_biggan_arch`; None if gin
        binds `generator` and `discriminator` under the name of the GAN.
      batch_size: Global batch size, over all replicas.
      training_steps: Generator steps to train.
      disc_iters: Discriminator steps before each generator step.
      lamba: Weight of the penalty function `penalty.fn` (spelled so since 2018).
      z_dim: Dimension of the latent.
      discriminator_normalization: Accepted for old configs; has no effect (use the scope `D`).
      loss: Loss in the spelling of 2019; read from gin's scope `loss`.
      penalty: Penalty in the spelling of 2019; read from gin's scope `penalty`.
      diff_augment: Augmentation in the spelling of a descendant of the 2019 library; read from
        gin's scope `DiffAugment`.
      optimization: Learning rates, optimizers and moving average; None = those that gin binds under
        the name of the GAN.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.training.run_options import Options
      >>> options = Options("ModularGAN", "dcgan_arch", batch_size=64, training_steps=1000)
      >>> gan = options.make_gan(image_shape=(32, 32, 3), num_classes=None)
      >>> type(gan.generator).__name__, gan.z_dim
      ('Generator', 128)
    """

    gan_class: Any = gin.REQUIRED
    architecture: Any = gin.REQUIRED
    batch_size: int = gin.REQUIRED
    training_steps: int = gin.REQUIRED
    disc_iters: int = 1
    lamba: Scheduled = 1
    z_dim: int = 128
    discriminator_normalization: Any = None
    loss: LossOptions = dataclasses.field(default_factory=LossOptions)
    penalty: PenaltyOptions = dataclasses.field(default_factory=PenaltyOptions)
    diff_augment: DiffAugmentOptions = dataclasses.field(default_factory=DiffAugmentOptions)
    optimization: OptimizationOptions | None = None

    def __post_init__(self) -> None:
        mistakes = Mistakes()
        for name in ("batch_size", "training_steps", "disc_iters", "z_dim"):
            with mistakes.noted():
                check_positive_integer(f"options.{name}", getattr(self, name))
        with mistakes.noted():
            check_scheduled_range("options.lamba", self.lamba)
        mistakes.raise_any()
        if self.architecture is None and not _has_networks(registry.get("gan", self.gan_class)):
            raise UserError(
                "The config gives no value for options.architecture, which every run needs."
            )

    @property
    def images_per_step(self) -> int:
        """Number of real images that the discriminator sees in a generator step."""
        return self.disc_iters * self.batch_size

    @classmethod
    def from_gin(cls) -> "Options":
        """The options as gin binds them now; the architecture may be missing beside networks."""
        bound = gin.get_bindings("options")
        gan_class = registry.get("gan", bound.get("gan_class"))
        if "architecture" not in bound and gan_class is not None and _has_networks(gan_class):
            return cls(architecture=None)
        return cls()

    def make_gan(self, image_shape: tuple[int, int, int], num_classes: int | None) -> ModularGAN:
        """Builds the GAN, both networks included, for images of this shape ([H, W, C]).

        Options in the old spellings are passed as arguments unless they have their default values;
        then gin's bindings of the GAN's own arguments (`ModularGAN.loss`) apply.
        """
        objective = self.loss.arguments() | self.penalty.arguments(self.lamba)
        objective |= self.diff_augment.arguments()
        gan_class = registry.get("gan", self.gan_class)
        return gan_class(
            image_shape=tuple(image_shape),
            num_classes=num_classes,
            architecture=registry.get("architecture", self.architecture),
            z_dim=self.z_dim,
            disc_iters=self.disc_iters,
            **objective,
        )


def _has_networks(gan_class: Any) -> bool:
    """Whether gin binds both networks of a GAN; what a function passes cannot be known."""
    return not inspect.isclass(gan_class) or all(
        is_bound_in_any_scope(gan_class, name) for name in ("generator", "discriminator")
    )


@gin.configurable("run_config")
@dataclasses.dataclass(frozen=True)
class RunConfig:
    """How a run is executed (gin scope `run_config`).

    Attributes:
      tf_random_seed: Seed of weights, batches and noise; None draws one and records it.
      single_core: Whether to use one device where there are several.
      iterations_per_loop: Generator steps between records of scalars, and the maximum number in one
        call of the compiled function, which takes a few seconds at most.
      save_checkpoints_steps: Generator steps between checkpoints.
      keep_checkpoint_max: Number of checkpoints to keep, without damaged ones.
      sample_steps: Generator steps between sample grids; None = `save_checkpoints_steps`.
      deterministic: Whether to make the results of equal runs equal bit by bit; see
        `engine.make_deterministic`, and `autotune`.
      jit_compile: Whether to compile a step with XLA; None = only on GPU and TPU.
      winograd: Whether large convolutions may be computed in other forms than directly, in
        training: by Winograd's algorithm, or with a kernel of one pixel as a product of matrices.
        Results are equal up to rounding. False = all are direct. True = `autotune` or the fixed
        rule chooses the forms, which may be the direct ones. None = True on CPU, unless XLA
        compiles the step, which chooses algorithms itself. Winograd's algorithm needs more memory
        (SNDCGAN at batch 64: 1.8 instead of 1.3 GiB) and, the first time, takes 20 s to compile.
      autotune: Whether to measure the forms of each large convolution when a training begins, and
        use the fastest. The times are cached for the machine; the forms are recorded in the run,
        which uses them again when it is resumed. False = the fixed rule: Winograd's algorithm for
        convolutions with at least 128 channels. None = True, or False if `deterministic`, because
        an equal run may measure other times; if both are True, only a resumed run is equal to an
        uninterrupted one. Forms are measured on CPU without XLA and on one host; elsewhere, if
        `winograd` is True, and in runs that were begun without measurements, the fixed rule
        applies. No effect where `winograd` is off.
      mixed_precision: Type in which the networks compute during training: `bfloat16`, `float16`
        (with a dynamic loss scale), or None for Keras's setting, by default float32. Variables,
        optimizers, moments, losses, sampling and evaluation are always float32.
      distribution: One of `auto`, `one_device`, `mirrored`, `multi_worker`, `tpu`.
      shard_state: Whether weights, optimizer state and averages are divided among the devices, as
        far as their shapes allow, instead of repeated on each
        (ZeRO, https://arxiv.org/abs/1910.02054); JAX only.
      microbatches: Number of parts in which each device computes its share of a batch, one after
        the other, before one update: less memory for the same batch. Statistics over a batch
        (batch norm's moments, minibatch deviations, relativistic averages, means over labelled
        examples, the current means in the averages of `lecam` and `path_length`), contrasts and
        neighbours (`mode_seeking`, `apa`), the examples that `path_length` takes, the maximum
        (`max_gp`) and the best images (`top_k`) are then those of a part.
      remat: Whether the backward pass computes residual blocks anew instead of storing their
        intermediate results: less memory for more time, with equal results.
      on_divergence: The answer to values or weights that are not finite: `stop` ends the run;
        `rollback` goes on from the last checkpoint with other data and noise, at most
        `max_rollbacks` times in a run.
      max_rollbacks: Maximum number of rollbacks in a run, its resumptions included.
      monitors: Whether to watch the training for trouble, at each sample grid, and warn of it.
      trackers: Trackers that get the records of the run: names (`["mlflow"]`) or references; see
        `training.trackers`.
      compilation_cache: Whether compiled programs are kept on disk under JAX, or the folder for
        them; see `engine.use_compilation_cache`.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.training.run_options import RunConfig
      >>> RunConfig(tf_random_seed=1).save_checkpoints_steps
      5000
    """

    tf_random_seed: int | None = None
    single_core: bool = False
    iterations_per_loop: int = 1000
    save_checkpoints_steps: int = 5000
    keep_checkpoint_max: int = 1000
    sample_steps: int | None = None
    deterministic: bool = False
    jit_compile: bool | None = None
    winograd: bool | None = None
    autotune: bool | None = None
    mixed_precision: str | None = None
    distribution: str = "auto"
    shard_state: bool = False
    microbatches: int = 1
    remat: bool = False
    on_divergence: str = "stop"
    max_rollbacks: int = 3
    monitors: bool = True
    trackers: Sequence[Any] = ()
    compilation_cache: bool | str = True

    def __post_init__(self) -> None:
        mistakes = Mistakes()
        if self.tf_random_seed is not None:
            with mistakes.noted():
                check_range("run_config.tf_random_seed", self.tf_random_seed, -(2**63), 2**63 - 1)
        for name in (
            "iterations_per_loop",
            "save_checkpoints_steps",
            "keep_checkpoint_max",
            "microbatches",
            "max_rollbacks",
        ):
            with mistakes.noted():
                check_positive_integer(f"run_config.{name}", getattr(self, name))
        if self.sample_steps is not None:
            with mistakes.noted():
                check_positive_integer("run_config.sample_steps", self.sample_steps)
        for check in (self._check_compilation, self._check_names):
            with mistakes.noted():
                check()
        mistakes.raise_any()

    def _check_compilation(self) -> None:
        if self.winograd and self.jit_compile:
            raise UserError(
                "run_config.winograd and run_config.jit_compile exclude each other: XLA chooses "
                "how to convolve itself."
            )

    def _check_names(self) -> None:
        if not isinstance(self.trackers, (list, tuple)):
            raise UserError(
                f"run_config.trackers must be a list of trackers, received {self.trackers!r}."
            )
        if self.on_divergence not in ON_DIVERGENCE:
            raise unknown_name("run_config.on_divergence", self.on_divergence, ON_DIVERGENCE)
        if self.mixed_precision not in (None, *PRECISIONS):
            raise UserError(
                f"run_config.mixed_precision must be {', '.join(PRECISIONS)} or None, received "
                f"'{self.mixed_precision}'."
            )
        if self.distribution not in DISTRIBUTIONS:
            raise UserError(
                f"run_config.distribution must be one of {', '.join(DISTRIBUTIONS)}, received "
                f"'{self.distribution}'."
            )
