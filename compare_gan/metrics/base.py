"""What every metric is: features -> statistics -> value.

One pass over a set of images serves all metrics: each batch, with what the extractor says about it,
is shown to the statistics of every metric, and what they hold at the end is turned into values.
Metrics that name the same statistics share them.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import PIL.Image

from compare_gan.errors import UserError, unknown_name

# What a metric may declare that it needs. The first four come batch by batch, the others whole.
NEEDS = ("images", "labels", "features", "logits", "generator", "discriminator")


@dataclasses.dataclass(frozen=True)
class ImageBatch:
    """Some images, and what is known about them; what no metric needs is None.

    Attributes:
      images: uint8 [n, H, W, C] in [0, 255].
      labels: int [n], the classes of real images or those requested of generated ones.
      features: float32 [n, f], from the extractor.
      logits: float32 [n, k], from the extractor.
    """

    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    features: np.ndarray | None = None
    logits: np.ndarray | None = None


def check_levels(name: str, images: np.ndarray) -> None:
    """Raises UserError where images are not in [0, 255] as metrics take them, but in [0, 1].

    Floats that all lie in [0, 1] are taken for what a generator yields. Images that are all 0 are
    black in either range, so they pass.

    Args:
      name: What the message calls the images.
      images: Of any shape and type.
    """
    if images.dtype.kind in "biu" or not images.any():
        return
    if images.min() >= 0 and images.max() <= 1:
        raise UserError(f"{name} are floats in [0, 1]: give them as 0 to 255.")


class GeneratorSampler(Protocol):
    """A generator that is ready to draw from: what a metric that needs `generator` gets.

    `compare_gan.sampling.Sampler` is one. Its weights are those that are being scored, its standing
    statistics are filled, and its latents have the truncation of the images being scored.

    Attributes:
      z_dim: Dimension of the latent.
      num_classes: Number of classes of the generator; None for an unconditional one.
      features: Function from float images [n, H, W, C] in [0, 1] to the extractor's features
        float32 [n, f]; None if there is no extractor that takes such images.
      seed: Seed of the set of images being scored; metrics that draw derive theirs from it.
      marginal: Distribution of each coordinate of a latent, all independent, as a frozen
        distribution of `scipy.stats`; None where its density is not known.
    """

    @property
    def z_dim(self) -> int: ...

    @property
    def num_classes(self) -> int | None: ...

    @property
    def features(self) -> Callable[[Any], Any] | None: ...

    @property
    def seed(self) -> int: ...

    @property
    def marginal(self) -> Any: ...

    def __call__(self, z: Any, y: Any = None) -> Any:
        """Images float32 [n, H, W, C] in [0, 1], which can be differentiated.

        Args:
          z: float32 [n, z_dim].
          y: float32 [n, num_classes], one-hot; None for an unconditional generator.
        """

    def latents(self, num: int, *stream: int) -> np.ndarray:
        """Latents float32 [num, z_dim]; different streams (integers from 0) are independent."""

    def labels(self, num: int) -> np.ndarray | None:
        """One-hot labels float32 [num, num_classes], the classes in turn; None without classes."""


class Statistics(abc.ABC):
    """What is kept of one set of images, added batch by batch in order.

    Attributes:
      name: Says what is computed, options and version included: statistics of the same name are
        computed once for all metrics, and are cached under it.
    """

    name: str

    @abc.abstractmethod
    def update(self, batch: ImageBatch) -> None:
        """Adds a batch. How the set is cut into batches has no effect beyond rounding."""

    @abc.abstractmethod
    def result(self) -> dict[str, np.ndarray]:
        """What has been gathered, as arrays that can be saved.

        Raises:
          UserError: There is too little of it, or it is not finite.
        """


class Metric(abc.ABC):
    """A score of a generator.

    Attributes:
      name: Short name, without the extractor's.
      canonical_name: The name where the extractor is the canonical Inception; `name` if empty.
      needs: Some of `NEEDS`.
      uses_real: Whether it compares with real images.
      uses_labels: Whether its value depends on labels where there are any, though it needs none.
    """

    name: str
    canonical_name: str = ""
    needs: frozenset[str]
    uses_real: bool = False
    uses_labels: bool = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for need in cls.needs:
            if need not in NEEDS:
                raise unknown_name(f"need of {cls.__name__}", need, NEEDS)

    @abc.abstractmethod
    def statistics(self, num_images: int) -> Statistics | None:
        """New, empty statistics for a set of so many images; None if none are needed."""

    @abc.abstractmethod
    def value(self, **available) -> dict[str, float]:
        """The score; a metric of several values has a suffix for each (`""` for the main one).

        Declares as parameters what it takes of `fake` and `real` (results of `statistics`) and of
        the needs that come whole: `generator`, a `GeneratorSampler`, and `discriminator`, the
        network.
        """

    def pictures(self, **available) -> dict[str, PIL.Image.Image]:
        """Pictures of what the score hides, by a suffix of its name; none where there are none.

        Declares parameters as `value` does.
        """
        return {}

    def options(self) -> dict[str, object]:
        """Options that make two values of this metric incomparable where they differ."""
        return {}

    def added_scores(self) -> Sequence[str]:
        """Suffixes of the scores that options add to the usual ones."""
        return ()

    def inapplicable(self, extractor, class_names) -> str | None:
        """Why this metric has no meaning here, in words; None where it has one.

        Args:
          extractor: The extractor.
          class_names: Names of the classes that the generator is asked for; None if unconditional.
        """
        if "labels" in self.needs and class_names is None:
            return "the generator is unconditional"
        if "logits" in self.needs and not extractor.has_logits:
            return f"'{extractor.name}' yields no logits"
        return None

    def inapplicable_to(self, image_shape: Sequence[int]) -> str | None:
        """Why images of this shape, [H, W, C], cannot be scored, in words; None where they can."""
        return None

    def inapplicable_to_generator(self, generator: GeneratorSampler) -> str | None:
        """Why this generator cannot be scored, in words; None where it can."""
        return None

    def score_name(self, extractor) -> str:
        """The name of its score: what comes from an extractor bears the extractor's name.

        The plain `fid` and `inception_score` are kept for the canonical Inception.
        """
        if not self.needs & {"features", "logits"}:
            return self.name
        if extractor.canonical and self.canonical_name:
            return self.canonical_name
        return f"{self.name}_{extractor.name}"

    def named(self, extractor, values: Mapping[str, float]) -> dict[str, float]:
        """What `value` gave, under the names that result rows give it."""
        name = self.score_name(extractor)
        return {f"{name}_{suffix}" if suffix else name: float(v) for suffix, v in values.items()}
