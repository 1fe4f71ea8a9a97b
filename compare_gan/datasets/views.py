"""Sources made of others: with other labels, or with some of the examples only."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from compare_gan import files
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.sources import (
    RandomAccessSource,
    Source,
    no_labels,
    on_host,
    with_fixed_threads,
)
from compare_gan.datasets.streams import StreamSource

_COMPARED = 256


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RelabelledSource(Source):
    """The images of a source with other labels.

    Attributes:
      inner: That source.
      new_labels: From split to labels, hard or soft. A split without any keeps those of `inner`
        where the classes are the same, else it has none.
    """

    inner: Source
    new_labels: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, inner: Source, new_labels: Mapping[str, np.ndarray], num_classes: int):
        """`inner` with new labels of so many classes."""
        about = _about(inner)
        if num_classes != inner.num_classes:
            about |= {"num_classes": num_classes, "class_names": None}
        return cls(**about, inner=inner, new_labels=new_labels)

    def labels(self, split):
        labels = self._replacement(split)
        return self.inner.labels(split) if labels is None else labels

    def training(self, layout, seed, labels):
        if labels is None:
            labels = self._replacement("train")
        return self.inner.training(layout, seed, labels)

    def evaluation(self, split, batch_size, count, labels):
        if labels is None and (labels := self._replacement(split)) is not None:
            labels = to_hard_labels(labels)
        return self.inner.evaluation(split, batch_size, count, labels)

    def _replacement(self, split: str) -> np.ndarray | None:
        """The labels of a split; None = those of `inner`, which may take long to read."""
        if split not in self.new_labels and self.num_classes != self.inner.num_classes:
            return no_labels(self.splits[split])
        return self.new_labels.get(split)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _SelectedSource(RandomAccessSource):
    """Some examples of a source, by their indices there."""

    inner: RandomAccessSource
    kept: Mapping[str, np.ndarray]

    def labels(self, split):
        return self.inner.labels(split)[self.kept[split]]

    def read(self, split, indices, size):
        kept = on_host(self.kept[split])
        return self.inner.read(split, indices.map(lambda i: tf.gather(kept, i)), size)


def select(source: Source, chosen: np.ndarray) -> Source:
    """A source with those of its training examples only that `chosen` (bool [n]) marks."""
    if isinstance(source, StreamSource):
        return source.only({"train": chosen})
    if isinstance(source, RelabelledSource):
        labels = {**source.new_labels, "train": source.labels("train")[chosen]}
        return RelabelledSource.of(select(source.inner, chosen), labels, source.num_classes)
    kept = {split: np.arange(size) for split, size in source.splits.items()}
    kept["train"] = np.flatnonzero(chosen)
    about = _about(source) | {
        "splits": {split: len(indices) for split, indices in kept.items()},
        "example_keys": lambda split: np.array(source.keys(split))[kept[split]],
    }
    return _SelectedSource(**about, inner=source, kept=kept)


def images_digest(source: Source) -> str:
    """Tells data sets apart whose images have the same names: a hash of some training images.

    Of 256 as they are for evaluation: of all, it would take a reading of them.
    """
    count = source.splits["train"]
    batches = source.evaluation("train", _COMPARED, min(count, _COMPARED), no_labels(count))
    images, _ = next(iter(with_fixed_threads(batches)))
    return files.digest(images.numpy())[:16]


def _about(source: Source) -> dict[str, object]:
    """The attributes that every source has."""
    return {field.name: getattr(source, field.name) for field in dataclasses.fields(Source)}
