"""Base classes of metrics: features -> statistics -> value.

One pass over a set of images serves all metrics. Each batch, with its features and logits, updates
the statistics of every metric; at the end the statistics are turned into values. Metrics whose
statistics have the same name share them.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import PIL.Image

from compare_gan.errors import UserError, unknown_name
from compare_gan.types import Direction

# The inputs that a metric may ask for. The first four arrive in batches, the others once.
NEEDS = ("images", "labels", "features", "logits", "generator", "discriminator")

# The result of `Statistics.result`, by name.
Arrays: TypeAlias = Mapping[str, np.ndarray]


class ExtractorInfo(Protocol):
    """Properties of an extractor that metrics look at; see `extractors.Extractor`."""

    name: str
    class_names: Sequence[str] | None
    has_logits: bool
    canonical: bool
    takes_floats: bool


@dataclasses.dataclass(frozen=True)
class ImageBatch:
    """A batch of images with their labels, features and logits.

    Fields that no metric needs are None.

    Attributes:
      images: Images, uint8 [n, H, W, C] in [0, 255].
      labels: Classes, int [n]: true ones of real images, requested ones of generated images.
      features: Features from the extractor, float32 [n, f].
      logits: Logits from the extractor, float32 [n, k].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch
      >>> batch = ImageBatch(np.zeros([2, 8, 8, 3], np.uint8), labels=np.array([0, 1]))
      >>> batch.images.shape, batch.features is None
      ((2, 8, 8, 3), True)
    """

    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    features: np.ndarray | None = None
    logits: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class SetSize:
    """Numbers of images of a set, which are known before any image is read.

    Attributes:
      count: Number of images.
      class_counts: Number of images of each class; None = not known, or there are no classes.
      class_names: Names of the classes, in the order of the counts; None = they have none. Two sets
        with equally many classes are taken to have the same classes, unless their names differ.

    Example:
      >>> from compare_gan.metrics.base import SetSize
      >>> SetSize(5, class_counts=(3, 2)).count
      5
    """

    count: int
    class_counts: Sequence[int] | None = None
    class_names: Sequence[str] | None = None


def check_levels(name: str, images: np.ndarray) -> None:
    """Checks that images are in [0, 255], the range that metrics expect, and not in [0, 1].

    Floats that all lie in [0, 1] are assumed to be the output of a generator. Images that are all 0
    are black in either range and pass.

    Args:
      name: Name of the images in the error message.
      images: Array of any shape and type.

    Raises:
      UserError: The images are in [0, 1].
    """
    if images.dtype.kind in "biu" or not images.any():
        return
    if images.min() >= 0 and images.max() <= 1:
        raise UserError(f"{name} must be in [0, 255], received floats in [0, 1].")


class GeneratorSampler(Protocol):
    """Interface of the argument `generator` of metrics; implemented by `sampling.Sampler`.

    The generator has the weights that are being scored, its standing statistics are up to date, and
    its latents have the truncation of the images being scored.

    Attributes:
      z_dim: Dimension of the latent.
      num_classes: Number of classes of the generator; None for an unconditional one.
      features: Function from float images [n, H, W, C] in [0, 1] to the extractor's features
        float32 [n, f]; None if there is no extractor that takes such images.
      seed: Seed of the set of images being scored; metrics that draw derive theirs from it.
      marginal: Distribution of each coordinate of a latent, all independent, as a frozen
        distribution of `scipy.stats`; None if its density is not known.
      variables: Keras variables that images and their features depend on, for `backend.compiled`.
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

    @property
    def variables(self) -> Sequence[Any]: ...

    def __call__(self, z: Any, y: Any = None) -> Any:
        """Generates differentiable images, float32 [n, H, W, C] in [0, 1], which are not clipped.

        Args:
          z: Latents, float32 [n, z_dim].
          y: One-hot labels, float32 [n, num_classes]; None for an unconditional generator.
        """

    def latents(self, num: int, *stream: int) -> np.ndarray:
        """Draws latents float32 [num, z_dim]; streams, named by integers, are independent."""

    def labels(self, num: int) -> np.ndarray | None:
        """Returns one-hot labels float32 [num, num_classes], as of scored images. None without."""


class Statistics(abc.ABC):
    """Summary of one set of images, updated with one batch after another, in order.

    Attributes:
      name: Name of the computation, with its options and version. Statistics of the same name are
        computed once for all metrics, and are cached under it.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch, Statistics
      >>> class MeanLevel(Statistics):
      ...     name = "mean-level-1"
      ...     def __init__(self):
      ...         self._levels = []
      ...     def update(self, batch):
      ...         self._levels += batch.images.mean(axis=(1, 2, 3)).tolist()
      ...     def result(self):
      ...         return {"mean": np.mean(self._levels)}
      >>> statistics = MeanLevel()
      >>> statistics.update(ImageBatch(np.full([2, 4, 4, 1], 7, np.uint8)))
      >>> float(statistics.result()["mean"])
      7.0
    """

    name: str

    @abc.abstractmethod
    def update(self, batch: ImageBatch) -> None:
        """Adds a batch. The division of a set into batches changes nothing but rounding."""

    @abc.abstractmethod
    def result(self) -> dict[str, np.ndarray]:
        """Returns the summary as arrays that can be saved.

        Raises:
          UserError: There are too few images, or a value is not finite.
        """


class Metric(abc.ABC):
    """A score of a generator.

    Attributes:
      name: Short name, without the extractor's.
      canonical_name: Name of the score with the canonical Inception; `name` if empty.
      needs: Required inputs, a subset of `NEEDS`.
      uses_real: Whether generated images are compared with real ones.
      uses_labels: Whether labels, which are not required, change the value if they are available.
      better: Whether `lower` or `higher` scores are better; None if neither is as such.
      better_by_suffix: The same for the suffixes of `value` that differ from `better`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import Metric
      >>> from compare_gan.metrics.collected import CollectedFields
      >>> class Brightness(Metric):
      ...     name = "brightness"
      ...     needs = frozenset({"images"})
      ...     def statistics(self, num_images):
      ...         return CollectedFields("images")
      ...     def value(self, fake):
      ...         return {"": float(fake["images"].mean())}
      >>> Brightness().value(fake={"images": np.full([2, 4, 4, 1], 7, np.uint8)})
      {'': 7.0}
    """

    name: str
    canonical_name: str = ""
    needs: frozenset[str]
    uses_real: bool = False
    uses_labels: bool = False
    better: Direction = None
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for need in cls.needs:
            if need not in NEEDS:
                raise unknown_name(f"need of {cls.__name__}", need, NEEDS)
        for direction in (cls.better, *cls.better_by_suffix.values()):
            if direction not in (None, "lower", "higher"):
                raise UserError(
                    f"`better` of {cls.__name__} must be 'lower', 'higher' or None, received "
                    f"{direction!r}."
                )

    @abc.abstractmethod
    def statistics(self, num_images: int) -> Statistics | None:
        """Returns new, empty statistics for a set of `num_images`; None if none are needed."""

    # With `*_: Any`, subclasses may declare any parameters; see the docstring.
    @abc.abstractmethod
    def value(self, *_: Any, **available: Any) -> dict[str, float]:
        """Returns the score by suffix: `""` for the main value, a word for each further one.

        The suffixes `standard_error` and `std_over_…` are for spreads of the main value, and `real`
        is for its value between real images: they are shown beside it and not listed, ranked,
        plotted or logged as scores.

        A subclass declares as parameters the inputs that it uses: `fake` and `real` (results of
        `statistics`), `generator` (a `GeneratorSampler`), `discriminator` (the network), and
        `class_names`, the names of the classes in the order of labels (None if they have none).
        """

    def pictures(self, *_: Any, **available: Any) -> dict[str, PIL.Image.Image]:
        """Returns pictures that illustrate the score, by suffix of its name.

        A subclass declares parameters as for `value`.
        """
        return {}

    def note(self, *_: Any, **available: Any) -> str | None:
        """Returns a caveat about the score, such as too few images, and a remedy; or None.

        A subclass declares parameters as for `value`, and `num_images`, the number of images of the
        smaller set (0 if it is not known). The note accompanies the score.
        """
        return None

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        """Checks that sets of images are large enough, before any work.

        By default they must be large enough for `statistics`, which raises an error otherwise.

        Args:
          fake: The images that are scored.
          real: The reference; None unless `uses_real`.

        Raises:
          UserError: There are too few images.
        """
        self.statistics(min(size.count for size in (fake, real) if size is not None))

    def options(self) -> dict[str, object]:
        """Returns the options that change the value: scores compare only if these are equal."""
        return {}

    def added_scores(self) -> Sequence[str]:
        """Returns the suffixes of scores that exist only because of an option."""
        return ()

    def inapplicable(
        self, extractor: ExtractorInfo, class_names: Sequence[str] | None
    ) -> str | None:
        """Returns the reason why this metric cannot be applied, or None if it can.

        Args:
          extractor: Extractor of the features and logits.
          class_names: Names of the classes of the generator; None if it is unconditional.
        """
        if "labels" in self.needs and class_names is None:
            return "the generator is unconditional"
        if "logits" in self.needs and not extractor.has_logits:
            return f"'{extractor.name}' yields no logits"
        return None

    def inapplicable_to(self, image_shape: Sequence[int]) -> str | None:
        """Returns the reason why images [H, W, C] cannot be scored, or None if they can."""
        return None

    def inapplicable_to_generator(self, generator: GeneratorSampler) -> str | None:
        """Returns the reason why this generator cannot be scored, or None if it can.

        Also asked before the generator exists, when it cannot be called.
        """
        return None

    def score_name(self, extractor: ExtractorInfo) -> str:
        """Returns the name of the score, which includes the extractor's name if one is used.

        The plain names `fid` and `inception_score` are reserved for the canonical Inception.
        """
        if not self.needs & {"features", "logits"}:
            return self.name
        if extractor.canonical and self.canonical_name:
            return self.canonical_name
        return f"{self.name}_{extractor.name}"

    def named(self, extractor: ExtractorInfo, values: Mapping[str, float]) -> dict[str, float]:
        """Renames the results of `value` as they appear in result rows."""
        name = self.score_name(extractor)
        return {f"{name}_{suffix}" if suffix else name: float(v) for suffix, v in values.items()}
