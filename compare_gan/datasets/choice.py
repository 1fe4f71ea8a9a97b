"""How a data set is chosen in a config: the gin scope `dataset`."""

import dataclasses
import functools
import inspect

import gin
import numpy as np

from compare_gan import registry
from compare_gan.datasets.catalog import Definition
from compare_gan.datasets.dataset import Dataset, InferredLabels
from compare_gan.datasets.labels import check_fraction, choose_given, hide_labels, to_hard_labels
from compare_gan.datasets.relabelling import (
    has_soft_labels,
    label_paths,
    random_labels,
    replace_labels,
    single_label,
    smoothed_labels,
)
from compare_gan.datasets.sources import Source
from compare_gan.datasets.streams import StreamSource
from compare_gan.datasets.synthetic import make_noise
from compare_gan.datasets.tensorflow_datasets import load_any
from compare_gan.datasets.views import RelabelledSource, select
from compare_gan.errors import UserError, check_positive_integer, unknown_name
from compare_gan.registry import call_with_requested

_ANY_TFDS = "tfds:"
_MADE_UP = ("single", "random")


@gin.configurable("dataset")
def get_dataset(
    name: str = gin.REQUIRED,
    seed: int = 547,
    labels: str | None = None,
    labeled_fraction: float = 1.0,
    inferred_labels: bool = False,
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
      labels: Instead of the images' own: `single`, all of one class, or `random`, a class for each
        image, drawn once and for all.
      labeled_fraction: Fraction of each class's training examples whose labels training sees.
      inferred_labels: Training sees labels that are inferred from the given ones, or clusters, as
        the scope `infer_labels` says; `compare_gan train` infers them where need be.
      data_dir: Where the files are; without effect on data sets that read none.
      fake: Noise of the data set's shape instead of its images, none of whose files is read. Where
        only the files tell the shape it is `image_size` (32 if None), colour, 10 classes. Labels
        from `replace_labels.file_pattern` are given to the noise in turn.
      pad_to: Pad the images with black, on all sides alike, to this height and width.
      image_size: Height and width to which images are cropped and resized, for data sets whose
        images may come in any size.

    Raises:
      UserError: The name is not known, a value is not allowed, or files are missing or damaged.
    """
    definition = _find(name, labels)
    _check_options(definition, name, labeled_fraction, image_size, fake)
    inferred = _pending_labels(definition, name, inferred_labels)
    if from_files := _labels_from_files():
        label_paths(from_files["file_pattern"], "train")  # Sooner told than data are opened.
    if fake:
        side = image_size or 32
        shape = definition.image_shape or (side, side, 3)
        # Soft labels take as many numbers each as there are classes.
        images_per_class = 10 if definition.labels == "soft" else 100
        source = make_noise(shape, definition.num_classes, definition.eval_split, images_per_class)
        name = f"{name} (fake)"
    else:
        source = call_with_requested(definition.load, data_dir=data_dir, image_size=image_size)
    source = _relabel(name, definition.labels, source, seed, fake)
    given_mask = _make_given_mask(name, source, labeled_fraction, seed)
    if definition.labels == "labelled_only":
        source, given_mask = _only_labelled(name, source, given_mask), None
    return Dataset(name, source, seed, given_mask, pad_to, inferred)


def outline(need_classes: bool = True, **overrides) -> Dataset | None:
    """Noise in the shape of the data set that the config names: to check a config, read no file.

    Args:
      need_classes: False = where only label files tell the classes, a data set without any.
      **overrides: Arguments for `get_dataset` that win over gin's.

    Returns:
      The data set; None where only files tell the shape of the images or, if they are needed, the
      classes.

    Raises:
      UserError: As `get_dataset`, for what can be told before anything is read.
    """
    options = gin.get_bindings("dataset") | overrides
    if "name" not in options:
        return get_dataset(**overrides)  # Gin says that it is missing.
    name, fraction = options["name"], options.get("labeled_fraction", 1.0)
    definition = _find(name, options.get("labels"))
    fake = options.get("fake", False)
    _check_options(definition, name, fraction, options.get("image_size"), fake)
    from_files = _labels_from_files()
    num_classes = from_files.get("num_classes") or definition.num_classes
    inferred = _pending_labels(definition, name, options.get("inferred_labels", False))
    unknown_classes = bool(from_files) and not num_classes
    if definition.image_shape is None or (unknown_classes and need_classes):
        return None
    source = make_noise(definition.image_shape, num_classes, definition.eval_split)
    if not num_classes and not unknown_classes:
        _make_given_mask(name, source, fraction, seed=0)
    return Dataset(name, source, pad_to=options.get("pad_to"), inferred=inferred)


def _check_options(
    definition: Definition, name: str, fraction: float, image_size, fake: bool
) -> None:
    check_fraction(fraction)
    if image_size is not None:
        check_positive_integer("dataset.image_size", image_size)
        if "image_size" not in inspect.signature(definition.load).parameters:
            raise UserError(f"dataset.image_size cannot be set for '{name}'.")
    from_files = _labels_from_files()
    if from_files and definition.labels in _MADE_UP:
        raise UserError(
            f"The labels of '{name}' are made up: replace_labels.file_pattern cannot be set."
        )
    if definition.labels == "soft" and not (from_files or fake):
        raise _needs_soft_labels(name)
    if from_files.get("num_classes") is not None:
        check_positive_integer("replace_labels.num_classes", from_files["num_classes"])
    if definition.check:
        definition.check()


def _pending_labels(definition: Definition, name: str, wanted: bool) -> InferredLabels | None:
    """Pending inferred labels, if they are wanted."""
    if not wanted:
        return None
    if definition.labels in (*_MADE_UP, "labelled_only"):
        raise UserError(
            f"dataset.inferred_labels = True needs images without a label; '{name}' has none."
        )
    return InferredLabels()


def _labels_from_files() -> dict[str, object]:
    """What the config binds of `replace_labels`; nothing where labels are not from files."""
    bindings = gin.get_bindings("replace_labels")
    return {} if bindings.get("file_pattern") is None else bindings


def _needs_soft_labels(name: str) -> UserError:
    return UserError(
        f"'{name}' needs soft labels: set replace_labels.file_pattern to files of them."
    )


def _find(name: str, labels: str | None) -> Definition:
    """What the name stands for, with the labels that `dataset.labels` asks for, if any."""
    if name.startswith(_ANY_TFDS):
        load = functools.partial(load_any, name.removeprefix(_ANY_TFDS))
        definition = Definition(load, num_classes=10)
    else:
        definition = registry.get("dataset", name)
    if labels is None:
        return definition
    if labels not in _MADE_UP:
        raise unknown_name("dataset.labels", labels, _MADE_UP)
    if definition.labels is not None:
        raise UserError(f"dataset.labels = '{labels}' does not suit '{name}', whose name says it.")
    num_classes = 1 if labels == "single" else definition.num_classes
    return dataclasses.replace(definition, labels=labels, num_classes=num_classes)


def _make_given_mask(name: str, source: Source, fraction: float, seed: int) -> np.ndarray | None:
    """The training examples whose label is given, bool [num_train]; None = all."""
    if not source.num_classes:
        if fraction != 1:
            raise UserError(f"dataset.labeled_fraction is {fraction}, but '{name}' has no labels.")
        return None
    # Knowing all labels of a stream beforehand would take a reading of the whole data set. Labels
    # from files may leave classes out.
    if fraction == 1 and isinstance(source, (StreamSource, RelabelledSource)):
        return None
    names = source.class_names or range(source.num_classes)
    return choose_given(to_hard_labels(source.labels("train")), fraction, seed, names)


def _relabel(name: str, labels: str | None, source: Source, seed: int, fake: bool) -> Source:
    """The source with the labels that replace its own, if any; see `Definition.labels`."""
    if labels == "single":
        return single_label(source)
    if labels == "random":
        return random_labels(source, seed)
    replaced = replace_labels(source, name, in_turn=fake)
    if labels == "soft" and not has_soft_labels(replaced):
        if replaced is not source:
            raise _needs_soft_labels(name)
        return smoothed_labels(source)  # Of noise.
    return replaced


def _only_labelled(name: str, source: Source, given_mask: np.ndarray | None) -> Source:
    """The source without the training examples that have no label, or whose label is hidden."""
    if given_mask is None and not isinstance(source, RelabelledSource):
        return source
    labels = source.labels("train")
    given_labels = labels if given_mask is None else hide_labels(labels, given_mask)
    labelled = to_hard_labels(given_labels) >= 0
    if not labelled.any():
        raise UserError(f"No training image of '{name}' has a label.")
    return select(source, labelled)
