"""From options to a data set: `get_dataset` opens it, `outline` shows its shape without files."""

import inspect
from typing import Any

import numpy as np

from compare_gan.datasets.catalog import Definition
from compare_gan.datasets.colours import WHITE, parse_colour
from compare_gan.datasets.data_options import MADE_UP, DataOptions
from compare_gan.datasets.dataset import Dataset, InferredLabels
from compare_gan.datasets.instance_selection import choose_densest
from compare_gan.datasets.labels import (
    choose_given,
    choose_images,
    hide_labels,
    to_hard_labels,
)
from compare_gan.datasets.relabelling import (
    has_soft_labels,
    label_paths,
    random_labels,
    replace_labels,
    single_label,
    smoothed_labels,
)
from compare_gan.datasets.sources import Source, no_labels
from compare_gan.datasets.streams import StreamSource
from compare_gan.datasets.synthetic import make_noise
from compare_gan.datasets.views import ALL_TRAIN, RelabelledSource, select
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.registry import call_with_requested


def get_dataset(name: str | DataOptions, **options: Any) -> Dataset:
    """Opens a data set.

    Args:
      name: Name of the data set, as `compare_gan list dataset` prints it, or `tfds:NAME` for any
        other data set of TensorFlow Datasets; or all options.
      **options: With a name: attributes of `DatasetOptions` (`labeled_fraction`, `data_dir`,
        `image_size`, …), `replace_labels`, and attributes of the data set's own options; see
        `DataOptions.from_gin`.

    Raises:
      UserError: A name is unknown, a value is not allowed, or files are missing or damaged.

    Example:
      >>> from compare_gan import datasets
      >>> dataset = datasets.get_dataset("fashion_mnist_10k", labeled_fraction=0.2)
      >>> dataset.image_shape, dataset.num_classes, dataset.num_train
      ((28, 28, 1), 10, 10000)
    """
    if isinstance(name, str):
        return get_dataset(DataOptions.from_gin(name=name, **options))
    if options:
        raise UserError("get_dataset takes either all options or a name with options.")
    return _open(name)


def outline(options: DataOptions, need_classes: bool = True) -> Dataset | None:
    """Noise in the shape of a data set, to check a config without reading any file.

    Args:
      options: Options of the data set.
      need_classes: Whether the classes must be known; False = if only label files determine them,
        the result has none.

    Returns:
      The data set; None if only files determine the shape of the images or, if they are needed, the
      classes.

    Raises:
      UserError: As `get_dataset`, for mistakes that can be found without reading anything.

    Example:
      >>> from compare_gan import datasets
      >>> options = datasets.DataOptions.from_gin(name="imagenet_128", data_dir="/nowhere")
      >>> datasets.outline(options).image_shape
      (128, 128, 3)
    """
    choice, files, definition = options.dataset, options.replace_labels, options.definition
    _check(options, definition)
    from_files = files.file_pattern is not None
    num_classes = (from_files and files.num_classes) or definition.num_classes
    inferred = _pending_labels(options, definition)
    unknown_classes = from_files and not num_classes
    if definition.image_shape is None or (unknown_classes and need_classes):
        return None
    source = make_noise(definition.image_shape, num_classes, definition.eval_split)
    if not num_classes and not unknown_classes:
        _make_given_mask(choice.name, source, choice.labeled_fraction, seed=0)
    return Dataset(
        choice.name,
        source,
        pad_to=choice.pad_to,
        inferred=inferred,
        crop_methods=options.crop_methods,
    )


def _open(options: DataOptions) -> Dataset:
    choice, definition = options.dataset, options.definition
    _check(options, definition)
    inferred = _pending_labels(options, definition)
    file_pattern = options.replace_labels.file_pattern
    if file_pattern is not None:
        label_paths(file_pattern, "train")  # Missing files are reported before data are opened.
    name = choice.name
    if choice.fake:
        name = f"{name} (fake)"
        source = _fake_source(choice.image_size, definition)
    else:
        source = call_with_requested(
            definition.load,
            data_dir=choice.data_dir,
            image_size=choice.image_size,
            background=parse_colour("dataset.background", choice.background),
            options=options.own,
            class_order=options.class_order,
        )
    source = _relabel(name, definition.labels, source, options)
    chosen = None
    if choice.fraction != 1 or choice.choice is not None:
        chosen = _chosen(name, source, options)
        source = select(source, chosen, whole=ALL_TRAIN)
    given_mask = _make_given_mask(name, source, choice.labeled_fraction, choice.seed)
    if definition.labels == "labelled_only":
        source, given_mask = _only_labelled(name, source, given_mask), None
    return Dataset(
        name,
        source,
        choice.seed,
        given_mask,
        choice.pad_to,
        inferred,
        options.crop_methods,
        choice.flip,
        chosen,
    )


def _chosen(name: str, source: Source, options: DataOptions) -> np.ndarray:
    """The training examples that `fraction` and `densest_fraction` choose, bool [n]."""
    choice = options.dataset
    labels = no_labels(source.splits["train"])
    if source.num_classes:
        labels = to_hard_labels(source.labels("train"))
    chosen = choose_images(labels, choice.fraction, choice.seed)
    description = choice.choice
    if description is None:
        return chosen
    if not description["by_class"]:
        labels = no_labels(len(labels))

    def densest_of_them() -> np.ndarray:
        part = source if choice.fraction == 1 else select(source, chosen)
        densest = chosen.copy()
        densest[chosen] = choose_densest(
            part, name, labels[chosen], choice.densest_fraction, choice.extractor_of_densities
        )
        return densest

    if options.choose is None:
        return densest_of_them()
    return options.choose(description, len(chosen), densest_of_them)


def _fake_source(image_size: int | None, definition: Definition) -> Source:
    side = image_size or 32
    shape = definition.image_shape or (side, side, 3)
    # A soft label takes as many numbers as there are classes.
    images_per_class = 10 if definition.labels == "soft" else 100
    return make_noise(shape, definition.num_classes, definition.eval_split, images_per_class)


def _check(options: DataOptions, definition: Definition) -> None:
    choice, files = options.dataset, options.replace_labels
    given = {
        "image_size": choice.image_size is not None,
        "background": parse_colour("dataset.background", choice.background) != WHITE,
    }
    taken = inspect.signature(definition.load).parameters
    for name, is_given in given.items():
        if is_given and name not in taken:
            raise UserError(f"dataset.{name} cannot be set for '{choice.name}'.")
    from_files = files.file_pattern is not None
    if from_files and definition.labels in MADE_UP:
        raise UserError(
            f"The labels of '{choice.name}' are made up: replace_labels.file_pattern cannot be set."
        )
    if definition.labels == "soft" and not (from_files or choice.fake):
        raise _needs_soft_labels(choice.name)
    if from_files and files.num_classes is not None:
        check_positive_integer("replace_labels.num_classes", files.num_classes)


def _pending_labels(options: DataOptions, definition: Definition) -> InferredLabels | None:
    """Pending inferred labels, if the options ask for them."""
    if not options.dataset.inferred_labels:
        return None
    if definition.labels in (*MADE_UP, "labelled_only"):
        raise UserError(
            "dataset.inferred_labels = True needs images without a label; "
            f"'{options.dataset.name}' has none."
        )
    return InferredLabels()


def _needs_soft_labels(name: str) -> UserError:
    return UserError(
        f"'{name}' needs soft labels: set replace_labels.file_pattern to files with soft labels."
    )


def _make_given_mask(name: str, source: Source, fraction: float, seed: int) -> np.ndarray | None:
    """The training examples whose label is given, bool [num_train]; None = all."""
    if not source.num_classes:
        if fraction != 1:
            raise UserError(f"dataset.labeled_fraction is {fraction}, but '{name}' has no labels.")
        return None
    # All labels of a stream are known only after a pass over the whole data set. Labels from files
    # may leave classes out.
    if fraction == 1 and isinstance(source, (StreamSource, RelabelledSource)):
        return None
    names = source.class_names or tuple(map(str, range(source.num_classes)))
    return choose_given(to_hard_labels(source.labels("train")), fraction, seed, names)


def _relabel(name: str, labels: str | None, source: Source, options: DataOptions) -> Source:
    """The source with the labels that replace its own, if any; see `Definition.labels`."""
    if labels == "single":
        return single_label(source)
    if labels == "random":
        return random_labels(source, options.dataset.seed)
    files, fake = options.replace_labels, options.dataset.fake
    replaced = source
    if files.file_pattern is not None:
        replaced = replace_labels(source, name, files.file_pattern, files.num_classes, in_turn=fake)
    if labels == "soft" and not has_soft_labels(replaced):
        if replaced is not source:
            raise _needs_soft_labels(name)
        return smoothed_labels(source)  # For noise.
    return replaced


def _only_labelled(name: str, source: Source, given_mask: np.ndarray | None) -> Source:
    """The source without the training examples whose label is absent or hidden."""
    if given_mask is None and not isinstance(source, RelabelledSource):
        return source
    labels = source.labels("train")
    given_labels = labels if given_mask is None else hide_labels(labels, given_mask)
    labelled = to_hard_labels(given_labels) >= 0
    if not labelled.any():
        raise UserError(f"No training image of '{name}' has a label.")
    return select(source, labelled)
