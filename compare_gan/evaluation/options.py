"""How generators are scored: the gin scope `evaluation`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import gin

from compare_gan import registry
from compare_gan.datasets import Dataset, LatentDistribution
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.evaluation import protocols
from compare_gan.evaluation.metric_options import had_options
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.base import Metric


@gin.configurable("evaluation")
@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """How generators are scored (gin scope `evaluation`).

    Attributes:
      metrics: Registered names of metrics; one without meaning for a generator is left out for it.
      extractor: Registered name, or `auto`: `fashion_cnn` for Fashion-MNIST, else `inception`.
      split: Reference split; None = the data set's.
      num_real: Number of reference images, at most; None = the whole split.
      num_fake: Images in each set of samples; None = as many as reference images.
      batch_size: Images in one forward of generator and extractor.
      truncation: Of the latents.
      seed: Of the first set of samples; the next ones count up.
      protocol: Name of a protocol, which sets metrics, extractor, split, num_real and num_fake.
      pictures: Write what metrics draw (of the first set of samples) into the model directory.
    """

    metrics: Sequence[Any] = ("fid", "inception_score", "class_agreement")
    extractor: Any = "auto"
    split: str | None = None
    num_real: int | None = 50_000
    num_fake: int | None = None
    batch_size: int = 100
    truncation: float = 1.0
    seed: int = 0
    protocol: str | None = None
    pictures: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.metrics, str) or not self.metrics:
            raise UserError(
                f"evaluation.metrics must be a list of names, received {self.metrics!r}."
            )
        for name in ("num_real", "num_fake", "batch_size"):
            value = getattr(self, name)
            if value is not None:
                check_positive_integer(f"evaluation.{name}", value)
        for name, value in (self._named.settings() if self._named else {}).items():
            given, default = getattr(self, name), getattr(type(self), name)
            given = tuple(given) if name == "metrics" else given
            if given not in (default, value):
                raise UserError(
                    f"evaluation.protocol = '{self.protocol}' sets evaluation.{name} to {value!r}: "
                    f"leave that out, received {given!r}."
                )
            object.__setattr__(self, name, value)
        if not 0 < self.truncation <= 1:
            raise UserError(
                f"evaluation.truncation must be above 0 and at most 1, received "
                f"{self.truncation!r}."
            )

    @property
    def _named(self) -> protocols.NamedProtocol | None:
        return protocols.get(self.protocol) if self.protocol else None

    def make_metrics(self) -> list[Metric]:
        """The metrics, built; UserError for a name that is not known."""
        if self._named:
            return self._named.make_metrics()
        return [registry.get("metric", name)() for name in self.metrics]

    def make_extractor(self, dataset_name: str) -> Any:
        """The extractor, built; UserError if its name is not known or its weights not there."""
        extractor = registry.get("extractor", self._extractor_name(dataset_name))()
        if self._named:
            self._named.check_extractor(extractor)
        return extractor

    def reference_split(self, dataset: Dataset) -> str:
        """The reference split; UserError if it is not there, or too small for the protocol."""
        split = self.split or dataset.eval_split
        if self._named:
            split = self._named.split_of(dataset.name, dataset.splits) or split
        dataset.check_split(split)
        if self._named:
            self._named.check_count("real", f"{dataset.name}:{split}", dataset.splits[split])
        return split

    def check(self, dataset: Dataset, latents: LatentDistribution) -> None:
        """Raises UserError if a generator cannot be scored on this data set, before any work.

        Args:
          dataset: The data set.
          latents: Distribution of the generator's latents.
        """
        self.make_extractor(dataset.name)
        num_real, num_fake = self._counts(dataset, self.reference_split(dataset))
        for metric in self.make_metrics():
            if "labels" in metric.needs:  # It is left out for a generator without classes.
                continue
            for count in {num_fake, num_real if metric.uses_real else num_fake}:
                metric.statistics(count)  # Some cannot be had of so few.
        latents.draw([1, 1], [self.seed, 0], self.truncation)

    def seeds(self, averaging_runs: int) -> list[int]:
        """One for each set of samples."""
        return [self.seed + i for i in range(averaging_runs)]

    def produced(
        self, row: ResultRow, dataset: Dataset, latents: LatentDistribution, averaging_runs: int
    ) -> bool:
        """Whether a row was measured as these options say on this data set.

        No image is read, so other images under the same name and in the same number are not
        noticed; the extractor is built only if all else is as it should be.
        """
        split = self.reference_split(dataset)
        num_real, num_fake = self._counts(dataset, split)
        expected = dict(
            dataset=dataset.name,
            split=split,
            num_real=num_real,
            num_fake=num_fake,
            latents=latents.describe(),
            truncation=float(self.truncation),
            seeds=self.seeds(averaging_runs),
        )
        return (
            all(getattr(row.protocol, name) == value for name, value in expected.items())
            and row.protocol_name == (self.protocol or "")
            and set(row.metrics) >= set(self.metric_names())
            and had_options(row.protocol, self.make_metrics(), dataset.num_classes)
            and self._has_extractor_and_scores(row, dataset)
        )

    def _counts(self, dataset: Dataset, split: str) -> tuple[int, int]:
        """Numbers of reference images and of images in each set of samples."""
        size = dataset.splits[split]
        num_real = min(self.num_real or size, size)
        return num_real, self.num_fake or num_real

    def _has_extractor_and_scores(self, row: ResultRow, dataset: Dataset) -> bool:
        extractor, protocol = self.make_extractor(dataset.name), row.protocol
        present = extractor.name, extractor.weights_hash, extractor.resizer
        if present != (protocol.extractor, protocol.extractor_hash, protocol.resizer):
            return False
        return all(
            f"{metric.score_name(extractor)}_{suffix}" in row.scores
            for metric in self.make_metrics()
            for suffix in metric.added_scores()
        )

    def metric_names(self) -> tuple[str, ...]:
        """The metrics asked for, classes by their names."""
        return tuple(getattr(metric, "__name__", str(metric)) for metric in self.metrics)

    def _extractor_name(self, dataset_name: str) -> Any:
        if self.extractor != "auto":
            return self.extractor
        fashion = dataset_name.replace("-", "_").startswith("fashion_mnist")
        return "fashion_cnn" if fashion else "inception"
