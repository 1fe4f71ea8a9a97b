"""Options of the evaluation of generators: the gin scope `evaluation`."""

import dataclasses
import functools
import inspect
from collections.abc import Sequence
from typing import Any

import gin
import numpy as np

from compare_gan import registry
from compare_gan.config import Mistakes
from compare_gan.datasets import Dataset, LatentDistribution
from compare_gan.datasets.auto_extractor import AUTO, chosen_extractor
from compare_gan.datasets.streams import StreamSource
from compare_gan.errors import UserError, check_positive_integer, unknown_name
from compare_gan.evaluation import protocols
from compare_gan.evaluation.applicable import applicable_metrics
from compare_gan.evaluation.class_frequencies import class_counts
from compare_gan.evaluation.image_sets import AS_IN_THE_DATA, IN_TURN, SplitImages
from compare_gan.evaluation.making_provenance import has_options
from compare_gan.evaluation.provenance import NONE, NOT_RECORDED
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.base import Metric, SetSize
from compare_gan.metrics.extractors import Extractor
from compare_gan.sampling import HeldOutImages, Sampler
from compare_gan.sampling.refinements import Refinement, describe_latents


@gin.configurable("evaluation")
@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Options of the evaluation of generators (gin scope `evaluation`).

    Attributes:
      metrics: Registered names of metrics; those that do not apply to a generator are left out.
      extractor: Registered name, or `auto`: `fashion_cnn` for Fashion-MNIST,
        `stacked_digits` for that data set, else `inception`.
      split: Reference split; None = that of the data set.
      num_real: Number of reference images, at most; None = the whole split.
      num_fake: Images in each set of samples; None = as many as reference images.
      batch_size: Images in one forward of generator and extractor.
      truncation: Truncation of the latents, or of the styles of StyleGAN2, in (0, 1].
      refinement: The choice of latents by the discriminator: a registered name, an object, or None.
      labels: Classes of the generated images: `as in the data`, with the frequencies that they have
        in the reference split (classes of equal size are drawn in turn), or `in turn`.
      seed: Seed of the first set of samples; those of the next sets count up.
      protocol: Name of a protocol, which sets metrics, extractor, split, num_real and num_fake.
      pictures: Write pictures that metrics draw (of the first set of samples) into the run
        directory.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.evaluation import EvaluationOptions
      >>> options = EvaluationOptions(protocol="fid50k_train")
      >>> options.metrics, options.num_fake
      (('fid',), 50000)
    """

    metrics: Sequence[Any] = ("fid", "inception_score", "class_agreement")
    extractor: Any = AUTO
    split: str | None = None
    num_real: int | None = 50_000
    num_fake: int | None = None
    batch_size: int = 100
    truncation: float = 1.0
    refinement: Any = None
    labels: str = AS_IN_THE_DATA
    seed: int = 0
    protocol: str | None = None
    pictures: bool = False

    def __post_init__(self) -> None:
        mistakes = Mistakes()
        for name in ("num_real", "num_fake", "batch_size"):
            value = getattr(self, name)
            if value is not None:
                with mistakes.noted():
                    check_positive_integer(f"evaluation.{name}", value)
        checks = (self._check_metrics, self._check_truncation, self._check_labels)
        for check in (*checks, self._apply_protocol):
            with mistakes.noted():
                check()
        mistakes.raise_any()

    def _check_metrics(self) -> None:
        if isinstance(self.metrics, str) or not self.metrics:
            raise UserError(
                f"evaluation.metrics must be a list of names, received {self.metrics!r}."
            )

    def _apply_protocol(self) -> None:
        for name, value in (self._protocol.settings() if self._protocol else {}).items():
            given, default = getattr(self, name), getattr(type(self), name)
            given = tuple(given) if name == "metrics" else given
            if given not in (default, value):
                raise UserError(
                    f"evaluation.protocol = '{self.protocol}' sets evaluation.{name} to {value!r}: "
                    f"leave it out, received {given!r}."
                )
            object.__setattr__(self, name, value)

    def _check_truncation(self) -> None:
        if not 0 < self.truncation <= 1:
            raise UserError(
                f"evaluation.truncation must be above 0 and at most 1, received "
                f"{self.truncation!r}."
            )

    def _check_labels(self) -> None:
        known = (AS_IN_THE_DATA, IN_TURN)
        if self.labels not in known:
            raise unknown_name("evaluation.labels", str(self.labels), known)

    # Looked up once, as the options are made: which extractor a protocol means depends on gin.
    @functools.cached_property
    def _protocol(self) -> protocols.Protocol | None:
        return protocols.get(self.protocol) if self.protocol else None

    def make_metrics(self) -> list[Metric]:
        """Builds the metrics; UserError for an unknown name."""
        if self._protocol:
            return self._protocol.make_metrics()
        return [registry.get("metric", name)() for name in self.metrics]

    def make_extractor(self, dataset_name: str) -> Extractor:
        """Builds the extractor; UserError if its name is unknown or its weights are missing."""
        extractor = registry.get("extractor", chosen_extractor(self.extractor, [dataset_name]))()
        if self._protocol:
            self._protocol.check_extractor(extractor)
        return extractor

    def make_refinement(self) -> Refinement | None:
        """Builds the refinement of latents; UserError for an unknown name."""
        found: Any = registry.get("refinement", self.refinement)
        if inspect.isclass(found):
            found = found()
        return found

    def reference(self, dataset: Dataset) -> SplitImages:
        """The reference images.

        Raises:
          UserError: There is no such split, or it is too small for the protocol.
        """
        split = self.split or dataset.eval_split
        if self._protocol:
            split = self._protocol.split_of(dataset.name, dataset.splits) or split
        reference = SplitImages.of(dataset, split, self.num_real)
        if self._protocol:
            self._protocol.check_count("real", reference.name, dataset.splits[split])
        return reference

    def class_counts(self, dataset: Dataset) -> tuple[int, ...] | None:
        """Sizes of the classes that labels of generated images follow; None = they take turns.

        They are those of the whole reference split (of a stream, those of the part that is used):
        in a part of it, sizes may be unequal by chance. Clusters take turns: the reference's images
        are in none.

        Args:
          dataset: The data set that the generator was trained on.
        """
        clusters = dataset.inferred is not None and dataset.inferred.num_clusters is not None
        if self.labels == IN_TURN or not dataset.num_classes or clusters:
            return None
        counts = _class_counts(dataset, self.reference(dataset))
        return None if min(counts) == max(counts) else counts

    def check(
        self,
        dataset: Dataset,
        latents: LatentDistribution,
        conditional: bool = True,
        *,
        z_dim: int,
        network: Any = None,
    ) -> None:
        """Raises UserError if a generator cannot be scored on this data set, before any work.

        Args:
          dataset: The data set.
          latents: Distribution of the generator's latents.
          conditional: Whether the generator has the classes of the data set.
          z_dim: Dimension of its latent.
          network: The generator, which need not have variables; None = one that does not truncate
            styles in place of latents.
        """
        sampler = Sampler(
            network,
            z_dim=z_dim,
            image_shape=dataset.image_shape,
            num_classes=dataset.num_classes if conditional else None,
            class_names=dataset.class_names,
            distribution=latents,
            truncation=self.truncation,
        )
        sampler.draw_z(1, self.seed)
        if refinement := self.make_refinement():
            refinement.check(HeldOutImages(dataset, sampler.num_classes))
        extractor = self.make_extractor(dataset.name)
        reference = self.reference(dataset)
        # To count the classes of a stream takes a pass over its records.
        if conditional and not _is_stream(dataset):
            sampler = dataclasses.replace(sampler, class_counts=self.class_counts(dataset))
        fake, real = self._set_sizes(dataset, reference, sampler)
        for metric in applicable_metrics(self.make_metrics(), extractor, sampler, dataset):
            metric.check_sizes(fake, real if metric.uses_real else None)

    def _set_sizes(
        self, dataset: Dataset, reference: SplitImages, sampler: Sampler
    ) -> tuple[SetSize, SetSize]:
        """Sizes of a set of samples and of the reference, with those of classes if known."""
        count = self.num_fake or reference.count
        labels, num_classes = sampler.draw_labels(count), sampler.num_classes
        if labels is None or num_classes is None:
            return SetSize(count), SetSize(reference.count)
        fake = SetSize(count, tuple(np.bincount(labels, minlength=num_classes).tolist()))
        clusters = dataset.inferred is not None and dataset.inferred.num_clusters is not None
        # Which classes are in a part of the split is seen when its images are read.
        if clusters or reference.count < dataset.splits[reference.split] or _is_stream(dataset):
            return fake, SetSize(reference.count)
        return fake, SetSize(reference.count, _class_counts(dataset, reference))

    def seeds(self, averaging_runs: int) -> list[int]:
        """Seeds of the sets of samples."""
        return [self.seed + i for i in range(averaging_runs)]

    def matches(
        self, row: ResultRow, dataset: Dataset, latents: LatentDistribution, averaging_runs: int
    ) -> bool:
        """Whether a row was measured with these options on this data set.

        No image is read (of a stream, the records are if the frequencies of its classes matter), so
        different images under the same name and in the same number are not noticed. The extractor
        is built only if all before it matches, and classes are counted last.

        Args:
          row: The row.
          dataset: The data set.
          latents: Distribution of the generator's latents.
          averaging_runs: Number of sets of samples.
        """
        reference = self.reference(dataset)
        expected = {
            "dataset": dataset.name,
            "split": reference.split,
            "num_real": reference.count,
            "num_fake": self.num_fake or reference.count,
            "latents": describe_latents(latents, self.make_refinement()),
            "truncation": float(self.truncation),
            "seeds": self.seeds(averaging_runs),
        }
        return (
            all(getattr(row.provenance, name) == value for name, value in expected.items())
            and _background_matches(row, dataset)
            and row.protocol_name == (self.protocol or "")
            and set(row.metrics) >= set(self.metric_names())
            and has_options(row.provenance, self.make_metrics(), dataset.num_classes)
            and self._extractor_and_scores_match(row, dataset)
            and self._labels_match(row, dataset)
        )

    def _labels_match(self, row: ResultRow, dataset: Dataset) -> bool:
        if row.provenance.labels == NONE:
            return True
        in_turn = self.class_counts(dataset) is None
        return row.provenance.labels == (IN_TURN if in_turn else AS_IN_THE_DATA)

    def _extractor_and_scores_match(self, row: ResultRow, dataset: Dataset) -> bool:
        extractor, provenance = self.make_extractor(dataset.name), row.provenance
        present = extractor.name, extractor.weights_hash, extractor.resizer
        if present != (provenance.extractor, provenance.extractor_hash, provenance.resizer):
            return False
        return all(
            f"{metric.score_name(extractor)}_{suffix}" in row.scores
            for metric in self.make_metrics()
            for suffix in metric.added_scores()
        )

    def metric_names(self) -> tuple[str, ...]:
        """Names of the requested metrics."""
        return tuple(getattr(metric, "__name__", str(metric)) for metric in self.metrics)


def _is_stream(dataset: Dataset) -> bool:
    return isinstance(dataset.source, StreamSource)


def _background_matches(row: ResultRow, dataset: Dataset) -> bool:
    """Whether transparent images had this background; older rows record none."""
    background = dataset.source.background
    recorded = row.provenance.background
    return recorded == background if background else recorded in (NONE, NOT_RECORDED)


def _class_counts(dataset: Dataset, reference: SplitImages) -> tuple[int, ...]:
    return tuple(class_counts(dataset, reference.split, reference.count).tolist())
