"""Statistics of a set of images for metrics: one pass for all of them, or from the cache."""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare_gan import array_cache, files
from compare_gan.engine import ALONE, Peers
from compare_gan.engine.progress import announced, tracked
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import GeneratedImages, GivenStatistics, ImageSet
from compare_gan.evaluation.spread import EXTRACTED, gathered
from compare_gan.metrics.base import ImageBatch, Metric, Statistics
from compare_gan.metrics.extractors import Extractor
from compare_gan.metrics.extractors.base import stream
from compare_gan.metrics.gaussian import GaussianStatistics

Images = ImageSet | GivenStatistics
# In place of the number of images where it is not known: enough for all statistics.
ANY_NUMBER = 1_000_000
_log = logging.getLogger(__name__)
_Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class SetStatistics:
    """Statistics of one set of images.

    Attributes:
      results: Results of the statistics by name, see `statistics_name`.
      count: Number of images; 0 if it is not known.
      content_hash: Hash of the images; for a split of a data set also of their order and labels.
        None if they are not hashed.
      labels_hash: Hash of the images with their labels, in any order; empty if no metric looks at
        labels, and for a split.
      stored: Hash of the mean and covariance stored with the images, if they are used in place of
        the images' own; empty otherwise.
    """

    results: dict[str, _Arrays]
    count: int = 0
    content_hash: str | None = None
    labels_hash: str = ""
    stored: str = ""

    def count_for(self, metric: Metric) -> int:
        """Number of images that the statistics of a metric are of; 0 if it is not known."""
        return 0 if self.stored and uses_mean_and_covariance(metric) else self.count

    def of(self, metric: Metric) -> _Arrays | None:
        """The statistics of one metric; None if it has none."""
        if not self.results:
            return None
        name = statistics_name(metric, self.count or ANY_NUMBER)
        return None if name is None else self.results.get(name)


def statistics_name(metric: Metric, num_images: int) -> str | None:
    """The name of a metric's statistics of `num_images` images; None if it has none."""
    made = metric.statistics(num_images)
    return None if made is None else made.name


def uses_mean_and_covariance(metric: Metric) -> bool:
    """Whether the statistics of a metric are the mean and covariance of features."""
    return isinstance(metric.statistics(ANY_NUMBER), GaussianStatistics)


def set_statistics(
    images: Images,
    metrics: Sequence[Metric],
    extractor: Extractor,
    batch_size: int,
    progress: bool = False,
    peers: Peers = ALONE,
    shown_as: str = "",
) -> SetStatistics:
    """Computes the statistics of metrics over a set of images, in one pass.

    Args:
      images: The images.
      metrics: The metrics; those with the same statistics share its computation.
      extractor: Extracts features from every batch once, if any metric needs them.
      batch_size: Images in one forward pass.
      progress: Report progress on standard error.
      peers: The devices that share the work; if they are of several processes, each calls this for
        generated images, and for no others.
      shown_as: Name of the set in the progress; that of the images if empty.

    Raises:
      UserError: A file cannot be read, statistics cannot be computed from these images, or given
        statistics are of another extractor.
    """
    if isinstance(images, GivenStatistics):
        return _given(images, extractor)
    digest, digest_with_labels = _Digest(), _Digest()
    labelled = images.has_labels and any(
        "labels" in metric.needs or metric.uses_labels for metric in metrics
    )

    def hashed(batches: Iterator[ImageBatch]) -> Iterator[ImageBatch]:
        for batch in batches:
            digest.add(batch.images)
            if labelled:
                digest_with_labels.add(batch.images, batch.labels)
            yield batch

    name = (shown_as or images.name) if progress else None
    if peers.count > 1 and isinstance(images, GeneratedImages):
        shared = gathered(images, metrics, extractor, batch_size, peers)
        statistics, _ = _empty(metrics, images.count)
        results = _summarized(statistics, _reported(shared, name, images.count))
        return SetStatistics(results, images.count)
    batches = images.batches(batch_size)
    if images.hashed:
        batches = hashed(batches)
    each_size = extractor if images.shape else _EachSize(extractor)
    batches = _reported(batches, name, images.count)
    stored = _stored(images, metrics, extractor)
    if stored is not None:
        metrics = [metric for metric in metrics if not uses_mean_and_covariance(metric)]
    results = gather(metrics, each_size, batches, images.count, peers.devices)
    if stored is not None:
        for _ in batches:  # For the hash, where no metric looks at the images.
            pass
        results |= _results(stored)
    return SetStatistics(
        results,
        images.count,
        digest.text() if images.hashed else None,
        digest_with_labels.text() if images.hashed and labelled else "",
        stored.content_hash if stored else "",
    )


def reference_statistics(
    images: Images | None,
    metrics: Sequence[Metric],
    extractor: Extractor,
    batch_size: int,
    progress: bool = False,
    peers: Peers = ALONE,
) -> SetStatistics:
    """Computes the statistics of those metrics that compare with real images.

    Like `set_statistics`, but statistics of a split of a data set are cached on disk, and other
    processes take no part.
    """
    peers = Peers(peers.devices)
    metrics = [metric for metric in metrics if metric.uses_real]
    key = _key(images, progress) if isinstance(images, ImageSet) else None
    if images is None or (key is None and not metrics):
        return SetStatistics({})
    if key is None or isinstance(images, GivenStatistics):
        return set_statistics(images, metrics, extractor, batch_size, progress, peers)
    count, content_hash = int(str(key["count"])), str(key["content"])
    wanted = {statistics_name(metric, count): metric for metric in metrics}
    wanted.pop(None, None)

    @functools.cache
    def compute() -> dict[str, _Arrays]:
        name = images.name if progress else None
        batches = _reported(images.batches(batch_size), name, count)
        return gather(list(wanted.values()), extractor, batches, count, peers.devices)

    keys = {
        name: {
            **key,
            "resizer": extractor.resizer,
            "extractor": extractor.name,
            "weights": extractor.weights_hash,
            "statistics": name,
        }
        for name in wanted
        if name is not None
    }

    def cached(name: str) -> _Arrays:
        return array_cache.cached(keys[name], lambda: compute()[name])

    results = {name: cached(name) for name in keys}
    return SetStatistics(results, count, content_hash)


def gather(
    metrics: Sequence[Metric],
    extractor: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]],
    batches: Iterable[ImageBatch],
    num_images: int,
    devices: Sequence[Any] = ALONE.devices,
) -> dict[str, _Arrays]:
    """Passes batches once to the statistics of all metrics.

    Args:
      metrics: The metrics.
      extractor: The extractor, or a function like one.
      batches: Images in order and, if there are any, labels.
      num_images: Number of images.
      devices: Devices that the extractor runs on in turn, see `backend.on_device`.

    Returns:
      Results of the statistics by name.

    Raises:
      UserError: Statistics cannot be computed from these images.
    """
    statistics, extracts = _empty(metrics, num_images)
    if not statistics:
        return {}
    return _summarized(statistics, stream(extractor, batches, devices) if extracts else batches)


def _empty(metrics: Sequence[Metric], num_images: int) -> tuple[dict[str, Statistics], bool]:
    """Empty statistics by name, and whether they need features or logits."""
    statistics: dict[str, Statistics] = {}
    extracts = False
    for metric in metrics:
        made = metric.statistics(num_images)
        if made is not None:
            statistics.setdefault(made.name, made)
            extracts = extracts or bool(metric.needs & EXTRACTED)
    return statistics, extracts


def _summarized(
    statistics: dict[str, Statistics], batches: Iterable[ImageBatch]
) -> dict[str, _Arrays]:
    for batch in batches:
        for each in statistics.values():
            each.update(batch)
    return {name: each.result() for name, each in statistics.items()}


def _reported(batches: Iterator[ImageBatch], name: str | None, count: int) -> Iterator[ImageBatch]:
    """The same batches; with a name, the number of images so far is shown under it."""
    if name is None:
        return batches

    def size(batch: ImageBatch) -> int:
        fields = (batch.images, batch.features, batch.logits, batch.labels)
        return next((len(field) for field in fields if field is not None), 0)

    return tracked(batches, name, count, size)


def _key(images: ImageSet, progress: bool) -> Mapping[str, object] | None:
    """See `ImageSet.cached_under`, which may read all images."""
    with announced(f"Hashing {images.name}") if progress else contextlib.nullcontext():
        return images.cached_under()


def _given(given: GivenStatistics, extractor: Extractor) -> SetStatistics:
    width = _num_features(extractor)
    if width != len(given.mean):
        raise UserError(
            f"'{given.name}' holds statistics of {len(given.mean)} features, but "
            f"'{extractor.name}' yields {width}: they are of another extractor."
        )
    return SetStatistics(_results(given), content_hash=given.content_hash)


def _stored(
    images: ImageSet, metrics: Sequence[Metric], extractor: Extractor
) -> GivenStatistics | None:
    """The statistics stored with images, if they are of this extractor; says what is used."""
    stored = images.stored
    if stored is None or not any(map(uses_mean_and_covariance, metrics)):
        return None
    width = _num_features(extractor)
    if extractor.canonical and width == len(stored.mean):
        _log.warning(
            "'%s' holds statistics (mu, sigma) beside its images: FID uses them, as the program "
            "that they were published with does, and other scores use the %d images.",
            stored.name,
            images.count,
        )
        return stored
    if extractor.canonical:
        reason = (
            f"of {len(stored.mean)} features, '{extractor.name}' yields {width}: they are not used"
        )
    else:
        reason = "which are used only with the canonical Inception"
    _log.warning(
        "'%s' holds statistics (mu, sigma) beside its images, %s; with '%s' all scores use the %d "
        "images.",
        stored.name,
        reason,
        extractor.name,
        images.count,
    )
    return None


def _num_features(extractor: Extractor) -> int:
    features, _ = extractor(np.zeros([1, 32, 32, 3], np.uint8))
    return int(features.shape[1])


def _results(given: GivenStatistics) -> dict[str, _Arrays]:
    return {GaussianStatistics.name: {"mean": given.mean, "covariance": given.covariance}}


class _EachSize:
    """An extractor for lists of images that differ in size; images of one size share a pass."""

    def __init__(self, extractor: Extractor):
        self._extractor = extractor

    def __call__(self, images: Any) -> tuple[np.ndarray, np.ndarray | None]:
        places: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            places.setdefault(image.shape, []).append(i)
        order = np.argsort(np.concatenate(list(places.values())))
        outputs = [
            self._extractor(np.stack([images[i] for i in of_size])) for of_size in places.values()
        ]
        features, logits = zip(*outputs, strict=True)
        return (
            np.concatenate(features)[order],
            None if logits[0] is None else np.concatenate(logits)[order],
        )


class _Digest:
    """Hash of a set of images, or of images with labels, in any order: the sum of hashes."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, images: Any, labels: Any = None) -> None:
        for i, image in enumerate(images):
            label = "" if labels is None else int(labels[i])
            self._sum += int(files.digest(f"{image.shape}{label}", image), 16)

    def text(self) -> str:
        return f"{self._sum % 2**256:064x}"[:16]
