"""A measurement: scores of images, on their own or against a reference."""

import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image

from compare_gan.engine import ALONE, Peers
from compare_gan.engine.progress import announced
from compare_gan.evaluation import pictures as metric_pictures
from compare_gan.evaluation.image_sets import GeneratedImages
from compare_gan.evaluation.making_provenance import make_provenance
from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.evaluation.spread import gathered
from compare_gan.evaluation.statistics import (
    Images,
    SetStatistics,
    reference_statistics,
    set_statistics,
)
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.metrics.tensor_float32 import without_tensor_float_32
from compare_gan.registry import call_with_requested

_log = logging.getLogger(__name__)


@without_tensor_float_32()
def measure(
    metrics: Sequence[Metric],
    extractor: Extractor,
    real: Images | None,
    fake: Images | Sequence[Images],
    *,
    batch_size: int = 100,
    pictures: bool = False,
    progress: bool = False,
    peers: Peers = ALONE,
) -> ResultRow:
    """Scores images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation.image_sets import open_images
      >>> from compare_gan.evaluation.measuring import measure
      >>> from compare_gan.evaluation.no_extractor import NO_EXTRACTOR
      >>> from compare_gan.metrics import PixelMemorization
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> real, fake = open_images(images), open_images(images[:4])
      >>> row = measure([PixelMemorization()], NO_EXTRACTOR, real, fake)
      >>> row.scores["memorization_pixels"].std, row.provenance.num_fake
      (0.0, 4)

    Args:
      metrics: The metrics; all must be applicable to these images.
      extractor: Extractor of features and logits; `NO_EXTRACTOR` if no metric needs any.
      real: The reference; None if no metric compares with one.
      fake: The images to score; or several sets of them, drawn from different seeds, that scores
        are averaged over.
      batch_size: Images in one forward pass.
      pictures: Let metrics draw (the first set).
      progress: Report progress on standard error.
      peers: The devices that share the work. With several processes the first one calls this, the
        others `contribute`, all inside `spread.ending_together`.

    Returns:
      The scores and their provenance; neither a step nor the name of a protocol.

    Raises:
      UserError: A file cannot be read, or a score cannot be computed.
      DivergenceError: A generated image is not finite.
    """
    of_real = reference_statistics(real, metrics, extractor, batch_size, progress, peers)
    fakes = list(fake) if isinstance(fake, Sequence) else [fake]
    runs: list[dict[str, float]] = []
    measured: list[tuple[Images, SetStatistics]] = []
    drawn: dict[str, PIL.Image.Image] = {}
    notes: list[str] = []
    for number, images in enumerate(fakes, 1):
        shown_as = f"{images.name}, set {number} of {len(fakes)}:" if len(fakes) > 1 else ""
        of_fake = set_statistics(images, metrics, extractor, batch_size, progress, peers, shown_as)
        scores: dict[str, float] = {}
        for metric in metrics:
            available: dict[str, Any] = {
                "real": of_real.of(metric),
                "fake": of_fake.of(metric),
                # Labels count the classes of the reference.
                "class_names": (images if real is None else real).class_names,
                **images.networks(extractor),
            }
            working = announced(f"Computing {metric.score_name(extractor)}")
            with working if progress else contextlib.nullcontext():
                values = call_with_requested(metric.value, **available)
            scores |= metric.named(extractor, values)
            if not runs:
                notes += _notes(metric, of_real, of_fake, available["class_names"])
            if pictures and not runs:
                drawn |= metric_pictures.draw(metric, extractor, available)
        runs.append(scores)
        # Without the statistics, which may hold all images.
        measured.append((images, dataclasses.replace(of_fake, results={})))
    hashes = measured[0][1]
    return ResultRow(
        step=None,
        scores=_mean_and_std(runs),
        provenance=make_provenance(metrics, extractor, (real, of_real), measured),
        metrics=tuple(metric.name for metric in metrics),
        notes=tuple(dict.fromkeys(notes)),
        fake_hash=hashes.labels_hash or hashes.content_hash or "",
        pictures=drawn,
    )


@without_tensor_float_32()
def contribute(
    metrics: Sequence[Metric],
    extractor: Extractor,
    fake: Sequence[GeneratedImages],
    batch_size: int,
    peers: Peers,
) -> None:
    """The part of the other processes in a measurement of the first one: images and features.

    Args:
      metrics: The metrics, as for `measure`, like the others.
      extractor: The extractor.
      fake: The generated images.
      batch_size: Images in one forward pass.
      peers: The processes and their devices.
    """
    for images in fake:
        for _ in gathered(images, metrics, extractor, batch_size, peers):
            pass


def _notes(
    metric: Metric,
    of_real: SetStatistics,
    of_fake: SetStatistics,
    class_names: Sequence[str] | None,
) -> list[str]:
    """The metric's caveat about its score, if it has one; the log shows it too."""
    sets = [of_fake, *([of_real] if metric.uses_real else [])]
    note = call_with_requested(
        metric.note,
        real=of_real.of(metric),
        fake=of_fake.of(metric),
        num_images=min(filter(None, (each.count_for(metric) for each in sets)), default=0),
        class_names=class_names,
    )
    if note is None:
        return []
    _log.warning("%s", note)
    return [note]


def _mean_and_std(runs: Sequence[dict[str, float]]) -> dict[str, Score]:
    values = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    return {name: Score(float(v.mean()), float(v.std())) for name, v in values.items()}
