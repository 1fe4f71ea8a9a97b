"""Protocols: all that two scores must have in common to be compared, under one name.

`fid50k_train` is the FID of 50,000 generated images against 50,000 of the training split, with the
canonical Inception. `fid50k_train_fashion_cnn` is the same with the extractor `fashion_cnn` and its
default resizer; `fid50k_train_resnet50` is that of a Keras network.
"""

import dataclasses
import inspect
from collections.abc import Collection, Mapping

from compare_gan import registry
from compare_gan.datasets.views import ALL_TRAIN
from compare_gan.errors import UserError, unknown_name
from compare_gan.evaluation.image_sets import AS_IN_THE_DATA, IN_TURN
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.metrics.extractors.resizing import RESIZERS

# Names of a protocol's split in data sets; the first that exists is used.
_Metrics = Mapping[str, Mapping[str, object]]
_SPLITS = {"train": (ALL_TRAIN, "train"), "test": ("test", "validation", "val")}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A named choice of all options that a score depends on.

    Attributes:
      name: Name in result rows.
      metrics: Registered names of metrics, each with its options.
      num_fake: Number of generated images.
      split: The reference split, `train` or `test` (also `validation`, `val`); None = there is no
        reference.
      num_real: Number of reference images; None = all of the split.
      extractor: Registered name.
      resizer: Beginning of the extractor's description of resizing.
      labels: Classes of the images of a conditional generator: `as in the data` or `in turn`, see
        `EvaluationOptions.labels`.

    Example:
      >>> from compare_gan.evaluation import Protocol
      >>> protocol = Protocol("fid5k_test", {"fid": {}}, num_fake=5000, split="test")
      >>> protocol.settings()["metrics"]
      ('fid',)
    """

    name: str
    metrics: _Metrics
    num_fake: int
    split: str | None = "train"
    num_real: int | None = None
    extractor: str = "inception"
    resizer: str = "TF1 bilinear, no antialiasing"
    labels: str = AS_IN_THE_DATA

    def settings(self) -> dict[str, object]:
        """The options of the gin scope `evaluation` that it sets, by name."""
        return {
            "metrics": tuple(self.metrics),
            "extractor": self.extractor,
            "split": None,  # See `split_of`.
            "num_real": self.num_real,
            "num_fake": self.num_fake,
            "labels": self.labels,
        }

    def make_metrics(self) -> list[Metric]:
        """Builds the metrics with their options, which win over gin's."""
        return [registry.get("metric", name)(**given) for name, given in self.metrics.items()]

    def check_extractor(self, extractor: Extractor) -> None:
        """Raises UserError if the extractor has other options than the protocol requires."""
        if getattr(extractor, "logit_bias", False):
            raise UserError(
                f"The protocol '{self.name}' takes logits without bias: leave "
                f"{self.extractor}.logit_bias out."
            )
        # A network that takes images of any size resizes none.
        if extractor.resizer != "none" and not extractor.resizer.startswith(self.resizer):
            raise UserError(
                f"The protocol '{self.name}' resizes by '{self.resizer}', but '{extractor.name}' "
                f"by '{extractor.resizer}': leave its options out."
            )

    def split_of(self, name: str, splits: Collection[str]) -> str | None:
        """The name of the reference split in the data set `name`; None if it has no reference.

        Raises:
          UserError: The data set has no such split.
        """
        if self.split is None:
            return None
        for split in _SPLITS[self.split]:
            if split in splits:
                return split
        raise UserError(
            f"The protocol '{self.name}' compares with the split '{self.split}', which '{name}' "
            f"lacks; it has {', '.join(splits)}."
        )

    def check_count(self, what: str, name: str, count: int) -> None:
        """Raises UserError if a set of images is too small.

        Args:
          what: `real` or `fake`.
          name: Name of the set.
          count: Number of images in it.
        """
        needed = self.num_real if what == "real" else self.num_fake
        if needed is not None and count < needed:
            raise UserError(
                f"The protocol '{self.name}' needs {needed} {what} images, but '{name}' holds "
                f"{count}: where there are no more, define a protocol for fewer images "
                "(docs/extending/protocol.md), or leave the protocol out and choose metrics."
            )


def get(name: str) -> Protocol:
    """The protocol of this name, which may end in an extractor's name, as names of scores do.

    The name of such a protocol follows from the network that the gin bindings choose, not from how
    it was requested: `…_keras_application` is `…_resnet50`, `…_inception` has no ending.

    Example:
      >>> from compare_gan.evaluation import protocols
      >>> protocol = protocols.get("fid10k_test_fashion_cnn")
      >>> protocol.num_fake, protocol.split, protocol.extractor
      (10000, 'test', 'fashion_cnn')

    Raises:
      UserError: There is no such protocol; the message names the nearest one.
    """
    registry.load("protocol")
    known = registry.names("protocol")
    if name in known:
        return registry.get("protocol", name)
    for extractor in registry.names("extractor"):
        factory = registry.get("extractor", extractor)
        bound = factory.bound_name() if hasattr(factory, "bound_name") else extractor
        for suffix in (extractor, bound):
            base = name.removesuffix(f"_{suffix}")
            if base != name and base in known:
                return _with_extractor(registry.get("protocol", base), extractor, bound, suffix)
    raise unknown_name("protocol", name, known)


def _with_extractor(protocol: Protocol, extractor: str, bound: str, suffix: str) -> Protocol:
    if suffix == protocol.extractor:
        return protocol
    default = inspect.signature(registry.get("extractor", extractor)).parameters.get("resizer")
    # The canonical network with another resizer has another name.
    resizer = "clean" if suffix == "inception_clean" else getattr(default, "default", "")
    return dataclasses.replace(
        protocol,
        name=f"{protocol.name}_{bound}",
        extractor=extractor,
        resizer=RESIZERS.get(resizer, ""),
    )


def define(protocol: Protocol, *, summary: str, paper: str = "") -> None:
    """Registers a protocol; see `registry.add`.

    Raises:
      UserError: The name is taken, the split is neither `train` nor `test`, or the labels are
        unknown.

    Example:
      >>> from compare_gan.evaluation import Protocol, protocols
      >>> mine = Protocol("fid5k_test_of_mine", {"fid": {}}, num_fake=5000, split="test")
      >>> protocols.define(mine, summary="FID of 5,000 images against the test split.")
      >>> protocols.get("fid5k_test_of_mine").num_fake
      5000
    """
    if protocol.split is not None and protocol.split not in _SPLITS:
        raise unknown_name(f"split of {protocol.name}", protocol.split, _SPLITS)
    if protocol.labels not in (known_labels := (AS_IN_THE_DATA, IN_TURN)):
        raise unknown_name(f"labels of {protocol.name}", protocol.labels, known_labels)
    known = {part.name: part.value for part in registry.components("protocol")}
    if known.get(protocol.name, protocol) != protocol:
        raise UserError(f"The protocol name '{protocol.name}' is taken: scores of both would mix.")
    registry.add("protocol", protocol.name, protocol, summary=summary, paper=paper)


_FID: _Metrics = {"fid": {}}
_KID: _Metrics = {
    "kid": dict(num_subsets=100, subset_size=1000, degree=3, gamma=None, coef0=1.0, seed=2020)
}
_PRECISION_RECALL: _Metrics = {"precision_recall": {"k": 3}}
_TTUR = "https://arxiv.org/abs/1706.08500"
_MMD = "https://arxiv.org/abs/1801.01401"
_IMPROVED = "https://arxiv.org/abs/1904.06991"

define(
    Protocol("fid50k_train", _FID, 50_000, "train", 50_000),
    summary="FID, 50,000 generated images against 50,000 of the training split.",
    paper=_TTUR,
)
define(
    Protocol("fid50k_full", _FID, 50_000, "train"),
    summary="FID, 50,000 generated images against the whole training split.",
    paper=_TTUR,
)
define(
    Protocol("fid10k_train", _FID, 10_000, "train", 10_000),
    summary="FID, 10,000 generated images against 10,000 of the training split.",
    paper=_TTUR,
)
define(
    Protocol("fid10k_test", _FID, 10_000, "test", 10_000),
    summary="FID, 10,000 generated images against 10,000 of the test (validation) split.",
    paper=_TTUR,
)
define(
    Protocol("kid50k", _KID, 50_000, "train", 50_000),
    summary="KID, 50,000 generated images against 50,000 of the training split.",
    paper=_MMD,
)
define(
    Protocol("kid50k_full", _KID, 50_000, "train"),
    summary="KID, 50,000 generated images against the whole training split.",
    paper=_MMD,
)
define(
    Protocol("pr50k3", _PRECISION_RECALL, 50_000, "train", 50_000),
    summary="Precision and recall, k = 3, 50,000 images against 50,000 of the training split, in "
    "Inception's features: not the published pr50k3, which is in VGG-16's.",
    paper=_IMPROVED,
)
define(
    Protocol("pr50k3_full", _PRECISION_RECALL, 50_000, "train"),
    summary="Precision and recall, k = 3, 50,000 images against the whole training split, in "
    "Inception's features: not the published pr50k3_full, which is in VGG-16's.",
    paper=_IMPROVED,
)
define(
    Protocol("dc10k5", {"density_coverage": {"k": 5}}, 10_000, "train", 10_000),
    summary="Density and coverage, k = 5, 10,000 images against 10,000 of the training split.",
    paper="https://arxiv.org/abs/2002.09797",
)
define(
    Protocol("is50k", {"inception_score": {"splits": 10, "shuffle_seed": None}}, 50_000, None),
    summary="Inception Score of 50,000 generated images in 10 splits.",
    paper="https://arxiv.org/abs/1606.03498",
)
