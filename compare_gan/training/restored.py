"""Models restored from the checkpoints of a run."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from compare_gan.datasets import EvaluationLatents, LatentDistribution
from compare_gan.engine import Checkpoints
from compare_gan.sampling import Sampler, StandingStatistics
from compare_gan.training.averages import EMA
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class Description:
    """The properties of a run's data set that sampling and resuming need (`model.json`).

    Attributes:
      dataset: Name of the data set; None if it is not known.
      image_shape: [H, W, C].
      num_classes: Number of classes; None without labels.
      class_names: Names of the classes, or None.
      num_train: Number of images to train on; None if it is not known.
      background: Name of the colour that images are composited over; None if none is transparent.
    """

    dataset: str | None
    image_shape: tuple[int, int, int]
    num_classes: int | None
    class_names: list[str] | None
    num_train: int | None = None
    background: str | None = None

    @property
    def is_fake(self) -> bool:
        """Whether `--data_fake_dataset` has replaced the data set by noise."""
        return self.dataset is not None and self.dataset.endswith(" (fake)")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Description":
        """The description in the content of a file; other entries are ignored.

        Raises:
          KeyError, TypeError, ValueError: An entry is missing or has another type.
        """
        height, width, channels = map(int, values["image_shape"])
        classes, names = values["num_classes"], values["class_names"]
        num_train, background = values.get("num_train"), values.get("background")
        return cls(
            values["dataset"],
            (height, width, channels),
            None if classes is None else int(classes),
            None if names is None else list(map(str, names)),
            None if num_train is None else int(num_train),
            None if background is None else str(background),
        )


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """The options of a run that its model is rebuilt and sampled with.

    Attributes:
      options: Architecture, GAN and dimension of the latent.
      latents: Latents of evaluation and pictures.
      standing_statistics: Options of the batch-norm moments for sampling.
    """

    options: Options
    latents: LatentDistribution
    standing_statistics: StandingStatistics

    @classmethod
    def from_gin(cls) -> "ModelOptions":
        """The options as gin binds them now."""
        return cls(Options.from_gin(), EvaluationLatents(), StandingStatistics())


@dataclasses.dataclass(frozen=True)
class RestoredModel:
    """A model restored from a checkpoint of a run.

    Attributes:
      sampler: Sampler of its generator.
      step: Generator step of the checkpoint.
      weights: Kind of the sampler's weights, for provenance: `raw`, `ema`, or the description of
        another average.
      state: GAN with its discriminator, optimizers, seed.
    """

    sampler: Sampler
    step: int
    weights: str
    state: TrainState

    @property
    def averaged(self) -> bool:
        """Whether the sampler's weights are an average."""
        return self.weights != "raw"

    def with_average(self, values: Mapping[str, np.ndarray], weights: str) -> "RestoredModel":
        """The model with another average of the generator's weights; this one changes with it.

        Statistics that training has averaged over its last steps, such as the moments of batch
        norms, are replaced by those of this average; see `Sampler.estimate_moving_statistics`.

        Args:
          values: The average by the paths of the variables, as in checkpoints after the name of
            the average.
          weights: Its description.
        """
        variables = self.state.variables()
        for path, value in values.items():
            variables[f"{EMA}/{path}"].assign(value)
        self.state.update_sampling_generator(self.sampler.network)
        changed = {id(each) for each in self.sampler.estimate_moving_statistics()}
        sampled, trained = self.sampler.network.variables, self.state.gan.generator.variables
        for source, target in zip(sampled, trained, strict=True):
            if id(source) in changed:
                target.assign(ops.convert_to_numpy(source))
        return dataclasses.replace(self, weights=weights)


def restore(
    model: ModelOptions,
    description: Description,
    folder: str,
    checkpoint: str | None = None,
    use_ema: bool = True,
) -> RestoredModel:
    """Rebuilds a model and restores a checkpoint.

    Args:
      model: Options of the run.
      description: Image shape and classes.
      folder: Folder of the checkpoints, at least one.
      checkpoint: Path of a checkpoint; None for the newest readable one.
      use_ema: Whether to use the averaged generator weights if the run has them.

    Raises:
      UserError: The checkpoint is damaged or belongs to another model.
    """
    options = model.options
    gan = options.make_gan(description.image_shape, description.num_classes)
    state = TrainState(gan, 0, options.optimization, options.batch_size)
    checkpoints = Checkpoints(state, folder)
    if checkpoint is not None:
        checkpoints.restore(checkpoint)
    else:
        checkpoints.restore_newest()
    generator = state.make_sampling_generator()
    state.update_sampling_generator(generator, use_ema)
    sampler = Sampler(
        generator,
        options.z_dim,
        description.image_shape,
        num_classes=description.num_classes if gan.conditional else None,
        class_names=description.class_names,
        distribution=model.latents,
        standing_statistics=model.standing_statistics,
        logits=gan.logits,
    )
    return RestoredModel(sampler, checkpoints.step, EMA if state.ema and use_ema else "raw", state)
