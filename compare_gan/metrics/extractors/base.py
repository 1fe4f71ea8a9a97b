"""What every extractor is, and a stream of batches through one."""

import abc
import collections
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from compare_gan.metrics.base import ImageBatch

# Batches of `stream` that are prepared or in the network, besides the one that is being fetched.
_IN_FLIGHT = 2
# Two networks at once would only fight over the same cores.
_network_lock = threading.Lock()


class Extractor(abc.ABC):
    """A fixed network that turns images into features and class logits.

    Attributes:
      name: What the scores that it yields bear.
      weights_hash: Names its weights: sha256, first 16 hexadecimal digits.
      resizer: One line on what happens to images before they reach the network.
      class_names: What its logits stand for, in their order; None if they have no names here.
      has_logits: Whether it yields logits.
      canonical: Whether scores from it may bear the plain names `fid`, `inception_score`.
      takes_floats: Whether `features_of` works: whether nothing is done to images before `forward`.
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
        """What `name` will be with the present gin bindings, told without building it."""
        return cls.name

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """What is to be done outside of TensorFlow; called from several threads at once.

        Args:
          images: uint8 [n, H, W, C].

        Returns:
          What `forward` takes, uint8 or float32 [n, h, w, C]; as it is given, the images.
        """
        return images

    @abc.abstractmethod
    def forward(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """From what `prepare` returns to features float32 [n, f] and logits float32 [n, k].

        Where `prepare` does nothing, also from float32 in [0, 255]. Traced once for each image
        shape; n is not known then. Logits are None where there are none.
        """

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and logits of images.

        Args:
          images: uint8 [n, H, W, C] in [0, 255], C = 1 or 3.

        Returns:
          Features float32 [n, f] and logits float32 [n, k] (or None).

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
        """Features of images that are not rounded to levels; can be differentiated.

        Args:
          images: float32 [n, H, W, C] in [0, 1].

        Returns:
          float32 [n, f].
        """
        return self.forward(255.0 * images)[0]

    @functools.cached_property
    def _compiled(self):
        @functools.cache
        def compiled(image_shape, dtype):
            spec = tf.TensorSpec([None, *image_shape], dtype)
            return tf.function(self.forward, input_signature=[spec], autograph=False)

        return compiled

    def _filled_up(self, images: np.ndarray) -> np.ndarray:
        """On a GPU a smaller batch gets zeros, for cuDNN searches anew for each batch size.

        It is filled up to the next power of two, or to the largest batch so far.
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
    """Batches with their features and logits, in order.

    While the network looks at one batch, the next is resized and the one after it fetched from
    `batches`, which happens in the caller's thread.

    Args:
      extractor: An `Extractor`.
      batches: With images.
    """
    waiting: collections.deque = collections.deque()

    def next_one() -> ImageBatch:
        batch, extracted = waiting.popleft()
        features, logits = extracted.result()
        return dataclasses.replace(batch, features=features, logits=logits)

    with ThreadPoolExecutor(_IN_FLIGHT, "extract") as executor:
        for batch in batches:
            waiting.append((batch, executor.submit(extractor, batch.images)))
            if len(waiting) > _IN_FLIGHT:
                yield next_one()
        while waiting:
            yield next_one()
