"""Scores of a generator: every set of samples is passed once, for all metrics."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.evaluation import metric_pictures
from compare_gan.evaluation.gather import gather, statistics_name
from compare_gan.evaluation.metric_options import metric_options
from compare_gan.evaluation.options import EvaluationOptions
from compare_gan.evaluation.reference import Reference
from compare_gan.evaluation.results import Protocol, ResultRow, Score
from compare_gan.metrics.base import ImageBatch, Metric
from compare_gan.metrics.tensor_float32 import without_tensor_float_32
from compare_gan.registry import call_with_requested
from compare_gan.sampling import Sampler, labels_in_turn
from compare_gan.version import code_version

_log = logging.getLogger(__name__)


@without_tensor_float_32()
def evaluate_generator(
    sampler: Sampler,
    dataset,
    options: EvaluationOptions,
    *,
    averaging_runs: int = 3,
    averaged_weights: bool = False,
    step: int = 0,
    discriminator=None,
    pictures_dir: str | None = None,
) -> list[ResultRow]:
    """Scores a generator against the reference images of a data set.

    Args:
      sampler: The generator; `options` set its truncation.
      dataset: The data set, see `datasets.get_dataset`.
      options: Metrics, extractor, reference split, numbers of images, …
      averaging_runs: Sets of samples, each from a seed of its own, that scores are averaged over.
      averaged_weights: Whether the generator's weights are a moving average; for the protocol.
      step: Generator step of the checkpoint; for the row.
      discriminator: Discriminator of the same GAN, for the metrics that look at it.
      pictures_dir: Folder for pictures of metrics, written if `evaluation.pictures` is set.

    Returns:
      One row.

    Raises:
      UserError: A name is not known, an extractor is not available, a metric cannot be computed.
      DivergenceError: A generated image is not finite.
    """
    metrics = options.make_metrics()
    extractor = options.make_extractor(dataset.name)
    sampler = dataclasses.replace(
        sampler,
        truncation=options.truncation,
        features=extractor.features_of if extractor.takes_floats else None,
    )
    num_classes = sampler.num_classes
    class_names = _class_names(sampler, dataset)
    metrics = _applicable(metrics, extractor, class_names, sampler, dataset, discriminator)

    split = options.reference_split(dataset)
    reference = Reference(dataset, split, options.num_real, options.batch_size)
    real = reference.statistics(metrics, extractor)
    num_fake = options.num_fake or reference.count
    batch_norm = sampler.prepare()
    labels = labels_in_turn(num_fake, num_classes)
    seeds = options.seeds(averaging_runs)
    runs: list[dict[str, float]] = []
    for seed in seeds:
        z = sampler.draw_z(num_fake, seed)
        batches = _fakes(sampler, z, labels, options.batch_size)
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
        labels="none" if num_classes is None else "in turn",
        latents=sampler.distribution.describe(),
        truncation=float(options.truncation),
        seeds=seeds,
        metric_options=metric_options(metrics, num_classes or 1),
        code_version=code_version(),
    )
    names, protocol_name = options.metric_names(), options.protocol or ""
    return [ResultRow(int(step), _mean_and_std(runs), protocol, names, protocol_name)]


def _class_names(sampler: Sampler, dataset) -> list[str] | None:
    """What the generator's classes are called; None for an unconditional one."""
    if sampler.num_classes is None:
        return None
    names = sampler.class_names
    if names is None and dataset.num_classes == sampler.num_classes:
        names = dataset.class_names
    return [str(i) for i in range(sampler.num_classes)] if names is None else list(names)


def _applicable(
    metrics: Sequence[Metric], extractor, class_names, sampler: Sampler, dataset, discriminator
) -> list[Metric]:
    image_shape = tuple(dataset.image_shape)
    clusters = dataset.inferred is not None and dataset.inferred.num_clusters is not None
    kept = []
    for metric in metrics:
        reason = (
            metric.inapplicable(extractor, class_names)
            or metric.inapplicable_to(image_shape)
            or metric.inapplicable_to_generator(sampler)
        )
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


def _fakes(sampler: Sampler, z, labels, batch_size: int) -> Iterator[ImageBatch]:
    start = 0
    for images in sampler.generate_batches(z, labels, batch_size):
        stop = start + len(images)
        yield ImageBatch(images, None if labels is None else labels[start:stop])
        start = stop


def _mean_and_std(runs: Sequence[dict[str, float]]) -> dict[str, Score]:
    values = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    return {name: Score(float(v.mean()), float(v.std())) for name, v in values.items()}
