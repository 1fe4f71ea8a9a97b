"""Scores of a generator against the reference images of a data set."""

import contextlib
import dataclasses
from typing import Any

from compare_gan.datasets import Dataset
from compare_gan.engine import ALONE, Peers
from compare_gan.engine.progress import announced
from compare_gan.evaluation import pictures, spread
from compare_gan.evaluation.applicable import applicable_metrics
from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.evaluation.image_sets import GeneratedImages
from compare_gan.evaluation.measuring import contribute, measure
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.sampling import HeldOutImages, Sampler


def evaluate_generator(
    sampler: Sampler,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    averaging_runs: int = 3,
    weights: str = "raw",
    step: int = 0,
    discriminator: Any = None,
    pictures_dir: str | None = None,
    peers: Peers = ALONE,
    progress: bool = False,
) -> ResultRow:
    """Scores a generator against the reference images of a data set.

    Samples and features are computed on all devices, metrics and reference in the first process.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import get_dataset
      >>> from compare_gan.evaluation.evaluate import evaluate_generator
      >>> from compare_gan.evaluation.evaluation_options import EvaluationOptions
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):
      ...     return np.ones([1, 8, 8, 3], np.float32) * inputs[0][:, :, None, None] ** 2
      >>> dataset = get_dataset("synthetic", num_examples=40, image_size=8)
      >>> sampler = Sampler(network, z_dim=8, image_shape=(8, 8, 3))
      >>> options = EvaluationOptions(
      ...     metrics=["memorization_pixels"], extractor="fashion_cnn", split="train", num_fake=10
      ... )
      >>> row = evaluate_generator(sampler, dataset, options, averaging_runs=2)
      >>> row.provenance.num_real, row.provenance.num_fake, row.provenance.seeds
      (40, 10, [0, 1])

    Args:
      sampler: The generator; `options` set its truncation and the frequencies of its classes.
      dataset: The data set, see `datasets.get_dataset`.
      options: Metrics, extractor, reference split, numbers of images, …
      averaging_runs: Number of sets of samples, each from its own seed, that scores are averaged
        over.
      weights: Kind of the generator's weights, such as `raw` or `ema`; for the provenance.
      step: Generator step of the checkpoint; for the row.
      discriminator: Discriminator of the same GAN, for the metrics that look at it.
      pictures_dir: Folder for pictures of metrics, which are written if `options.pictures` is set.
      peers: The devices that share the work. With several processes the first one calls this, the
        others `contribute_to_evaluation`.
      progress: Whether to show progress on standard error.

    Returns:
      The scores and their provenance.

    Raises:
      UserError: A name is not known, an extractor is not available, a metric cannot be computed,
        another process has failed.
      DivergenceError: A generated image is not finite.
    """
    with spread.ending_together(peers):
        with announced("Loading the extractor") if progress else contextlib.nullcontext():
            metrics, extractor = _parts(sampler, dataset, options, discriminator)
        reference = options.reference(dataset)
        samples = _samples(
            sampler,
            dataset,
            options,
            reference.count,
            averaging_runs,
            peers,
            weights=weights,
            discriminator=discriminator,
        )
        drawing = options.pictures and pictures_dir is not None
        row = measure(
            metrics,
            extractor,
            reference,
            samples,
            batch_size=options.batch_size,
            pictures=drawing,
            peers=peers,
            progress=progress,
        )
        if pictures_dir is not None:
            pictures.write(row.pictures, pictures_dir, f"step_{step}_")
    return dataclasses.replace(
        row, step=int(step), metrics=options.metric_names(), protocol_name=options.protocol or ""
    )


def contribute_to_evaluation(
    sampler: Sampler,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    averaging_runs: int = 3,
    discriminator: Any = None,
    peers: Peers,
) -> None:
    """The part of the other processes in `evaluate_generator` of the first one.

    Args:
      sampler: The generator; all arguments are equal in all processes.
      dataset: The data set.
      options: Metrics, extractor, reference split, numbers of images, …
      averaging_runs: Number of sets of samples.
      discriminator: Discriminator of the same GAN.
      peers: The processes and their devices.

    Raises:
      UserError: As `evaluate_generator`.
      DivergenceError: A generated image is not finite.
    """
    with spread.ending_together(peers):
        metrics, extractor = _parts(sampler, dataset, options, discriminator)
        count = options.reference(dataset).count
        samples = _samples(
            sampler, dataset, options, count, averaging_runs, peers, weights="unknown"
        )
        contribute(metrics, extractor, samples, options.batch_size, peers)


def _parts(
    sampler: Sampler, dataset: Dataset, options: EvaluationOptions, discriminator: Any
) -> tuple[list[Metric], Extractor]:
    """The metrics of an evaluation, and its extractor."""
    metrics, extractor = options.make_metrics(), options.make_extractor(dataset.name)
    kept = applicable_metrics(metrics, extractor, sampler, dataset, discriminator is not None)
    return kept, extractor


def _samples(
    sampler: Sampler,
    dataset: Dataset,
    options: EvaluationOptions,
    count: int,
    averaging_runs: int,
    peers: Peers,
    **attributes: Any,
) -> list[GeneratedImages]:
    """The sets of samples; `count` is the number of reference images."""
    counts = None
    if sampler.num_classes is not None and sampler.num_classes == dataset.num_classes:
        counts = options.class_counts(dataset)
    return GeneratedImages.of(
        dataclasses.replace(
            sampler,
            truncation=options.truncation,
            class_counts=counts,
            refinement=options.make_refinement(),
            held_out=HeldOutImages(dataset, sampler.num_classes),
        ),
        options.num_fake or count,
        options.seeds(averaging_runs),
        devices=peers.devices,
        **attributes,
    )
