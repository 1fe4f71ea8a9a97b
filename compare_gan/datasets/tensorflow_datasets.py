"""Data sets of TensorFlow Datasets, which is imported only when one of them is used.

Those that take at most `sources.MEMORY_LIMIT` bytes are held in memory, the others are streamed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from compare_gan.datasets import sources
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.streams import StreamSource, labels_of_records
from compare_gan.datasets.transforms import Transform, middle_square, unchanged
from compare_gan.errors import UserError, with_suggestion
from compare_gan.startup import available_cores, import_tensorflow

# The evaluation split of a data set that the catalogue does not define: the first of these.
_EVAL_SPLITS = ("test", "validation", "train")


@dataclasses.dataclass(frozen=True)
class TfdsData:
    """The use of a data set of TensorFlow Datasets.

    Attributes:
      tfds_name: Its name there, with its config if any (`lsun/bedroom`).
      image_shape: (H, W, C) after the transforms.
      labelled: Whether its labels are used.
      eval_split: The split that is the reference for evaluation.
      transforms: The transforms of training and of evaluation images.
      random_crops: Whether the transform of training images is random, so that every image must be
        decoded anew each time.
      min_side: Least height and width, as stored, of the images that are used; None = all. Finding
        them takes one pass over the data set.
    """

    tfds_name: str
    image_shape: tuple[int, int, int]
    labelled: bool = True
    eval_split: str = "test"
    transforms: tuple[Transform, Transform] = (unchanged, unchanged)
    random_crops: bool = False
    min_side: int | None = None

    def load(self, data_dir: str | None = None) -> sources.Source:
        """Opens the data set, which must have been prepared (`tfds build`).

        Args:
          data_dir: Directory in which TensorFlow Datasets stores its data; its default if None.

        Raises:
          UserError: The data set is unknown, missing, or not as expected.
        """
        builder = _find_builder(self.tfds_name, data_dir)
        shape = _image_shape(builder)
        fits = shape == self.image_shape if self.transforms[0] is unchanged else True
        if not fits or shape[-1] != self.image_shape[-1]:
            raise UserError(
                f"The images of '{self.tfds_name}' in '{builder.data_path}' have the shape "
                f"{_text(shape)}; {_text(self.image_shape)} is expected."
            )
        for split in ("train", self.eval_split):
            if split not in builder.info.splits:
                raise UserError(
                    f"'{self.tfds_name}' in '{builder.data_path}' has no split '{split}', only "
                    f"{', '.join(builder.info.splits) or 'none'}."
                )
        names = _class_names(builder) if self.labelled else None
        splits = {name: info.num_examples for name, info in builder.info.splits.items()}
        stream = StreamSource(
            image_shape=self.image_shape,
            splits={name: size for name, size in splits.items() if size},
            eval_split=self.eval_split,
            num_classes=len(names) if names else None,
            class_names=names,
            records=lambda split: _records(builder, split, labelled=names is not None),
            train_transform=self.transforms[0],
            eval_transform=self.transforms[1],
            example_keys=lambda split: _keys(builder, split),
        )
        if self.min_side:
            stream = _only_large(stream, self.min_side)
        size = sum(stream.splits.values()) * np.prod(stream.image_shape)
        return stream if self.random_crops or size > sources.MEMORY_LIMIT else _in_memory(stream)


def load_any(tfds_name: str, data_dir: str | None, image_size: int | None) -> sources.Source:
    """Any data set with an `image` and, if it has classes, a `label`; see `TfdsData.load`.

    Args:
      tfds_name: Its name.
      data_dir: Directory in which TensorFlow Datasets stores its data; its default if None.
      image_size: Size to which the middle square of each image is resized; required if images
        differ in size.
    """
    builder = _find_builder(tfds_name, data_dir)
    shape = _image_shape(builder)
    height, width = image_size or shape[0], image_size or shape[1]
    if height is None or width is None:
        raise UserError(f"The images of '{tfds_name}' differ in size: set dataset.image_size.")
    transform = middle_square(image_size) if image_size else unchanged
    data = TfdsData(
        tfds_name,
        (height, width, shape[2]),
        _class_names(builder) is not None,
        next((name for name in _EVAL_SPLITS if name in builder.info.splits), "train"),
        (transform, transform),
    )
    return data.load(data_dir)


def _find_builder(name: str, data_dir: str | None) -> Any:
    import_tensorflow(f"'{name}' of TensorFlow Datasets")
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        sentence = f"TensorFlow Datasets has no data set '{name}'."
        raise UserError(with_suggestion(sentence, name, tfds.list_builders())) from error
    except ValueError as error:  # No such config or version.
        raise UserError(f"TensorFlow Datasets cannot open '{name}': {_line(error)}") from error
    if not builder.is_prepared():
        # No download from here: it may be 100 GB, and without a network it takes minutes to fail.
        raise UserError(
            f"The data set '{name}' is not in '{builder.data_path}': set --tfds_data_dir "
            f"(dataset.data_dir) to its directory, or prepare it once with `tfds build {name} "
            "--data_dir DIR`, on a machine with a network."
        )
    return builder


def _features(builder: Any) -> dict:
    return dict(getattr(builder.info.features, "items", dict)())


def _image_shape(builder: Any) -> tuple[int | None, int | None, int]:
    import tensorflow_datasets as tfds

    feature = _features(builder).get("image")
    if not isinstance(feature, tfds.features.Image) or feature.dtype != np.uint8:
        raise UserError(
            f"'{builder.name}' of TensorFlow Datasets has no feature 'image' of bytes, only "
            f"{', '.join(_features(builder)) or 'one without a name'}."
        )
    return tuple(feature.shape)


def _class_names(builder: Any) -> tuple[str, ...] | None:
    import tensorflow_datasets as tfds

    feature = _features(builder).get("label")
    return tuple(feature.names) if isinstance(feature, tfds.features.ClassLabel) else None


def _read(builder: Any, split: str, features: Sequence[str], **read_config: Any) -> tf.data.Dataset:
    """Records with these features, with encoded images, in the order of the files."""
    import tensorflow_datasets as tfds

    encoded = {"image": tfds.decode.SkipDecoding()} if "image" in features else None
    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(dict.fromkeys(features, True), decoders=encoded),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1, **read_config),
    )


def _records(builder: Any, split: str, labelled: bool) -> tf.data.Dataset:
    """Pairs (encoded image, label)."""

    def pair(record: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        label = record["label"] if labelled else -1
        return record["image"], tf.cast(label, tf.int32)

    return _read(builder, split, ["image", "label"] if labelled else ["image"]).map(pair)


def _keys(builder: Any, split: str) -> list[str]:
    """File names if the data set has them (ImageNet), otherwise the ids of TensorFlow Datasets."""
    if "file_name" in _features(builder):
        keys = _read(builder, split, ["file_name"]).map(lambda record: record["file_name"])
    else:
        records = _read(builder, split, ["image"], add_tfds_id=True)
        keys = records.map(lambda record: record["tfds_id"])
    return [key.decode() for key in sources.with_fixed_threads(keys).as_numpy_iterator()]


def _only_large(stream: StreamSource, min_side: int) -> StreamSource:
    """The training and evaluation images whose height and width are at least `min_side`."""

    def is_large(encoded: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        shape = tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.io.extract_jpeg_shape(encoded),  # From the header, without decoding.
            lambda: tf.shape(tf.io.decode_image(encoded, expand_animations=False)),
        )
        return tf.reduce_min(shape[:2]) >= min_side

    chosen = {}
    for split in dict.fromkeys(["train", stream.eval_split]):
        large = stream.records(split).map(is_large, available_cores())
        large = sources.with_fixed_threads(large).as_numpy_iterator()
        chosen[split] = np.fromiter(large, bool, stream.splits[split])
        if not chosen[split].any():
            raise UserError(f"No image of the split '{split}' is {min_side}x{min_side} or larger.")
    return dataclasses.replace(stream, splits={s: stream.splits[s] for s in chosen}).only(chosen)


def _in_memory(stream: StreamSource) -> sources.ArraySource:
    def read(split: str) -> np.ndarray:
        batches = stream.evaluation(split, 256, stream.splits[split], None)
        return np.concatenate([images for images, _ in batches])

    return sources.ArraySource(
        image_shape=stream.image_shape,
        splits=stream.splits,
        eval_split=stream.eval_split,
        num_classes=stream.num_classes,
        class_names=stream.class_names,
        example_keys=stream.example_keys,
        images={split: functools.partial(read, split) for split in stream.splits},
        true_labels={
            split: labels_of_records(stream.records(split), size)
            for split, size in stream.splits.items()
        },
    )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0].rstrip(".")


def _text(shape: Iterable[int | None]) -> str:
    return "x".join("?" if n is None else str(n) for n in shape)
