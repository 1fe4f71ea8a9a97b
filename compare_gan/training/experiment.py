"""A resolved config: the options of a run, its data and its evaluation."""

import dataclasses
import functools
import logging
from typing import Any

from compare_gan import labels, registry
from compare_gan.config import Bindings, Mistakes, config_text, is_bound, located
from compare_gan.config.checks import check_bindings, check_macros
from compare_gan.config.module_sources import ModuleSources, find_sources
from compare_gan.datasets import (
    DataOptions,
    Dataset,
    EvaluationLatents,
    LatentDistribution,
    TrainingLatents,
    get_dataset,
    outline,
)
from compare_gan.datasets.data_options import Chooser
from compare_gan.engine import Strategy, announced, mixed_precision
from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.gans import ModularGAN
from compare_gan.layers import ConditionalBatchNorm
from compare_gan.sampling import StandingStatistics
from compare_gan.training.checks import (
    check_gan,
    check_spellings,
    gan_without_variables,
    warn_of_another_normalization,
)
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.restored import ModelOptions
from compare_gan.training.run_options import Options, RunConfig
from compare_gan.training.trackers import Tracker

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A resolved config: the options of a run, its data and its evaluation.

    Attributes:
      options: GAN, architecture, sizes of batches and latents, number of steps.
      run_config: Seed, intervals of checkpoints and pictures, precision, devices.
      data: Data set, label files, crops.
      evaluation: Metrics, extractor, numbers of images.
      latents: Latents of training.
      eval_latents: Latents of evaluation and pictures.
      standing_statistics: Options of the batch-norm moments for sampling.
      label_options: Options of label inference.
      config_text: All bindings of the config.
      bindings: The same for gin: parts are built, and steps traced, while they are active.
      modules: Sources of the modules of the user's own that the config needs.
      prepared: The data set with its inferred labels; None before they exist.

    Example:
      >>> from compare_gan import config
      >>> from compare_gan.training import Experiment
      >>> config.parse(["s3gan_fashion_mnist"], ["options.training_steps = 10"])
      >>> experiment = Experiment.from_gin()
      >>> experiment.options.training_steps, experiment.dataset.image_shape
      (10, (28, 28, 1))
    """

    options: Options
    run_config: RunConfig
    data: DataOptions
    evaluation: EvaluationOptions
    latents: LatentDistribution
    eval_latents: LatentDistribution
    standing_statistics: StandingStatistics
    label_options: labels.LabelOptions
    config_text: str = ""
    bindings: Bindings = dataclasses.field(default_factory=Bindings, repr=False, compare=False)
    modules: ModuleSources = dataclasses.field(
        default_factory=ModuleSources, repr=False, compare=False
    )
    prepared: Dataset | None = None

    @classmethod
    def from_gin(
        cls, mistakes: Mistakes | None = None, /, **dataset_overrides: Any
    ) -> "Experiment":
        """Creates the experiment that gin's bindings describe (see `config.parse`).

        Args:
          mistakes: Mistakes that `config.parse` has found, to be raised with those found here.
          **dataset_overrides: Values of the scope `dataset` that win over gin's.

        Raises:
          UserError: A required value is missing, a value is not allowed, or a name is unknown.
          MistakesError: There are several mistakes.
        """
        mistakes = Mistakes() if mistakes is None else mistakes
        before = len(mistakes.errors)
        with mistakes.noted():
            check_macros()
        if len(mistakes.errors) > before:
            mistakes.raise_any()  # Nothing is known of the values that refer to it.
        with mistakes.noted():
            check_bindings(OptimizationOptions)
        parts: dict[str, Any] = {}
        for name, make in (
            ("options", Options.from_gin),
            ("run_config", RunConfig),
            ("data", functools.partial(DataOptions.from_gin, **dataset_overrides)),
            ("evaluation", EvaluationOptions),
            ("latents", TrainingLatents),
            ("eval_latents", EvaluationLatents),
            ("standing_statistics", StandingStatistics),
            ("label_options", labels.LabelOptions.from_gin),
        ):
            with mistakes.noted(), located():
                parts[name] = make()
                if name == "options" and not mistakes.errors:
                    check_spellings(parts[name])
        mistakes.raise_any()
        text = config_text()
        # Read now: the labels may take hours, in which the user may edit the files.
        return cls(**parts, config_text=text, modules=find_sources(text))

    @property
    def model_options(self) -> ModelOptions:
        """The options that a trained model is rebuilt and sampled with."""
        return ModelOptions(self.options, self.eval_latents, self.standing_statistics)

    def with_class_order(self, names: tuple[str, ...] | None) -> "Experiment":
        """The experiment with the classes in the order that a run was begun with.

        Args:
          names: Names of the classes, see `RunDir.class_order`; None = no change.
        """
        if names is None or self.prepared is not None or self.data.class_order == names:
            return self
        data = dataclasses.replace(self.data, class_order=names)
        return dataclasses.replace(self, data=data)

    def with_image_choice(self, choose: Chooser) -> "Experiment":
        """The experiment in which this decides which images to train on, unless something does.

        Args:
          choose: See `DataOptions.choose`.
        """
        if self.prepared is not None or self.data.choose is not None:
            return self
        return dataclasses.replace(self, data=dataclasses.replace(self.data, choose=choose))

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data set, read on first use: a strategy of several hosts has to be created earlier.

        Inferred labels are pending before `with_labels`.

        Raises:
          UserError: See `datasets.get_dataset`.
        """
        if self.prepared is not None:
            return self.prepared
        with located("dataset.name"), announced("Reading the data set"):
            dataset = get_dataset(self.data)
        if dataset.inferred is None:
            return dataset
        return labels.with_pending_labels(dataset, self.label_options)

    def with_labels(self, label_dir: str, strategy: Strategy) -> "Experiment":
        """The experiment with the labels that its data set asks for, inferred if necessary.

        Args:
          label_dir: Directory of the labels, unless the config names one.
          strategy: Distribution strategy for the training of the network.

        Raises:
          UserError, DivergenceError: As `labels.infer`.
        """
        if self.dataset.inferred is None or self.dataset.inferred.labels is not None:
            return self
        folder = self.label_options.label_folder(label_dir)
        assert folder is not None
        with self.bindings.active(), located("dataset.inferred_labels"):
            prepared = labels.infer(
                self.dataset,
                folder,
                self.label_options,
                config_text=self.config_text,
                strategy=strategy,
            )
        return dataclasses.replace(self, prepared=prepared)

    def check_labels(self, label_dir: str | None) -> None:
        """Raises UserError if labels have to be inferred but cannot be; reads no images.

        Args:
          label_dir: See `with_labels`; None = no run.
        """
        if self.dataset.inferred is not None and self.dataset.inferred.labels is None:
            with located("dataset.inferred_labels"):
                options = self.label_options
                folder = options.label_folder(label_dir)
                labels.check_given_labels(self.dataset, folder, options)

    def check(self, num_replicas: int = 1, label_dir: str | None = None) -> None:
        """Raises UserError for mistakes that would end the run later; reads no data if possible.

        Data is read only if nothing but its files shows the shape of the images. Independent
        mistakes are raised together.

        Args:
          num_replicas: Number of replicas that share a batch.
          label_dir: See `with_labels`; None = no training.
        """
        with located("dataset.name"):
            dataset = outline(self.data) or self.dataset
        soft = False
        if dataset.inferred is not None:
            with located("dataset.inferred_labels"):
                options = self.label_options
                options.check(dataset)
                soft = options.infer.soft
                if label_dir is not None:
                    folder = options.label_folder(label_dir)
                    labels.check_batch_sizes(folder, options, num_replicas)
                dataset = labels.with_pending_labels(dataset, options)
        mistakes = Mistakes()
        with mistakes.noted(), self.bindings.active(), located("evaluation.metrics"):
            self.evaluation.make_metrics()
        for tracker in self.make_trackers().values():
            with mistakes.noted(), located("run_config.trackers"):
                tracker.check()
        for latents in (self.latents, self.eval_latents):
            with mistakes.noted(), located(f"{latents.scope}.distribution_fn"):
                latents.draw([1, self.options.z_dim], seed=[0, 0])
        with mistakes.noted(), self.bindings.active():
            check_gan(
                self.options,
                dataset.image_shape,
                dataset.num_classes,
                num_replicas,
                soft,
                self.run_config.microbatches,
            )
        mistakes.raise_any()

    def make_trackers(self) -> dict[str, Tracker]:
        """The trackers of the run by name, not started; UserError for an unknown name."""
        with self.bindings.active():
            return {
                each if isinstance(each, str) else each.__name__: registry.get("tracker", each)()
                for each in self.run_config.trackers
            }

    def check_evaluation(self) -> None:
        """Raises UserError if trained networks could not be scored; opens the data set."""
        with self.bindings.active():
            dataset = self.dataset
            gan = gan_without_variables(self.options, dataset.image_shape, dataset.num_classes)
            self.evaluation.check(
                dataset,
                self.eval_latents,
                gan.conditional,
                z_dim=self.options.z_dim,
                network=gan.generator,
            )

    def make_gan(self) -> ModularGAN:
        """The GAN of this experiment, networks built, in the precision of `run_config`."""
        with self.bindings.active():
            return self._make_gan()

    def _make_gan(self) -> ModularGAN:
        with located("options.architecture"), mixed_precision(self.run_config.mixed_precision):
            gan = self.options.make_gan(self.dataset.image_shape, self.dataset.num_classes)
        warn_of_another_normalization(gan.generator)
        norm = getattr(getattr(gan.generator, "batch_norm_fn", None), "layer_class", None)
        if norm is ConditionalBatchNorm and not is_bound("conditional_batch_norm.centered"):
            _log.info(
                "conditional_batch_norm.centered is not set: gamma is 1 + y·W, as in the papers; "
                "False gives the y·W of the 2019 library."
            )
        if is_bound("weights.stddev"):
            _log.info(
                "weights.stddev has an effect here, which it did not have in the 2019 library: "
                "leave it out for that library's 0.02."
            )
        return gan
