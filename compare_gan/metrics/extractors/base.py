"""Base class of extractors, and a stream of batches through an extractor."""

import abc
import collections
import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.config.gin_internals import values_under
from compare_gan.config.keywords import parameters
from compare_gan.metrics.base import ImageBatch
from compare_gan.types import Tensor

# Images in the smallest batch that a network gets.
_LEAST_BATCH = 2
# Batches of `stream` that are being prepared or in the network, besides the one being fetched.
_IN_FLIGHT = 2
# Two networks at once would only compete for the cores of a device.
_network_locks: dict[Any, threading.Lock] = collections.defaultdict(threading.Lock)


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
      >>> from keras import ops
      >>> from compare_gan.metrics.extractors import Extractor
      >>> class MeanColour(Extractor):
      ...     name, weights_hash, resizer, has_logits = "mean_colour", "", "none", False
      ...     def forward(self, images):
      ...         return ops.mean(ops.cast(images, "float32"), axis=(1, 2)), None
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

    @classmethod
    def is_at_hand(cls) -> bool:
        """Whether an instance without arguments needs nothing but this package and its cache."""
        return False

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Preprocesses images outside of the network; called from several threads at once.

        Args:
          images: Images, uint8 [n, H, W, C].

        Returns:
          The input of `forward`, uint8 or float32 [n, h, w, C]; by default the images.
        """
        return images

    @abc.abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Computes features and logits, in operations of `keras.ops` or of the Keras backend.

        Traced once for each image shape, with unknown n; by JAX once for each n too.

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
        with _network_locks[backend.current_device()]:
            features, logits = self._compiled(self._filled_up(prepared))
        count = len(images)
        features = ops.convert_to_numpy(features)[:count]
        return features, None if logits is None else ops.convert_to_numpy(logits)[:count]

    def features_of(self, images: Tensor) -> Tensor:
        """Computes differentiable features of images that are not rounded to 8 bits.

        Args:
          images: Images, float32 [n, H, W, C] in [0, 1].

        Returns:
          The features, float32 [n, f].
        """
        return self.forward(255.0 * images)[0]

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables that `forward` reads: those of all attributes that are Keras layers."""
        layers = [each for each in vars(self).values() if isinstance(each, keras.Layer)]
        return [variable for layer in layers for variable in layer.variables]

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        return backend.compiled(self.forward, self.variables, any_batch=True)

    def _filled_up(self, images: np.ndarray) -> np.ndarray:
        """Fills up small batches with zeros: single images, and where each size takes time.

        CPUs sum a product in a different order if it has a single row, so that features would
        depend on the batch size in their last digits. A new size takes time on a
        GPU, where cuDNN tunes itself, and on JAX, which compiles the network: there the size
        becomes the next power of two, or that of the largest batch so far.
        """
        count = len(images)
        size = max(count, _LEAST_BATCH)
        if _each_size_takes_time():
            largest = self._largest.get(images.shape[1:], 0)
            size = max(size, min(largest, 1 << max(count - 1, 0).bit_length()))
            self._largest[images.shape[1:]] = max(count, largest)
        return np.pad(images, [(0, size - count)] + [(0, 0)] * 3) if size > count else images

    @functools.cached_property
    def _largest(self) -> dict[tuple[int, ...], int]:
        return {}


def _each_size_takes_time() -> bool:
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def stream(
    extractor: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]],
    batches: Iterable[ImageBatch],
    devices: Sequence[Any] = (None,),
) -> Iterator[ImageBatch]:
    """Adds features and logits to batches, in order; the devices take turns.

    While the network processes one batch, the next is resized, and the one after it is fetched from
    `batches` in the caller's thread.

    Args:
      extractor: Extractor, or a function from images to features and logits.
      batches: Batches with images.
      devices: The devices, see `backend.on_device`.

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

    def extract(images: Any, device: Any) -> tuple[np.ndarray, np.ndarray | None]:
        with backend.on_device(device):
            return extractor(images)

    in_flight = _IN_FLIGHT * len(devices)
    with ThreadPoolExecutor(in_flight, "extract") as executor:
        for batch, device in zip(batches, itertools.cycle(devices), strict=False):
            if batch.images is None:
                raise TypeError("An extractor needs batches with images, received one without.")
            waiting.append((batch, executor.submit(extract, batch.images, device)))
            if len(waiting) > in_flight:
                yield next_one()
        while waiting:
            yield next_one()
