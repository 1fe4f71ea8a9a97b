"""Base class of extractors, and a stream of batches through an extractor."""

import abc
import collections
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from compare_gan.config.gin_internals import values_under
from compare_gan.config.keywords import parameters
from compare_gan.metrics.base import ImageBatch

# Batches of `stream` that are being prepared or in the network, besides the one being fetched.
_IN_FLIGHT = 2
# Two networks at once would only compete for the same cores.
_network_lock = threading.Lock()


class Extractor(abc.ABC):
    """A fixed network that turns images into features and class logits.

    Attributes:
      name: Name, which becomes part of the names of scores.
      weights_hash: Identifier of the weights: the first 16 hexadecimal digits of their SHA-256.
      resizer: One line about the preprocessing of images.
      class_names: Names of the classes, in the order of the logits; None if they are not known.
      has_logits: Whether there are logits.
      canonical: Whether scores have the plain names `fid` and `inception_score`.
      takes_floats: Whether `features_of` works, which requires that `prepare` does nothing.

    Example:
      >>> import numpy as np
      >>> import tensorflow as tf
      >>> from compare_gan.metrics.extractors import Extractor
      >>> class MeanColour(Extractor):
      ...     name, weights_hash, resizer, has_logits = "mean_colour", "", "none", False
      ...     def forward(self, images):
      ...         return tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]), None
      >>> features, logits = MeanColour()(np.full([2, 8, 8, 3], 7, np.uint8))
      >>> features.tolist(), logits
      ([[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]], None)
    """

    name: str
    weights_hash: str
    resizer: str
    class_names: Sequence[str] | None = None
    has_logits: bool = True
    canonical: bool = False
    takes_floats: bool = True

    @classmethod
    def bound_name(cls) -> str:
        """The `name` of an extractor that is made without arguments, known before it is built."""
        return cls.name_with(**values_under(cls, parameters(cls.name_with)))

    @classmethod
    def name_with(cls, **options: Any) -> str:
        """The `name` of an extractor with these options; a subclass may derive it from them."""
        return cls.name

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Preprocesses images outside of TensorFlow; called from several threads at once.

        Args:
          images: Images, uint8 [n, H, W, C].

        Returns:
          The input of `forward`, uint8 or float32 [n, h, w, C]; by default the images.
        """
        return images

    @abc.abstractmethod
    def forward(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Computes features and logits; traced once for each image shape, with unknown n.

        Args:
          images: Result of `prepare`. If `prepare` does nothing, images may also be float32 in
            [0, 255].

        Returns:
          Features float32 [n, f] and logits float32 [n, k]; None if there are no logits.
        """

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Computes features and logits of images.

        Args:
          images: Images, uint8 [n, H, W, C] in [0, 255], C = 1 or 3.

        Returns:
          Features float32 [n, f] and logits float32 [n, k]; None if there are no logits.

        Raises:
          TypeError: The images are not uint8.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise TypeError(
                f"An extractor takes uint8 images in [0, 255], received {images.dtype}."
            )
        prepared = self.prepare(images)
        with _network_lock:
            forward = self._compiled(prepared.shape[1:], prepared.dtype)
            features, logits = forward(self._filled_up(prepared))
        count = len(images)
        return features.numpy()[:count], None if logits is None else logits.numpy()[:count]

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        """Computes differentiable features of images that are not rounded to 8 bits.

        Args:
          images: Images, float32 [n, H, W, C] in [0, 1].

        Returns:
          The features, float32 [n, f].
        """
        return self.forward(255.0 * images)[0]

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        @functools.cache
        def compiled(image_shape: tuple[int, ...], dtype: np.dtype) -> Any:
            spec = tf.TensorSpec([None, *image_shape], dtype)
            return tf.function(self.forward, input_signature=[spec], autograph=False)

        return compiled

    def _filled_up(self, images: np.ndarray) -> np.ndarray:
        """Fills up small batches with zeros on a GPU, where cuDNN tunes itself for each batch size.

        The size becomes the next power of two, or that of the largest batch so far.
        """
        if not tf.config.list_physical_devices("GPU"):
            return images
        count, largest = len(images), self._largest.get(images.shape[1:], 0)
        size = max(count, min(largest, 1 << max(count - 1, 0).bit_length()))
        self._largest[images.shape[1:]] = max(count, largest)
        return np.pad(images, [(0, size - count)] + [(0, 0)] * 3) if size > count else images

    @functools.cached_property
    def _largest(self) -> dict[tuple[int, ...], int]:
        return {}


def stream(
    extractor: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]],
    batches: Iterable[ImageBatch],
) -> Iterator[ImageBatch]:
    """Adds features and logits to batches, in order.

    While the network processes one batch, the next is resized, and the one after it is fetched from
    `batches` in the caller's thread.

    Args:
      extractor: Extractor, or a function from images to features and logits.
      batches: Batches with images.

    Yields:
      The batches with features and logits.

    Raises:
      TypeError: A batch has no images, or they are not uint8.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch
      >>> from compare_gan.metrics.extractors import FashionCnn, stream
      >>> batches = [ImageBatch(np.zeros([n, 28, 28, 1], np.uint8)) for n in (3, 2)]
      >>> [batch.features.shape for batch in stream(FashionCnn(), batches)]
      [(3, 96), (2, 96)]
    """
    waiting: collections.deque = collections.deque()

    def next_one() -> ImageBatch:
        batch, extracted = waiting.popleft()
        features, logits = extracted.result()
        return dataclasses.replace(batch, features=features, logits=logits)

    with ThreadPoolExecutor(_IN_FLIGHT, "extract") as executor:
        for batch in batches:
            if batch.images is None:
                raise TypeError("An extractor needs batches with images, received one without.")
            waiting.append((batch, executor.submit(extractor, batch.images)))
            if len(waiting) > _IN_FLIGHT:
                yield next_one()
        while waiting:
            yield next_one()
