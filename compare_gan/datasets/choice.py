"""How a data set is chosen in a config: the gin scope `dataset`."""

import functools
import inspect

import gin

from compare_gan import registry
from compare_gan.datasets.catalog import Definition
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import check_fraction, choose_labelled
from compare_gan.datasets.sources import Source
from compare_gan.datasets.streams import StreamSource
from compare_gan.datasets.synthetic import make_noise
from compare_gan.datasets.tensorflow_datasets import load_any
from compare_gan.errors import UserError
from compare_gan.utils import call_with_requested

_ANY_TFDS = "tfds:"


@gin.configurable("dataset")
def get_dataset(
    name: str = gin.REQUIRED,
    seed: int = 547,
    labeled_fraction: float = 1.0,
    data_dir: str | None = None,
    fake: bool = False,
    pad_to: int | None = None,
    image_size: int | None = None,
) -> Dataset:
    """The data set that the config names (gin scope `dataset`).

    Args:
      name: A name that `compare_gan list dataset` prints, or `tfds:NAME` for any other data set
        of TensorFlow Datasets that has an `image` and, if it has classes, a `label`.
      seed: Chooses the hidden labels and, with the run's seed, the order of the examples.
      labeled_fraction: Fraction of each class's training examples whose labels training sees.
      data_dir: Where the files are; without effect on data sets that read none.
      fake: Noise of the data set's shape instead of its images; no file is read. Where only the
        files tell the shape it is `image_size` (32 if None), colour, 10 classes.
      pad_to: Pad the images with black, on all sides alike, to this height and width.
      image_size: Height and width to which images are cropped and resized, for data sets whose
        images may come in any size.

    Raises:
      UserError: The name is not known, a value is not allowed, or files are missing or damaged.
    """
    definition = _find(name)
    check_fraction(labeled_fraction)
    if image_size is not None and "image_size" not in inspect.signature(definition.load).parameters:
        raise UserError(f"dataset.image_size cannot be set for '{name}'.")
    if fake:
        side = image_size or 32
        shape = definition.image_shape or (side, side, 3)
        source = make_noise(shape, definition.num_classes, definition.eval_split)
        name = f"{name} (fake)"
    else:
        source = call_with_requested(definition.load, data_dir=data_dir, image_size=image_size)
    return Dataset(name, source, seed, _labelled(name, source, labeled_fraction, seed), pad_to)


def _find(name: str) -> Definition:
    if name.startswith(_ANY_TFDS):
        load = functools.partial(load_any, name.removeprefix(_ANY_TFDS))
        return Definition(load, num_classes=10)
    return registry.get("dataset", name)


def _labelled(name: str, source: Source, fraction: float, seed: int):
    if not source.num_classes:
        if fraction != 1:
            raise UserError(f"dataset.labeled_fraction is {fraction}, but '{name}' has no labels.")
        return None
    if fraction == 1 and isinstance(source, StreamSource):
        return None  # Knowing all labels beforehand would take a reading of the whole data set.
    names = source.class_names or range(source.num_classes)
    return choose_labelled(source.labels("train"), fraction, seed, names)
