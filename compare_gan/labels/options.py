"""What labels are inferred, and from what: the gin scope `infer_labels`."""

import dataclasses

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
    """How labels are inferred (gin scope `infer_labels`).

    Attributes:
      method: `classifier`, trained on the labelled images, or `clustering`, without any label.
      features: Of a network that learned rotations (`self_supervised`), and classes of the labelled
        images too (`semi_supervised`), or nothing (`untrained`); or the pixels (`raw`).
      layer: Of the network: `block1`, `block2`, … or `pooled`.
      grid: Maps are averaged over the cells of a grid of so many rows and columns.
      hidden: Width of a hidden layer of the classifier; None = a linear one.
      soft: Give the GAN class probabilities, not the likeliest class. The files hold both.
      num_clusters: Of `clustering`.
      seed: Of all that is random here. The run's own seed has no part in it, so that runs with
        several can share their labels.
      label_dir: Where the labels go, or are; None = `labels` in the run's directory.
      backbone_dir: Where trained networks go, or are, for all labels that take features from the
        same; None = with the labels.
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

    def __post_init__(self):
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
        if self.has_network and self.layer not in BackboneOptions().layers:
            raise unknown_name("infer_labels.layer", self.layer, BackboneOptions().layers)

    @property
    def clusters(self) -> bool:
        """Whether labels are the numbers of clusters."""
        return self.method == "clustering"

    @property
    def has_network(self) -> bool:
        """Whether features are a network's."""
        return self.features != "raw"

    @property
    def has_pretext(self) -> bool:
        """Whether that network is trained."""
        return self.features in ("self_supervised", "semi_supervised")

    def check(self, dataset: Dataset) -> None:
        """Raises UserError if labels cannot be inferred for such a data set; reads no data."""
        PretextOptions()
        height, width = dataset.source.image_shape[:2]
        if self.has_pretext and height != width:
            raise UserError(
                f"infer_labels.features = '{self.features}' needs square images, which can be "
                f"turned; those of '{dataset.name}' are {height}x{width}."
            )
        if not self.clusters and not dataset.source.num_classes:
            raise UserError(
                f"'{dataset.name}' has no classes to infer: set infer_labels.method = 'clustering'."
            )

    def check_shares(self, num_replicas: int) -> None:
        """Raises UserError unless so many replicas can share the batches of the pretext task."""
        pretext = PretextOptions()
        names = ["batch_size"] if self.has_pretext else []
        if self.features == "semi_supervised":
            names.append("labeled_batch_size")
        for name in names:
            if (size := getattr(pretext, name)) % num_replicas:
                raise UserError(
                    f"pretext.{name} is {size}, which {num_replicas} replicas cannot share equally."
                )

    def backbone_key(self) -> dict[str, object]:
        """What the network's weights depend on, beside the data."""
        key: dict[str, object] = {"infer_labels.seed": self.seed}
        key["infer_labels.features"] = self.features
        if self.has_network:
            key |= _named("backbone", BackboneOptions())
        if self.has_pretext:
            pretext = _named("pretext", PretextOptions())
            del pretext["pretext.save_checkpoints_steps"]
            if self.features == "self_supervised":
                del pretext["pretext.labeled_batch_size"], pretext["pretext.weight_class_loss"]
            key |= pretext
        return key

    def key(self) -> dict[str, object]:
        """What the labels depend on, beside the data."""
        key = {"infer_labels.method": self.method} | self.backbone_key()
        if self.has_network:
            key |= {"infer_labels.layer": self.layer, "infer_labels.grid": self.grid}
        name = "num_clusters" if self.clusters else "hidden"
        return key | {f"infer_labels.{name}": getattr(self, name)}


def _named(scope: str, options) -> dict[str, object]:
    return {f"{scope}.{name}": value for name, value in dataclasses.asdict(options).items()}
