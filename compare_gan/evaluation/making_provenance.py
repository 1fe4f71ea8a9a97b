"""The provenance of measured scores, from the metrics, the extractor and the sets of images."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from compare_gan.evaluation.image_sets.npz import GivenStatistics
from compare_gan.evaluation.provenance import (
    NONE,
    NOT_RECORDED,
    STORED_STATISTICS,
    Provenance,
    metric_of,
)
from compare_gan.evaluation.statistics import Images, SetStatistics, uses_mean_and_covariance
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.version import code_version

_log = logging.getLogger(__name__)


def make_provenance(
    metrics: Sequence[Metric],
    extractor: Extractor,
    real: tuple[Images | None, SetStatistics],
    fakes: Sequence[tuple[Images, SetStatistics]],
) -> Provenance:
    """Assembles the provenance of scores.

    Args:
      metrics: The metrics.
      extractor: The extractor.
      real: The reference, if there is one, and its statistics.
      fakes: The sets of images that are scored, which differ in their seed, and their statistics.
    """
    (real_images, real_statistics), (fake_images, fake_statistics) = real, fakes[0]
    sets = [images for images in (real_images, fake_images) if images is not None]
    seeds = [images.seed for images in (*(fake for fake, _ in fakes), *sets)]
    not_recorded = dict.fromkeys(
        ("weights", "batch_norm", "labels", "latents", "truncation"), NOT_RECORDED
    )
    origin: dict[str, Any] = not_recorded | dict(fake_images.origin())
    return Provenance(
        dataset=NONE if real_images is None else real_images.dataset_name,
        dataset_hash=real_statistics.content_hash or NONE,
        split=NONE if real_images is None else real_images.split,
        num_real=real_statistics.count or NOT_RECORDED,
        num_fake=fake_statistics.count or NOT_RECORDED,
        resolution=" against ".join(dict.fromkeys(s.shape_text for s in sets if s.shape_text)),
        background=" against ".join(dict.fromkeys(s.background for s in sets if s.background))
        or NONE,
        resizer=_resizer(extractor, sets),
        extractor=extractor.name,
        extractor_hash=extractor.weights_hash,
        seeds=list(dict.fromkeys(seed for seed in seeds if seed is not None)),
        metric_options=_metric_options(
            metrics, fake_images.num_classes, real_statistics.labels_hash
        )
        | _stored_statistics(metrics, real_statistics, fake_statistics),
        code_version=code_version(),
        **origin,
    )


def has_options(provenance: Provenance, metrics: Sequence[Metric], num_classes: int | None) -> bool:
    """Whether scores were measured with the options that these metrics have.

    Args:
      provenance: The scores' provenance. A metric without options there did not apply to the
        generator, and is not compared.
      metrics: The metrics.
      num_classes: Number of classes of the data set.
    """
    if provenance.metric_options == NOT_RECORDED:
        return False
    num_classes = num_classes or 1 if provenance.labels not in (NONE, NOT_RECORDED) else 1
    for metric in metrics:
        recorded = {
            name: value
            for name, value in provenance.metric_options.items()
            if metric_of(name) == metric.name
        }
        if recorded and _as_json(recorded) != _as_json(_metric_options([metric], num_classes)):
            return False
    return True


def _metric_options(
    metrics: Sequence[Metric], num_classes: int, real_labels: str = ""
) -> dict[str, object]:
    """Options of metrics, as `metric.option`.

    Args:
      metrics: The metrics.
      num_classes: Number of classes of the set that is scored, 1 without labels: `metric.classes`
        of those metrics that use labels if there are any.
      real_labels: Hash of the reference with its labels, if the hash of its images does not cover
        them: `metric.real_labels` of those metrics that compare with them.
    """
    named: dict[str, object] = {}
    for metric in metrics:
        options = metric.options() | ({"classes": num_classes} if metric.uses_labels else {})
        if real_labels and metric.uses_real and "labels" in metric.needs:
            options["real_labels"] = real_labels
        named |= {f"{metric.name}.{name}": value for name, value in options.items()}
    return named


def _stored_statistics(
    metrics: Sequence[Metric], real: SetStatistics, fake: SetStatistics
) -> dict[str, object]:
    """The entry `STORED_STATISTICS`; empty if none are used."""
    sets = [each.stored for each in (real, fake) if each.stored]
    if not sets or not any(map(uses_mean_and_covariance, metrics)):
        return {}
    # Statistics of the images that are scored belong to them, as the images do.
    return {STORED_STATISTICS: real.stored or "of the scored images"}


def _as_json(options: dict[str, object]) -> str:
    """The options as JSON, in which tuples become lists as in results.jsonl."""
    return json.dumps(options, sort_keys=True)


def _resizer(extractor: Extractor, sets: Sequence[Images]) -> str:
    """Warns about given statistics: they do not record how images were resized."""
    given = [images.name for images in sets if isinstance(images, GivenStatistics)]
    for name in given:
        _log.warning(
            "'%s' does not record how its images were resized: the score is right only if they "
            "were resized as here (%s).",
            name,
            extractor.resizer,
        )
    return "; ".join([extractor.resizer, *(f"of '{name}' {NOT_RECORDED}" for name in given)])
