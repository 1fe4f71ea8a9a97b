"""The metrics that apply to a generator."""

import logging
from collections.abc import Sequence

from compare_gan.datasets import Dataset
from compare_gan.errors import UserError
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.sampling import Sampler

_log = logging.getLogger(__name__)


def applicable_metrics(
    metrics: Sequence[Metric],
    extractor: Extractor,
    sampler: Sampler,
    dataset: Dataset,
    has_discriminator: bool = True,
) -> list[Metric]:
    """The metrics that apply to a generator; the log says why others are left out.

    Example:
      >>> from compare_gan.datasets import get_dataset
      >>> from compare_gan.evaluation.applicable import applicable_metrics
      >>> from compare_gan.metrics import FrechetInceptionDistance, IntraFrechetInceptionDistance
      >>> from compare_gan.metrics.extractors import FashionCnn
      >>> from compare_gan.sampling import Sampler
      >>> metrics = [FrechetInceptionDistance(), IntraFrechetInceptionDistance()]
      >>> unconditional = Sampler(None, z_dim=8, image_shape=(32, 32, 3))
      >>> dataset = get_dataset("synthetic", num_examples=8)
      >>> kept = applicable_metrics(metrics, FashionCnn(), unconditional, dataset)
      >>> [metric.name for metric in kept]
      ['fid']

    Args:
      metrics: The requested metrics.
      extractor: The extractor.
      sampler: The generator; its network may be None, before it is built.
      dataset: The data set.
      has_discriminator: Whether there is a discriminator.

    Raises:
      UserError: None of them applies.
    """
    class_names = _class_names(sampler, dataset)
    clusters = dataset.inferred is not None and dataset.inferred.num_clusters is not None
    kept, reasons = [], []
    for metric in metrics:
        reason = (
            metric.inapplicable(extractor, class_names)
            or metric.inapplicable_to(dataset.image_shape)
            or metric.inapplicable_to_generator(sampler)
        )
        if clusters and metric.uses_real and "labels" in metric.needs:
            reason = "the generator's labels are clusters, those of real images classes"
        if "discriminator" in metric.needs and not has_discriminator:
            reason = "no discriminator was given"
        if reason is None:
            kept.append(metric)
        else:
            name = metric.score_name(extractor)
            reasons.append(f"{name}: {reason}")
            _log.info("%s is left out: %s.", name, reason)
    if not kept:
        raise UserError(
            "None of the metrics in evaluation.metrics can be applied to this generator "
            f"({'; '.join(reasons)}): choose others, see `compare_gan list metric`."
        )
    return kept


def _class_names(sampler: Sampler, dataset: Dataset) -> list[str] | None:
    """Names of the generator's classes; None for an unconditional one."""
    if sampler.num_classes is None:
        return None
    names = sampler.class_names
    if names is None and dataset.num_classes == sampler.num_classes:
        names = dataset.class_names
    return [str(i) for i in range(sampler.num_classes)] if names is None else list(names)
