"""Views of a source: with other labels, or with only some of the examples."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compare_gan import files
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf, without_autograph
from compare_gan.datasets.sources import (
    Examples,
    RandomAccessSource,
    Source,
    no_labels,
    on_host,
    reference_split,
)
from compare_gan.datasets.streams import StreamSource

# Name of the split with all training examples where training uses a part of them.
ALL_TRAIN = "all_train"
_COMPARED = 256


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RelabelledSource(Source):
    """The images of a source with other labels.

    Attributes:
      inner: The source of the images.
      new_labels: Hard or soft labels by split. A split that is missing keeps the labels of `inner`
        if the classes are the same, otherwise it has no labels.
    """

    inner: Source
    new_labels: Mapping[str, np.ndarray] = dataclasses.field(repr=False)

    @classmethod
    def of(
        cls, inner: Source, new_labels: Mapping[str, np.ndarray], num_classes: int | None
    ) -> RelabelledSource:
        """`inner` with new labels of `num_classes` classes."""
        attributes = _attributes(inner)
        if num_classes != inner.num_classes:
            attributes |= {"num_classes": num_classes, "class_names": None}
        return cls(**attributes, inner=inner, new_labels=new_labels)

    def labels(self, split: str) -> np.ndarray:
        labels = self._replacement(split)
        return self.inner.labels(split) if labels is None else labels

    def counted_labels(self, split: str, count: int) -> np.ndarray:
        labels = self._replacement(split)
        return self.inner.counted_labels(split, count) if labels is None else labels

    def training(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> tf.data.Dataset:
        if labels is None:
            labels = self._replacement("train")
        return self.inner.training(layout, seed, labels)

    def training_arrays(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> Iterator[Examples]:
        if labels is None:
            labels = self._replacement("train")
        return self.inner.training_arrays(layout, seed, labels)

    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        if labels is None and (labels := self._replacement(split)) is not None:
            labels = to_hard_labels(labels)
        return self.inner.evaluation(split, batch_size, count, labels)

    @contextlib.contextmanager
    def broken_files_named(self) -> Iterator[None]:
        with self.inner.broken_files_named():
            yield

    def _replacement(self, split: str) -> np.ndarray | None:
        """The labels of a split; None = those of `inner`, which may take a long time to read."""
        if split not in self.new_labels and self.num_classes != self.inner.num_classes:
            return no_labels(self.splits[split])
        return self.new_labels.get(split)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _SelectedSource(RandomAccessSource):
    """Some examples of a source, by their indices in it."""

    inner: RandomAccessSource
    kept: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    whole: str | None = None

    def labels(self, split: str) -> np.ndarray:
        return self.inner.labels(self._inner(split))[self.kept[split]]

    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        kept = on_host(self.kept[split])
        indices = indices.map(without_autograph(lambda i: tf.gather(kept, i)))
        return self.inner.read(self._inner(split), indices, size)

    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        return self.inner.gather(self._inner(split), self.kept[split][indices])

    def _inner(self, split: str) -> str:
        return "train" if split == self.whole else split

    @contextlib.contextmanager
    def broken_files_named(self) -> Iterator[None]:
        with self.inner.broken_files_named():
            yield


def select(source: Source, chosen: np.ndarray, whole: str | None = None) -> Source:
    """A source with only those of its training examples that `chosen` (bool [n]) marks.

    Args:
      source: The source.
      chosen: The training examples to keep, bool [n].
      whole: Name of an additional split with all training examples, which takes the place of
        `train` as the reference for evaluation; None for no such split.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource
      >>> from compare_gan.datasets.views import select
      >>> images, labels = np.zeros([3, 8, 8, 3], np.uint8), np.array([0, 1, 0])
      >>> source = ArraySource.from_arrays({"train": (images, labels)})
      >>> select(source, labels == 0).keys("train")
      ['0', '2']
    """
    if isinstance(source, StreamSource):
        return source.only({"train": chosen}, whole)
    if isinstance(source, RelabelledSource):
        every = source.labels("train")
        labels = {**source.new_labels, "train": every[chosen]}
        if whole is not None:
            labels[whole] = every
        inner = select(source.inner, chosen, whole)
        return RelabelledSource.of(inner, labels, source.num_classes)
    if not isinstance(source, RandomAccessSource):
        raise TypeError(f"The examples of a {type(source).__name__} cannot be selected.")
    kept = {split: np.arange(size) for split, size in source.splits.items()}
    if whole is not None:
        kept[whole] = kept["train"]
    kept["train"] = np.flatnonzero(chosen)

    def keys(split: str) -> list[str]:
        every = source.keys("train" if split == whole else split)
        return [every[index] for index in kept[split]]

    attributes = _attributes(source) | {
        "splits": {split: len(indices) for split, indices in kept.items()},
        "eval_split": reference_split(source, whole),
        "example_keys": keys,
    }
    return _SelectedSource(**attributes, inner=source, kept=kept, whole=whole)


def images_digest(source: Source) -> str:
    """A hash of some training images, to distinguish data sets whose images have the same names.

    It covers the first 256 images in evaluation order: all of them would take a pass over the data.
    """
    count = source.splits["train"]
    images, _ = next(source.evaluation("train", _COMPARED, min(count, _COMPARED), no_labels(count)))
    return files.digest(images)[:16]


def _attributes(source: Source) -> dict[str, Any]:
    """The attributes that every source has."""
    return {field.name: getattr(source, field.name) for field in dataclasses.fields(Source)}
