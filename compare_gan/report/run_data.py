"""Collects everything that the page of a run shows, in arrays and texts."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from compare_gan import config, damaged, registry
from compare_gan.augmentations import Augmentation
from compare_gan.config import changes
from compare_gan.datasets import DataOptions, Dataset, get_dataset
from compare_gan.datasets.auto_extractor import AUTO, chosen_extractor
from compare_gan.evaluation import protocols
from compare_gan.labels import LabelOptions
from compare_gan.metrics.extractors import Extractor
from compare_gan.report import (
    run_augmentations,
    run_config,
    run_images,
    run_labels,
    run_neighbours,
    run_records,
)
from compare_gan.report.absent import AbsentError, Parts
from compare_gan.terminal import sentence_of
from compare_gan.training.checks import gan_without_variables
from compare_gan.training.images_file import ImageChoice
from compare_gan.training.restored import RestoredModel
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import Options
from compare_gan.training.trainings_file import Training

_Part = TypeVar("_Part")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunData:
    """Everything that the page of a run shows; a part is None if it cannot be shown.

    Attributes:
      summary: The run in short.
      scores: Scores with their provenance.
      config: Config, compared with defaults and with the files it was composed of.
      courses: Losses, accuracies, gradient norms, learning rates and images per second.
      monitoring: Values of monitors, and early warnings.
      samples: Samples, a row for each class.
      real: Training images in the same arrangement.
      augmentations: Training images as the discriminator sees them, a row for each augmentation.
      evolution: Samples of fixed latents at several steps.
      interpolations: Rows of images between two latents.
      neighbours: Samples beside their nearest training images.
      prd: PRD curve against training images.
      labels: Inferred labels.
      trainings: Processes that trained the run: machine and times.
      absent: For each part that is None, by name, a sentence that says why; without parts that such
        runs do not have.
    """

    summary: run_records.Summary
    scores: run_records.Scores | None = None
    config: run_config.Config | None = None
    courses: run_records.Courses | None = None
    monitoring: run_records.Monitoring | None = None
    samples: run_images.Rows | None = None
    real: run_images.Rows | None = None
    augmentations: run_images.Rows | None = None
    evolution: run_images.Evolution | None = None
    interpolations: run_images.Rows | None = None
    neighbours: run_neighbours.Neighbours | None = None
    prd: run_neighbours.Prd | None = None
    labels: run_labels.InferredLabels | None = None
    trainings: Sequence[Training] | None = None
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)


def collect_run(path: str, allow_imports: Sequence[str] = ()) -> RunData:
    """Collects everything that the page of a run shows.

    No more code is executed than by `compare_gan sample`: modules of the run need to be allowed,
    and features are extracted only by networks of this library.

    Args:
      path: The directory of the run.
      allow_imports: See `RunDir.load`.

    Raises:
      UserError: It is not a run directory, or a newer version of this library wrote it.

    Example:
      >>> from compare_gan.report.run_data import collect_run
      >>> collect_run("runs/missing")
      Traceback (most recent call last):
      compare_gan.errors.UserError: There is no directory 'runs/missing'.
    """
    run = RunDir(path)
    _ = run.config  # Refuses what is no run directory.
    with config.bindings_kept():
        config.parse()  # Defaults are those of the library; the user's bindings have no effect.
        summary = run_records.summarize(run)
        parts, model = Parts(), _Model(run, allow_imports)
        with_sampler = model.with_sampler
        makers: dict[str, Callable[[], object]] = {
            "scores": lambda: run_records.read_scores(run, summary.steps),
            "config": lambda: run_config.read_config(run),
            "courses": lambda: run_records.read_courses(run),
            "monitoring": lambda: run_records.read_monitoring(run),
            "samples": lambda: _samples(run, model),
            "real": lambda: run_images.real_images(run),
            "evolution": lambda: run_images.read_evolution(run),
            "interpolations": lambda: with_sampler(run_images.interpolate),
            "neighbours": lambda: run_neighbours.find_neighbours(model.compared),
            "prd": lambda: run_neighbours.measure_prd(model.compared),
            "labels": lambda: _labels(run, model),
            "trainings": lambda: run_records.read_trainings(run),
        }
        found: dict[str, Any] = {name: parts.collect(name, make) for name, make in makers.items()}
        found["augmentations"] = parts.collect(
            "augmentations",
            lambda: _augmentations(model, found["real"], found["samples"], found["courses"]),
        )
    return RunData(summary=summary, absent=parts.absent, **found)


def _samples(run: RunDir, model: "_Model") -> run_images.Rows:
    try:
        return model.with_sampler(run_images.draw_samples)
    except Exception as error:  # Whatever it is: there is something else to show.
        return run_images.stored_samples(run, f"None could be drawn: {sentence_of(error)}")


def _augmentations(
    model: "_Model",
    real: run_images.Rows | None,
    fake: run_images.Rows | None,
    courses: run_records.Courses | None,
) -> run_images.Rows:
    step = courses.steps[-1] if courses is not None else 0
    return run_augmentations.show_augmentations(model.augmentations, real, fake, courses, step)


def _labels(run: RunDir, model: "_Model") -> run_labels.InferredLabels:
    if run.training_labels() is None:
        raise AbsentError("The run is trained on given labels, or on none.", expected=True)
    folder, dataset, why = run.labels, None, ""
    try:
        folder = model.options.labels.label_folder(run.labels) or run.labels
        dataset = model.dataset
    except Exception as error:
        why = f"The data set cannot be read here: {sentence_of(error)}"
    return run_labels.read_labels(run, folder, dataset, why)


class _Model:
    """The newest model of a run, its data set and its extractor, each loaded when first needed.

    What fails once fails the same way each time.
    """

    def __init__(self, run: RunDir, allow_imports: Sequence[str]):
        self._run = run
        self._allow_imports = allow_imports
        self._failed: dict[str, Exception] = {}

    def with_sampler(self, draw: Callable[..., _Part]) -> _Part:
        """`draw(sampler, step)`, with the sampler of the newest checkpoint."""
        model = self._once("model", lambda: self._model)
        return draw(model.sampler, model.step)

    @property
    def options(self) -> "_Options":
        """The options of data and labels in the config of the run."""
        return self._once("options", lambda: self._options)

    @property
    def augmentations(self) -> Sequence[Augmentation]:
        """The augmentations of the run's GAN."""
        return self._once("augmentations", lambda: self._augmentations)

    @property
    def dataset(self) -> Dataset:
        """The data set that the run was trained on."""
        return self._once("dataset", lambda: self._dataset)

    @property
    def compared(self) -> run_neighbours.Compared:
        """Samples and training images to compare."""
        return self._once("compared", lambda: self._compared)

    def _once(self, name: str, get: Callable[[], _Part]) -> _Part:
        if name in self._failed:
            raise self._failed[name]
        try:
            return get()
        except Exception as error:
            self._failed[name] = error
            raise

    @functools.cached_property
    def _model(self) -> RestoredModel:
        return self._run.load(allow_imports=self._allow_imports)

    @contextlib.contextmanager
    def _parsed(self) -> Iterator[None]:
        """Context in which gin has the bindings of the run."""
        run = self._run
        copies = run.copies_of() if run.list_checkpoints() else None
        with config.bindings_kept():
            config.parse([run.config], allow_imports=self._allow_imports, copies=copies)
            yield

    @functools.cached_property
    def _augmentations(self) -> Sequence[Augmentation]:
        description = self._run.description
        if description is None:
            raise AbsentError("model.json is missing or damaged.")
        with self._parsed():
            gan = gan_without_variables(
                Options.from_gin(), description.image_shape, description.num_classes
            )
        return gan.augmentations

    @functools.cached_property
    def _options(self) -> "_Options":
        run = self._run
        with self._parsed():
            description = run.description
            fake = {"fake": True} if description and description.is_fake else {}
            data = DataOptions.from_gin(**fake)
            if run.class_order is not None:
                data = dataclasses.replace(data, class_order=run.class_order)
            data = dataclasses.replace(data, choose=ImageChoice(run.training_images))
            return _Options(data, LabelOptions.from_gin())

    @functools.cached_property
    def _dataset(self) -> Dataset:
        return get_dataset(self.options.data)

    @functools.cached_property
    def _compared(self) -> run_neighbours.Compared:
        model = self._once("model", lambda: self._model)
        extractor, why = self._extractor()
        return run_neighbours.compared(model.sampler, self.dataset, extractor, why)

    def _extractor(self) -> tuple[Extractor | None, str]:
        """The extractor of the run's evaluation if it is at hand; else None, and why."""
        # Only its name is taken from the config, which may bind anything.
        values = changes.values_as_written(damaged.read_text(self._run.config))
        name = values.get("evaluation.extractor", AUTO).strip("@'\"")
        if protocol := values.get("evaluation.protocol", "None").strip("'\""):
            name = name if protocol == "None" else str(protocols.get(protocol).extractor)
        name = chosen_extractor(name, [self.dataset.name])
        registry.load("extractor")
        known = name in registry.names("extractor")
        kind = registry.get("extractor", name) if known else None
        if kind is None or not kind.is_at_hand():
            return None, f"The weights of the extractor '{name}' are not on this machine."
        return kind(), ""


@dataclasses.dataclass(frozen=True)
class _Options:
    """The options of a run that show its data and inferred labels."""

    data: DataOptions
    labels: LabelOptions
