"""Statistics of one set of images, and what names the images."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from compare_gan import files
from compare_gan.engine.progress import ProgressLine
from compare_gan.errors import UserError
from compare_gan.evaluation.gather import gather
from compare_gan.evaluation.image_sets import ImageSet, SplitImages
from compare_gan.evaluation.npz_files import GivenStatistics
from compare_gan.evaluation.reference import Reference
from compare_gan.evaluation.results import NOT_RECORDED
from compare_gan.evaluation.set_checks import shape_text
from compare_gan.metrics.base import ImageBatch, Metric
from compare_gan.metrics.gaussian import GaussianStatistics

NONE = "none"


@dataclasses.dataclass(frozen=True)
class Gathered:
    """Statistics of one set, and what result rows say of it.

    Attributes:
      results: Of the statistics, by name, see `gather.statistics_name`.
      count: Number of images; 0 where it is not known.
      dataset: Name of the data set, or of what else the images come from.
      split: Of the data set.
      shape: Of the images, as text.
      content_hash: Names the images, of a split of a data set their order and labels, too.
      labels_hash: Names the images with their labels, in whatever order; empty where no metric
        looks at labels, and of a split.
    """

    results: dict[str, dict[str, np.ndarray]]
    count: int = 0
    dataset: str = NONE
    split: str = NONE
    shape: str = ""
    content_hash: str = NONE
    labels_hash: str = ""

    @property
    def num_images(self) -> int | str:
        """The count, as result rows have it."""
        return self.count or NOT_RECORDED


def gather_set(
    images: ImageSet | GivenStatistics,
    metrics: Sequence[Metric],
    extractor,
    batch_size: int,
    *,
    renumber: np.ndarray | None = None,
    progress: bool = False,
) -> Gathered:
    """The statistics of metrics over a set of images, in one pass.

    Args:
      images: The set.
      metrics: The metrics.
      extractor: The extractor.
      batch_size: Images in one forward of it.
      renumber: int [classes], from the labels of the set to those that metrics are shown.
      progress: Tell on standard error how far it is.

    Raises:
      UserError: A file cannot be read, a metric cannot be had of these images, or statistics are
        of another extractor.
    """
    if isinstance(images, GivenStatistics):
        return _given(images, extractor)
    digest, digest_with_labels = _Digest(), _Digest()
    labelled = images.has_labels and any(
        "labels" in metric.needs or metric.uses_labels for metric in metrics
    )

    def numbered(batches: Iterator[ImageBatch]) -> Iterator[ImageBatch]:
        for batch in batches:
            if renumber is not None:
                batch = dataclasses.replace(batch, labels=renumber[batch.labels])
            digest.add(batch.images)
            if labelled:
                digest_with_labels.add(batch.images, batch.labels)
            yield batch

    batches = _told(numbered(images.batches(batch_size)), images, progress)
    each_size = extractor if images.shape else _EachSize(extractor)
    return Gathered(
        gather(metrics, each_size, batches, images.count),
        images.count,
        content_hash=digest.text(),
        labels_hash=digest_with_labels.text() if labelled else "",
        **_about(images),
    )


def gather_reference(
    images: ImageSet | GivenStatistics | None,
    metrics: Sequence[Metric],
    extractor,
    batch_size: int,
    progress: bool = False,
) -> Gathered:
    """As `gather_set`, for the metrics that compare with real images.

    The statistics of a split of a data set are cached on disk, where GANs are evaluated with the
    same ones.
    """
    metrics = [metric for metric in metrics if metric.uses_real]
    if not metrics:
        return Gathered({})
    if not isinstance(images, SplitImages):
        return gather_set(images, metrics, extractor, batch_size, progress=progress)
    reference = Reference(images.dataset, images.split, images.count, batch_size)
    results = reference.statistics(
        metrics, extractor, lambda batches: _told(batches, images, progress)
    )
    return Gathered(results, reference.count, content_hash=reference.content_hash, **_about(images))


def _about(images: ImageSet) -> dict[str, str]:
    if isinstance(images, SplitImages):
        about = {"dataset": images.dataset.name, "split": images.split}
    else:
        about = {"dataset": images.name, "split": "all"}
    return about | {"shape": shape_text(images.shape)}


def _told(batches: Iterator[ImageBatch], images: ImageSet, progress: bool) -> Iterator[ImageBatch]:
    """The same batches; tells on standard error how many images have been."""
    line = ProgressLine(images.name, 0, images.count) if progress else None
    done = 0
    for batch in batches:
        yield batch
        done += len(batch.images)
        if line:
            line.update(done, "images")
    if line:
        line.close()


def _given(given: GivenStatistics, extractor) -> Gathered:
    features, _ = extractor(np.zeros([1, 32, 32, 3], np.uint8))
    if features.shape[1] != len(given.mean):
        raise UserError(
            f"'{given.name}' holds statistics of {len(given.mean)} features, but "
            f"'{extractor.name}' yields {features.shape[1]}: they are of another extractor."
        )
    results = {"mean": given.mean, "covariance": given.covariance}
    return Gathered(
        {GaussianStatistics.name: results},
        dataset=given.name,
        split="statistics",
        content_hash=given.content_hash,
    )


class _EachSize:
    """An extractor for lists of images that differ in size: those of one size go through together.

    Args:
      extractor: What it stands for.
    """

    def __init__(self, extractor):
        self._extractor = extractor

    def __call__(self, images: Sequence[np.ndarray]):
        places: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            places.setdefault(image.shape, []).append(i)
        order = np.argsort(np.concatenate(list(places.values())))
        outputs = [
            self._extractor(np.stack([images[i] for i in of_size])) for of_size in places.values()
        ]
        features, logits = zip(*outputs, strict=True)
        return tuple(
            None if parts[0] is None else np.concatenate(parts)[order]
            for parts in (features, logits)
        )


class _Digest:
    """Names a set of images, or of pairs with a label, in whatever order: the sum of hashes."""

    def __init__(self):
        self._sum = 0

    def add(self, images: Sequence[np.ndarray], labels: np.ndarray | None = None) -> None:
        for i, image in enumerate(images):
            label = "" if labels is None else int(labels[i])
            self._sum += int(files.digest(f"{image.shape}{label}", image), 16)

    def text(self) -> str:
        return f"{self._sum % 2**256:064x}"[:16]
