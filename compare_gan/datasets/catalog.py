"""The named data sets."""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from compare_gan import registry
from compare_gan.datasets import idx, packaged, transforms
from compare_gan.datasets.folder import ImageFolderOptions, load_image_folder
from compare_gan.datasets.sources import Source
from compare_gan.datasets.stacked_digits import StackedDigitsOptions, load_stacked_digits
from compare_gan.datasets.synthetic import SyntheticOptions, load_synthetic
from compare_gan.datasets.tensorflow_datasets import TfdsData, load_any
from compare_gan.errors import UserError

_ANY_TFDS = "tfds:"
_WITH_FRACTION = re.compile(r"(?P<name>.+)_(?P<fraction>0?\.\d+)")


@dataclasses.dataclass(frozen=True)
class Definition:
    """The definition of a named data set.

    Attributes:
      load: Opens it: a function that asks by parameter name for the values it needs (`data_dir` and
        `image_size` of the scope `dataset`, its `background` as RGB values, `options`,
        `class_order` of `DataOptions`) and returns a `Source`.
      image_shape: (H, W, C); None if it depends on the files or on `dataset.image_size`.
      num_classes: Number of classes; None if there are none.
      eval_split: The split that is the reference for evaluation.
      labels: The kind of labels: None = the images' own; `single`, one class for all images;
        `random`, a random class for each image, the same in every run; `soft`, from files that must
        be given; `labelled_only`, the images' own, and images without one are left out.
      options: Dataclass of the options that only this data set has; `load` gets an instance as
        `options`. It checks its values.
    """

    load: Callable[..., Source]
    image_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    eval_split: str = "train"
    labels: str | None = None
    options: type | None = None


def define(
    name: str,
    load: Callable[..., Source],
    image_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    eval_split: str = "train",
    labels: str | None = None,
    options: type | None = None,
    *,
    summary: str,
    paper: str = "",
    aliases: Iterable[str] = (),
) -> None:
    """Registers a data set under a name; see `Definition` and `registry.add`.

    Example:
      >>> import numpy as np
      >>> from compare_gan import datasets
      >>> def load():
      ...     images, labels = np.zeros([4, 8, 8, 3], np.uint8), np.array([0, 1, 0, 1])
      ...     return datasets.ArraySource.from_arrays({"train": (images, labels)})
      >>> datasets.define("black", load, (8, 8, 3), num_classes=2, summary="Black images.")
      >>> datasets.get_dataset("black").num_train
      4
    """
    definition = Definition(load, image_shape, num_classes, eval_split, labels, options)
    registry.add("dataset", name, definition, summary=summary, paper=paper, aliases=aliases)


def split_fraction(name: str) -> tuple[str, float | None]:
    """The data set and the fraction in a name such as `imagenet_128_0.25`; else the name and None.

    The configs of DiffAugment for BigGAN on ImageNet write it so
    (https://arxiv.org/abs/2006.10738).

    Example:
      >>> from compare_gan.datasets.catalog import split_fraction
      >>> split_fraction("imagenet_128_0.25"), split_fraction("imagenet_128")
      (('imagenet_128', 0.25), ('imagenet_128', None))
    """
    match = _WITH_FRACTION.fullmatch(name)
    if match is None or name in registry.names("dataset"):
        return name, None
    return match["name"], float(match["fraction"])


def find_definition(name: str) -> Definition:
    """The definition of the data set of this name.

    Args:
      name: A registered name, or `tfds:NAME` for any data set of TensorFlow Datasets.

    Raises:
      UserError: There is no such data set.
    """
    if name.startswith(_ANY_TFDS):
        load = functools.partial(load_any, name.removeprefix(_ANY_TFDS))
        return Definition(load, num_classes=10)
    try:
        return registry.get("dataset", name)
    except UserError:
        if not os.path.exists(name):
            raise
        raise UserError(
            f"'{name}' is a path, not the name of a data set: images of your own are the data set "
            f"'image_folder' (dataset.name = 'image_folder') with dataset.data_dir = '{name}'."
        ) from None


def _define_tfds(
    name: str, data: TfdsData, num_classes: int | None = None, **description: Any
) -> None:
    define(name, data.load, data.image_shape, num_classes, data.eval_split, **description)


def _define_imagenet(
    name: str, size: int, what: str, labels: str | None = None, min_side: int | None = None
) -> None:
    data = TfdsData(
        "imagenet2012",
        (size, size, 3),
        eval_split="validation",
        random_crops=True,
        min_side=min_side,
    )

    def load(options: transforms.ImagenetOptions, data_dir: str | None = None) -> Source:
        return dataclasses.replace(data, transforms=options.transforms(size)).load(data_dir)

    define(
        name,
        load,
        data.image_shape,
        1 if labels == "single" else 1000,
        data.eval_split,
        labels,
        transforms.ImagenetOptions,
        summary=f"ImageNet at {size}x{size}, {what}; see train_imagenet_transform.",
        paper="https://arxiv.org/abs/1409.0575",
    )


_FASHION = "https://arxiv.org/abs/1708.07747"
define(
    "fashion_mnist_10k",
    packaged.load_fashion_mnist_10k,
    (28, 28, 1),
    10,
    summary="10,000 images of garments, 28x28 gray, 10 classes; part of the library.",
    paper=_FASHION,
)
define(
    "fashion_mnist_idx",
    idx.load_fashion_mnist,
    (28, 28, 1),
    10,
    "test",
    summary="Fashion-MNIST from IDX files (dataset.data_dir; Debian's), 60,000 + 10,000 images.",
    paper=_FASHION,
)
define(
    "idx",
    idx.load_idx,
    (28, 28, 1),
    10,
    "test",
    summary="IDX files, the format of MNIST, in dataset.data_dir.",
)
define(
    "image_folder",
    load_image_folder,
    num_classes=10,
    options=ImageFolderOptions,
    summary="Images of your own in dataset.data_dir: a folder, .zip, .csv or .npz.",
)
define(
    "synthetic",
    load_synthetic,
    num_classes=4,
    eval_split="test",
    options=SyntheticOptions,
    summary="Computed coloured shapes; for tests.",
)
define(
    "stacked_digits",
    load_stacked_digits,
    (8, 8, 3),
    1000,
    options=StackedDigitsOptions,
    summary="Three of scikit-learn's digits in the channels, 8x8: 1,000 modes to be counted.",
    paper="https://arxiv.org/abs/1705.07761",
)
_define_tfds(
    "mnist",
    TfdsData("mnist", (28, 28, 1)),
    10,
    summary="Handwritten digits, 28x28 gray, 10 classes.",
)
_define_tfds(
    "fashion-mnist",
    TfdsData("fashion_mnist", (28, 28, 1)),
    10,
    aliases=["fashion_mnist"],
    summary="Fashion-MNIST through TensorFlow Datasets.",
    paper=_FASHION,
)
_define_tfds(
    "cifar10",
    TfdsData("cifar10", (32, 32, 3)),
    10,
    summary="Small photographs, 32x32, 10 classes.",
    paper="https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
)
_define_tfds(
    "celeb_a",
    TfdsData(
        "celeb_a",
        (64, 64, 3),
        labelled=False,
        transforms=(transforms.middle_crop(160, 64),) * 2,
    ),
    summary="Faces: the middle 160x160 pixels, resized to 64x64; no classes.",
    paper="https://arxiv.org/abs/1411.7766",
)
for _size in (64, 128, 256, 512, 1024):
    _define_tfds(
        f"celeb_a_hq_{_size}",
        TfdsData(f"celeb_a_hq/{_size}", (_size, _size, 3), labelled=False, eval_split="train"),
        summary=f"Faces, {_size}x{_size}; no classes.",
        paper="https://arxiv.org/abs/1710.10196",
    )
_define_tfds(
    "lsun-bedroom",
    TfdsData(
        "lsun/bedroom",
        (128, 128, 3),
        labelled=False,
        # Its validation split holds 300 images, too few to compare with.
        eval_split="train",
        transforms=(transforms.middle_crop(128, 128),) * 2,
    ),
    aliases=["lsun"],
    summary="Bedrooms: the middle 128x128 pixels; no classes.",
    paper="https://arxiv.org/abs/1506.03365",
)
for _size in (32, 64, 128, 256, 512):
    _define_imagenet(f"imagenet_{_size}", _size, "1000 classes")
    for _labels, _prefix, _what in (
        ("labelled_only", "labeled_only", "images without a label left out"),
        ("soft", "soft_labeled", "soft labels from replace_labels.file_pattern"),
        ("single", "single_class", "all of one class"),
        ("random", "random_class", "a random class for each image, always the same"),
    ):
        _define_imagenet(f"{_prefix}_imagenet_{_size}", _size, _what, labels=_labels)
_define_imagenet("imagenet_512_hq400", 512, "only images of at least 400x400", min_side=400)
