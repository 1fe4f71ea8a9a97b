"""All that a config says about data, read from gin once."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import gin
import numpy as np

from compare_gan.datasets.auto_extractor import AUTO, chosen_extractor
from compare_gan.datasets.catalog import Definition, find_definition, split_fraction
from compare_gan.datasets.colours import parse_colour
from compare_gan.datasets.labels import check_fraction
from compare_gan.datasets.relabelling import ReplaceLabelsOptions
from compare_gan.datasets.transforms import ImagenetOptions
from compare_gan.errors import UserError, check_positive_integer, unknown_name

# The values of `dataset.labels`.
MADE_UP = ("single", "random")
# Function from `DatasetOptions.choice`, the number of training images n, and a function that
# computes the choice, to the choice, bool [n].
Chooser = Callable[[Mapping[str, Any], int, Callable[[], np.ndarray]], np.ndarray]
_CROP_SCOPES = {
    "train_imagenet_transform": "train_crop",
    "eval_imagenet_transform": "eval_crop",
}


@gin.configurable("dataset")
@dataclasses.dataclass(frozen=True)
class DatasetOptions:
    """The choice of a data set (gin scope `dataset`).

    Attributes:
      name: A name that `compare_gan list dataset` prints, or `tfds:NAME` for any other data set
        of TensorFlow Datasets that has an `image` and, if it has classes, a `label`. A fraction at
        the end (`imagenet_128_0.25`) stands for `fraction`.
      seed: Seed of the choice of hidden labels and, together with the run's seed, of the order of
        the examples.
      labels: Labels instead of the images' own: `single`, one class for all images, or `random`, a
        random class for each image, the same in every run.
      fraction: Fraction of each class's training examples that training uses, at least one each,
        the same in every run. Evaluation compares with all of them: where `train` is the reference
        split, with `all_train`.
      densest_fraction: Fraction of each class's training examples, of those that `fraction`
        chooses, that training uses: those in the densest regions; see
        `datasets.instance_selection`. All images count as one class where not every label is given.
      densest_extractor: Registered name, or class, of the extractor that computes the
        features for the density estimate; `auto` chooses one by the data set, as for evaluation.
      labeled_fraction: Fraction of each class's training examples (of those that training uses)
        whose labels it sees, at least one each.
      inferred_labels: Whether training sees labels that are inferred from the given ones, or
        clusters, as configured in the scope `infer_labels`; `compare_gan train` infers them if
        necessary.
      data_dir: Directory of the files; ignored by data sets that read none.
      fake: Whether noise in the shape of the data set replaces its images, so that no image file is
        read. If only the files determine the shape, it is `image_size` (32 if None), colour, 10
        classes. Labels from `replace_labels.file_pattern` are assigned to the noise in turn.
      pad_to: Height and width to which images are padded with black, equally on all sides.
      image_size: Height and width to which images are cropped and resized, for data sets whose
        images may have any size.
      background: Colour that images with an alpha channel are composited over: its name, or
        `#rrggbb`.
      flip: Whether each image of a training batch is mirrored left to right with probability one
        half. Images for evaluation and label inference never are.

    Example:
      >>> from compare_gan.datasets import DatasetOptions
      >>> DatasetOptions("cifar10", labeled_fraction=0.1).seed
      547
    """

    name: str = gin.REQUIRED
    seed: int = 547
    labels: str | None = None
    fraction: float = 1.0
    densest_fraction: float = 1.0
    densest_extractor: Any = AUTO
    labeled_fraction: float = 1.0
    inferred_labels: bool = False
    data_dir: str | None = None
    fake: bool = False
    pad_to: int | None = None
    image_size: int | None = None
    background: str = "white"
    flip: bool = False

    def __post_init__(self) -> None:
        self._take_fraction_from_name()
        if self.labels is not None and self.labels not in MADE_UP:
            raise unknown_name("dataset.labels", self.labels, MADE_UP)
        check_fraction(self.labeled_fraction)
        check_fraction(self.fraction, "dataset.fraction")
        check_fraction(self.densest_fraction, "dataset.densest_fraction")
        if not isinstance(self.flip, bool):
            raise UserError(f"dataset.flip must be True or False, received {self.flip!r}.")
        if self.image_size is not None:
            check_positive_integer("dataset.image_size", self.image_size)
        parse_colour("dataset.background", self.background)

    @property
    def choice(self) -> dict[str, Any] | None:
        """The options that choose images by their densities, as JSON; None = all are trained on.

        Example:
          >>> from compare_gan.datasets import DatasetOptions
          >>> DatasetOptions("cifar10").choice is None
          True
        """
        if self.densest_fraction == 1 or self.fake:
            return None
        extractor = self.extractor_of_densities
        options = {
            "dataset": self.name,
            "fraction": self.fraction,
            "densest_fraction": self.densest_fraction,
            "densest_extractor": getattr(extractor, "__name__", str(extractor)),
            "by_class": self.labeled_fraction == 1 and not self.inferred_labels,
        }
        return options if self.fraction == 1 else options | {"seed": self.seed}

    @property
    def extractor_of_densities(self) -> Any:
        """The extractor for the density estimate, `auto` replaced by its choice.

        Example:
          >>> from compare_gan.datasets import DatasetOptions
          >>> DatasetOptions("fashion_mnist_10k").extractor_of_densities
          'fashion_cnn'
        """
        return chosen_extractor(self.densest_extractor, [self.name])

    def _take_fraction_from_name(self) -> None:
        name, fraction = split_fraction(self.name)
        if fraction is None:
            return
        if self.fraction != 1:
            raise UserError(
                f"dataset.name = '{self.name}' has a fraction already: dataset.fraction = "
                f"{self.fraction} cannot be set, or the name must be '{name}'."
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "fraction", fraction)


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """All options about data; `from_gin` makes them, `get_dataset` and `outline` take them.

    Attributes:
      dataset: The choice of the data set (gin scope `dataset`).
      replace_labels: Files whose labels replace the data set's own (gin scope `replace_labels`).
      own: Options that only this data set has, such as `SyntheticOptions`; None if it has none.
      crop_methods: Crop methods that are set explicitly, by gin scope (`train_imagenet_transform`,
        `eval_imagenet_transform`), even if the data set crops nothing; None = not set. Inferred
        labels are stored under a key that contains them.
      class_order: Names of the classes in the order that a run was begun with, for data sets that
        take them from names of folders; None = their own order.
      choose: Function that decides which images `densest_fraction` chooses, where a run has begun
        with some or shares them with other hosts; None = they are computed.

    Example:
      >>> from compare_gan.datasets import DataOptions, get_dataset
      >>> get_dataset(DataOptions.from_gin(name="synthetic", num_examples=20)).num_train
      20
    """

    dataset: DatasetOptions
    replace_labels: ReplaceLabelsOptions
    own: Any = None
    crop_methods: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    class_order: tuple[str, ...] | None = None
    choose: Chooser | None = dataclasses.field(default=None, repr=False, compare=False)

    @classmethod
    def from_gin(cls, **overrides: Any) -> "DataOptions":
        """The options as gin's bindings have them; without bindings, the defaults.

        Args:
          **overrides: Values that win over gin's: attributes of `DatasetOptions`,
            `replace_labels`, and attributes of the data set's own options (`num_examples` of
            `synthetic`).

        Raises:
          UserError: A name is unknown or a value is not allowed.

        Example:
          >>> from compare_gan.datasets import DataOptions
          >>> options = DataOptions.from_gin(name="synthetic", num_examples=20)
          >>> options.dataset.seed, options.own.num_examples
          (547, 20)
        """
        general = _take(DatasetOptions, overrides)
        dataset = DatasetOptions(**general)
        replace_labels = overrides.pop("replace_labels", None) or ReplaceLabelsOptions()
        own_class = find_definition(dataset.name).options
        own = own_class(**_take(own_class, overrides)) if own_class else None
        if overrides:
            known = [*_names(DatasetOptions), "replace_labels", *_names(own_class)]
            raise unknown_name(f"option of the data set '{dataset.name}'", min(overrides), known)
        return cls(dataset, replace_labels, own, _crop_methods(own))

    @property
    def definition(self) -> Definition:
        """The definition of the data set, with the labels that `dataset.labels` asks for.

        Raises:
          UserError: The name implies labels of its own, so that `dataset.labels` cannot be set.
        """
        definition, labels = find_definition(self.dataset.name), self.dataset.labels
        if labels is None:
            return definition
        if definition.labels is not None:
            raise UserError(
                f"dataset.labels = '{labels}' cannot be set for '{self.dataset.name}', whose name "
                "implies its labels."
            )
        num_classes = 1 if labels == "single" else definition.num_classes
        return dataclasses.replace(definition, labels=labels, num_classes=num_classes)


def _crop_methods(own: Any) -> dict[str, str | None]:
    """See `DataOptions.crop_methods`."""
    methods = {scope: gin.get_bindings(scope).get("crop_method") for scope in _CROP_SCOPES}
    if isinstance(own, ImagenetOptions):
        for scope, attribute in _CROP_SCOPES.items():
            crop = getattr(own, attribute)
            # A class attribute is the default of a dataclass's field.
            if methods[scope] is not None or crop.crop_method != type(crop).crop_method:
                methods[scope] = crop.crop_method
    return methods


def _take(options_class: type, values: dict[str, Any]) -> dict[str, Any]:
    """Removes the values of this class's attributes from `values` and returns them."""
    return {name: values.pop(name) for name in _names(options_class) if name in values}


def _names(options_class: type | None) -> list[str]:
    return [field.name for field in dataclasses.fields(options_class)] if options_class else []
