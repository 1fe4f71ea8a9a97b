"""Options of label inference: the gin scope `infer_labels`, bundled with `backbone`, `pretext`."""

import dataclasses
from typing import Any

import gin

from compare_gan.datasets.dataset import Dataset
from compare_gan.errors import UserError, check_positive_integer, check_range, unknown_name
from compare_gan.labels.backbone import BackboneOptions
from compare_gan.labels.pretext import PretextOptions

_METHODS = ("classifier", "clustering")
_FEATURES = ("self_supervised", "semi_supervised", "untrained", "raw")


@gin.configurable("infer_labels")
@dataclasses.dataclass(frozen=True)
class InferOptions:
    """Options of the method that infers labels (gin scope `infer_labels`).

    Example:
      >>> from compare_gan.labels import InferOptions
      >>> InferOptions(method="clustering", num_clusters=10).clusters
      True

    Attributes:
      method: `classifier`, trained on the labelled images, or `clustering`, which uses no labels.
      features: Features of a network that learned rotations (`self_supervised`), also the classes
        of the labelled images (`semi_supervised`), or nothing (`untrained`); or the pixels
        (`raw`).
      layer: Layer of the network that features are taken from: `block1`, `block2`, … or `pooled`.
      grid: Rows and columns of the grid over whose cells feature maps are averaged.
      hidden: Width of a hidden layer of the classifier; None = a linear classifier.
      soft: Show the GAN class probabilities instead of classes. The files hold both.
      num_clusters: Number of clusters of `clustering`.
      seed: Seed of everything that is random in label inference. It is independent of the run's
        seed, so that runs with different seeds can share their labels.
      label_dir: Directory of the labels; None = `labels` in the run's directory.
      backbone_dir: Directory of trained networks, to share them between labels that use the same
        features; None = that of the labels.
    """

    method: str = "classifier"
    features: str = "self_supervised"
    layer: str = "block2"
    grid: int = 4
    hidden: int | None = None
    soft: bool = False
    num_clusters: int = 50
    seed: int = 0
    label_dir: str | None = None
    backbone_dir: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("method", _METHODS), ("features", _FEATURES)):
            if getattr(self, name) not in allowed:
                raise unknown_name(f"infer_labels.{name}", getattr(self, name), allowed)
        for name in ("grid", "num_clusters"):
            check_positive_integer(f"infer_labels.{name}", getattr(self, name))
        if self.hidden is not None:
            check_positive_integer("infer_labels.hidden", self.hidden)
        check_range("infer_labels.seed", self.seed, 0, 2**31 - 1)
        if self.clusters:
            for name, value in (("features", "semi_supervised"), ("soft", True)):
                if getattr(self, name) == value:
                    raise UserError(
                        f"infer_labels.{name} = {value!r} needs infer_labels.method = 'classifier':"
                        " clustering uses no labels and has no probabilities."
                    )

    @property
    def clusters(self) -> bool:
        """Whether labels are indices of clusters."""
        return self.method == "clustering"

    @property
    def uses_network(self) -> bool:
        """Whether features are those of a network."""
        return self.features != "raw"

    @property
    def trains_network(self) -> bool:
        """Whether that network is trained."""
        return self.features in ("self_supervised", "semi_supervised")

    @property
    def network_sees_labels(self) -> bool:
        """Whether that network learns the classes of the labelled images."""
        return self.features == "semi_supervised"


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """All options that inferred labels depend on, made once by the caller.

    Example:
      >>> from compare_gan.labels import (
      ...     BackboneOptions, InferOptions, LabelOptions, PretextOptions
      ... )
      >>> options = LabelOptions(InferOptions(), BackboneOptions(), PretextOptions())
      >>> options.label_folder("runs/s2gan/labels")
      'runs/s2gan/labels'

    Attributes:
      infer: Method, features and folders.
      backbone: Size of the network.
      pretext: Training of the network.
    """

    infer: InferOptions
    backbone: BackboneOptions
    pretext: PretextOptions

    @classmethod
    def from_gin(cls) -> "LabelOptions":
        """Makes the options from the bindings that gin holds."""
        return cls(InferOptions(), BackboneOptions(), PretextOptions())

    @property
    def num_clusters(self) -> int | None:
        """Number of clusters; None where labels are classes."""
        return self.infer.num_clusters if self.infer.clusters else None

    def label_folder(self, default: str | None) -> str | None:
        """The directory of the labels; None = there is none yet.

        Args:
          default: Directory for labels in that of the run; None = there is no run.
        """
        return self.infer.label_dir or default

    def check(self, dataset: Dataset) -> None:
        """Raises UserError if labels cannot be inferred for this data set; reads no data."""
        infer = self.infer
        if infer.uses_network and infer.layer not in self.backbone.layers:
            raise unknown_name("infer_labels.layer", infer.layer, self.backbone.layers)
        height, width = dataset.source.image_shape[:2]
        if infer.trains_network and height != width:
            raise UserError(
                f"infer_labels.features = '{infer.features}' needs square images, which can be "
                f"rotated; those of '{dataset.name}' are {height}x{width}."
            )
        if not infer.clusters and not dataset.source.num_classes:
            raise UserError(
                f"'{dataset.name}' has no classes to infer: set infer_labels.method = 'clustering'."
            )

    def check_batch_sizes(self, num_replicas: int) -> None:
        """Raises UserError unless the replicas can share the batches of the pretext training."""
        names = ["batch_size"] if self.infer.trains_network else []
        if self.infer.network_sees_labels:
            names.append("labeled_batch_size")
        for name in names:
            if (size := getattr(self.pretext, name)) % num_replicas:
                raise UserError(
                    f"pretext.{name} is {size}, which {num_replicas} replicas cannot share equally."
                )

    def backbone_key(self) -> dict[str, object]:
        """The options that the weights of the network depend on, by their names in gin."""
        infer = self.infer
        key: dict[str, object] = {"infer_labels.seed": infer.seed}
        key["infer_labels.features"] = infer.features
        if infer.uses_network:
            key |= _by_gin_name("backbone", self.backbone)
        if infer.trains_network:
            pretext = _by_gin_name("pretext", self.pretext)
            del pretext["pretext.save_checkpoints_steps"]
            if not infer.network_sees_labels:
                del pretext["pretext.labeled_batch_size"], pretext["pretext.weight_class_loss"]
            key |= pretext
        return key

    def key(self) -> dict[str, object]:
        """The options that the labels depend on, by their names in gin."""
        infer = self.infer
        key = {"infer_labels.method": infer.method} | self.backbone_key()
        if infer.uses_network:
            key |= {"infer_labels.layer": infer.layer, "infer_labels.grid": infer.grid}
        name = "num_clusters" if infer.clusters else "hidden"
        return key | {f"infer_labels.{name}": getattr(infer, name)}


def _by_gin_name(scope: str, options: Any) -> dict[str, object]:
    return {f"{scope}.{name}": value for name, value in dataclasses.asdict(options).items()}
