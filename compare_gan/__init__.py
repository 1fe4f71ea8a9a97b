"""Interchangeable GAN parts, a runner that trains any combination of them, and S³GAN.

A room is imported when it is first used, so `import compare_gan` alone loads neither TensorFlow nor
Keras, and `compare_gan.losses.hinge` works after it.

Parts to use in your own code
  losses          from real and fake logits to the losses of both networks
  penalties       gradient penalties, weight decay, LeCam
  augmentations   differentiable changes of the images that the discriminator sees
  schedules       numbers of training as functions of the step
  layers          Keras layers: spectral normalization, batch norms, attention, residual blocks
  architectures   generators and discriminators, from DCGAN to BigGAN-deep
  gans            what is minimised: ModularGAN, SSGAN, S3GAN
  datasets        data sets by name, and the batches that training and evaluation take
  metrics         FID, KID, precision and recall, …: functions of arrays; feature extractors

From a config to a trained model and its scores
  config          gin files: parsing, names of example configs, messages about mistakes
  training        the runner: experiment, trainer, run directory
  labels          labels for every image, inferred from a few or from none
  sampling        Sampler: a generator, its latents and classes; grids and files of images
  evaluation      scores of generators and of any two sets of images; protocols
  hub             models out and in: export, models of the 2019 library
  plots           grids of images, curves of losses
  studies         many runs: every combination of some values, several seeds of each
  report          pages of runs and studies: HTML files that open from disk

Under them
  backend         the operations that keras.ops lacks
  engine          the loop of every training: one update, checkpoints, devices, precision
  registry        parts by kind and name, and how to add your own
  folders         folders of images and zips: their files, classes and splits
  files           whole files, locks, hashes
  errors          UserError: a user's mistake in one sentence

Shortcuts
  load_generator(run)   the Sampler of a trained run: draws images
  score(real, fake)     scores of one set of images against another

The command line is `compare_gan --help`; `compare_gan list` names all parts.
"""

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare_gan import (
        architectures,
        augmentations,
        backend,
        config,
        datasets,
        engine,
        errors,
        evaluation,
        files,
        folders,
        gans,
        hub,
        labels,
        layers,
        losses,
        metrics,
        penalties,
        plots,
        registry,
        report,
        sampling,
        schedules,
        studies,
        training,
    )
    from compare_gan.evaluation.scoring import SetScores

__version__ = "4.0.0.dev0"

__all__ = [
    "__version__",
    "architectures",
    "augmentations",
    "backend",
    "config",
    "datasets",
    "engine",
    "errors",
    "evaluation",
    "files",
    "folders",
    "gans",
    "hub",
    "labels",
    "layers",
    "load_generator",
    "losses",
    "metrics",
    "penalties",
    "plots",
    "registry",
    "report",
    "sampling",
    "schedules",
    "score",
    "studies",
    "training",
]


def load_generator(
    run: str,
    checkpoint: str | int | None = None,
    use_ema: bool = True,
    allow_imports: Sequence[str] = (),
) -> "sampling.Sampler":
    """Restores the generator of a trained run; reads no training data.

    Gin's bindings are replaced by those of the run.

    Example:
      >>> import compare_gan
      >>> sampler = compare_gan.load_generator("runs/s3gan")  # doctest: +SKIP
      >>> images, labels = sampler.sample(16)  # doctest: +SKIP

    Args:
      run: Run directory that `compare_gan train` or `import-weights` wrote.
      checkpoint: Step or path of a checkpoint; None for the newest.
      use_ema: Whether to use the moving average of the weights if the run has one.
      allow_imports: Modules that the config of the run may import though they are not installed,
        or folders `modules/<step>` of a run with copies that it may import; modules that have been
        imported before may always be named.

    Returns:
      The generator with its latent distribution and its classes.

    Raises:
      UserError: The directory or the checkpoint is missing, they do not match, or the config
        imports a module that is not allowed.
    """
    from compare_gan.training.run_dir import RunDir

    return RunDir(run).load(checkpoint, use_ema, allow_imports).sampler


def score(
    real: Any,
    fake: Any,
    metrics: Sequence[Any] = (),
    extractor: Any = "auto",
    *,
    num_real: int | None = None,
    num_fake: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
    protocol: str | None = None,
    on_error: str = "stop",
    pictures: bool = False,
    progress: bool = False,
    background: str = "white",
    devices: Sequence[Any] = (),
) -> "SetScores":
    """Scores a set of images against another one.

    A set is an array (uint8 [n, H, W, C]), a folder or `.zip` of images, an `.npz` file, or a data
    set by name, with or without a split (`cifar10:test`).

    Args:
      real: The reference; None if no metric compares with one.
      fake: The images to score.
      metrics: Registered names, classes or instances of `metrics.Metric`; FID if empty.
      extractor: Registered name, class or instance of `metrics.extractors.Extractor`; `auto` is
        `fashion_cnn` where a set is Fashion-MNIST by name, else `inception`.
      num_real: Number of real images to use; None for all.
      num_fake: Number of fake images to use; None for all.
      batch_size: Number of images in one forward pass of the extractor.
      seed: Seed of the order of the images, and so of the choice where not all are used.
      protocol: Name of a protocol, which sets metrics, extractor, `num_real` and `num_fake`.
      on_error: Reaction to a file that is not an image: `stop` or `skip`.
      pictures: Whether metrics draw pictures.
      progress: Whether to show progress on standard error.
      background: Colour that images with an alpha channel are composited over: its name, or
        `#rrggbb`.
      devices: Devices that share the work, e.g. those of `engine.peers`; empty for the default one.

    Returns:
      The scores by name, and how they were measured.

    Raises:
      UserError: A name is unknown, or a set cannot be read, is too small, or does not suit a
        metric.

    Example:
      >>> import numpy as np
      >>> import compare_gan
      >>> random = np.random.RandomState(0)
      >>> real, fake = random.randint(256, size=(2, 8, 28, 28, 1)).astype(np.uint8)
      >>> result = compare_gan.score(real, fake, metrics=["vendi"], extractor="fashion_cnn")
      >>> list(result.scores)
      ['vendi_fashion_cnn']
    """
    from compare_gan.evaluation.scoring import score_sets

    return score_sets(
        real,
        fake,
        metrics,
        extractor,
        num_real=num_real,
        num_fake=num_fake,
        batch_size=batch_size,
        seed=seed,
        protocol=protocol,
        on_error=on_error,
        pictures=pictures,
        progress=progress,
        background=background,
        devices=devices,
    )


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
