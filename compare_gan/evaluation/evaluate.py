"""Scores of a generator: every set of samples is passed once, for all metrics."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import gin
import numpy as np

from compare_gan import registry
from compare_gan.datasets.latents import describe_eval_z, eval_z_marginal
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.evaluation import metric_pictures, protocols, sampling
from compare_gan.evaluation.gather import gather, statistics_name
from compare_gan.evaluation.metric_options import had_options, metric_options
from compare_gan.evaluation.reference import Reference
from compare_gan.evaluation.results import Protocol, ResultRow, Score
from compare_gan.metrics.base import Batch, Metric
from compare_gan.metrics.precision import without_tensor_float_32
from compare_gan.metrics.sampler import Sampler
from compare_gan.registry import call_with_requested
from compare_gan.version import code_version

_log = logging.getLogger(__name__)


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

    def __post_init__(self):
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

    def make_extractor(self, dataset_name: str):
        """The extractor, built; UserError if its name is not known or its weights not there."""
        extractor = registry.get("extractor", self._extractor_name(dataset_name))()
        if self._named:
            self._named.check_extractor(extractor)
        return extractor

    def reference_split(self, dataset) -> str:
        """The reference split; UserError if it is not there, or too small for the protocol."""
        split = self.split or dataset.eval_split
        if self._named:
            split = self._named.split_of(dataset.name, dataset.splits) or split
        dataset.check_split(split)
        if self._named:
            self._named.check_count("real", f"{dataset.name}:{split}", dataset.splits[split])
        return split

    def check(self, dataset) -> None:
        """Raises UserError if scores cannot be had for this data set, before any work."""
        self.make_extractor(dataset.name)
        num_real, num_fake = self._counts(dataset, self.reference_split(dataset))
        for metric in self.make_metrics():
            if "labels" in metric.needs:  # It is left out for a generator without classes.
                continue
            for count in {num_fake, num_real if metric.uses_real else num_fake}:
                metric.statistics(count)  # Some cannot be had of so few.
        sampling.sample_latents(1, 1, self.seed, self.truncation)

    def seeds(self, averaging_runs: int) -> list[int]:
        """One for each set of samples."""
        return [self.seed + i for i in range(averaging_runs)]

    def produced(self, row: ResultRow, dataset, averaging_runs: int) -> bool:
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
            latents=describe_eval_z(),
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

    def _counts(self, dataset, split: str) -> tuple[int, int]:
        """Numbers of reference images and of images in each set of samples."""
        size = dataset.splits[split]
        num_real = min(self.num_real or size, size)
        return num_real, self.num_fake or num_real

    def _has_extractor_and_scores(self, row: ResultRow, dataset) -> bool:
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

    def _extractor_name(self, dataset_name: str):
        if self.extractor != "auto":
            return self.extractor
        fashion = dataset_name.replace("-", "_").startswith("fashion_mnist")
        return "fashion_cnn" if fashion else "inception"


@without_tensor_float_32()
def evaluate_generator(
    generator,
    dataset,
    *,
    z_dim: int,
    conditional: bool,
    averaging_runs: int = 3,
    averaged_weights: bool = False,
    step: int = 0,
    discriminator=None,
    pictures_dir: str | None = None,
) -> list[ResultRow]:
    """Scores a generator against the reference images of a data set.

    Args:
      generator: Called as `generator((z, y), training=False)`; gives images in [0, 1].
      dataset: The data set, see `datasets.get_dataset`.
      z_dim: Dimension of the latent.
      conditional: Whether the generator is asked for classes: all in turn.
      averaging_runs: Sets of samples, each from a seed of its own, that scores are averaged over.
      averaged_weights: Whether the generator's weights are a moving average; for the protocol.
      step: Of the checkpoint; for the row.
      discriminator: Of the same GAN, for the metrics that look at it.
      pictures_dir: Where pictures of metrics go if `evaluation.pictures` asks for them.

    Returns:
      One row for the extractor of the gin scope `evaluation`.

    Raises:
      UserError: A name is not known, an extractor cannot be had, a metric cannot be computed.
      DivergenceError: A generated image is not finite.
    """
    options = EvaluationOptions()
    metrics = options.make_metrics()
    extractor = options.make_extractor(dataset.name)
    num_classes = dataset.num_classes if conditional else None
    class_names = _class_names(dataset) if conditional else None
    metrics = _applicable(metrics, extractor, class_names, dataset, discriminator)

    split = options.reference_split(dataset)
    reference = Reference(dataset, split, options.num_real, options.batch_size)
    real = reference.statistics(metrics, extractor)
    num_fake = options.num_fake or reference.count
    batch_norm = sampling.refresh_standing_statistics(
        generator, z_dim, num_classes, truncation=options.truncation
    )
    labels = sampling.labels_in_turn(num_fake, num_classes)
    seeds = options.seeds(averaging_runs)
    sampler = Sampler(
        generator,
        z_dim,
        num_classes,
        draw_z=lambda n, seed: sampling.sample_latents(n, z_dim, seed, options.truncation),
        marginal=eval_z_marginal(options.truncation),
        features=extractor.features_of if extractor.takes_floats else None,
    )
    runs: list[dict[str, float]] = []
    for seed in seeds:
        z = sampling.sample_latents(num_fake, z_dim, seed, options.truncation)
        batches = _fakes(generator, z, labels, num_classes, options.batch_size)
        fake = gather(metrics, extractor, batches, num_fake)
        scores: dict[str, float] = {}
        for metric in metrics:
            available = dict(
                real=real.get(statistics_name(metric, reference.count)),
                fake=fake.get(statistics_name(metric, num_fake)),
                generator=dataclasses.replace(sampler, seed=seed),
                discriminator=discriminator,
            )
            values = call_with_requested(metric.value, **available)
            scores |= metric.named(extractor, values)
            if options.pictures and pictures_dir and not runs:
                pictures = metric_pictures.draw(metric, extractor, available)
                metric_pictures.write(pictures, pictures_dir, f"step_{step}_")
        runs.append(scores)

    protocol = Protocol(
        dataset=dataset.name,
        dataset_hash=reference.content_hash,
        split=reference.split,
        num_real=reference.count,
        num_fake=num_fake,
        resolution="x".join(str(n) for n in dataset.image_shape),
        resizer=extractor.resizer,
        extractor=extractor.name,
        extractor_hash=extractor.weights_hash,
        weights="ema" if averaged_weights else "raw",
        batch_norm=batch_norm,
        labels="in turn" if conditional else "none",
        latents=describe_eval_z(),
        truncation=float(options.truncation),
        seeds=seeds,
        metric_options=metric_options(metrics, num_classes or 1),
        code_version=code_version(),
    )
    names, protocol_name = options.metric_names(), options.protocol or ""
    return [ResultRow(int(step), _mean_and_std(runs), protocol, names, protocol_name)]


def _class_names(dataset) -> list[str]:
    if dataset.class_names is None:
        return [str(i) for i in range(dataset.num_classes)]
    return list(dataset.class_names)


def _applicable(
    metrics: Sequence[Metric], extractor, class_names, dataset, discriminator
) -> list[Metric]:
    image_shape = tuple(dataset.image_shape)
    clusters = dataset.inferred is not None and dataset.inferred.num_clusters is not None
    kept = []
    for metric in metrics:
        reason = metric.inapplicable(extractor, class_names) or metric.inapplicable_to(image_shape)
        if clusters and metric.uses_real and "labels" in metric.needs:
            reason = "the generator's labels are clusters, those of real images classes"
        if "discriminator" in metric.needs and discriminator is None:
            reason = "no discriminator was given"
        if reason is None:
            kept.append(metric)
        else:
            _log.info("%s is left out: %s.", metric.score_name(extractor), reason)
    if not kept:
        raise UserError("None of the metrics in evaluation.metrics suits this generator.")
    return kept


def _fakes(generator, z, labels, num_classes, batch_size: int) -> Iterator[Batch]:
    start = 0
    for images in sampling.generate_batches(generator, z, labels, num_classes, batch_size):
        stop = start + len(images)
        yield Batch(images, None if labels is None else labels[start:stop])
        start = stop


def _mean_and_std(runs: Sequence[dict[str, float]]) -> dict[str, Score]:
    values = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    return {name: Score(float(v.mean()), float(v.std())) for name, v in values.items()}
