"""What every extractor is."""

import abc
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class Extractor(abc.ABC):
    """A fixed network that turns images into features and class logits.

    Attributes:
      name: What the scores that it yields bear.
      weights_hash: Names its weights: sha256, first 16 hexadecimal digits.
      resizer: One line on what happens to images before they reach the network.
      class_names: What its logits stand for, in their order; None if they have no names here.
      canonical: Whether scores from it may bear the plain names `fid`, `inception_score`.
      takes_floats: Whether `features_of` works: whether nothing is done to images before `forward`.
    """

    name: str
    weights_hash: str
    resizer: str
    class_names: Sequence[str] | None = None
    canonical: bool = False
    takes_floats: bool = True

    @abc.abstractmethod
    def forward(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """From [n, H, W, C], uint8 or float32 in [0, 255], to features [n, f] and logits [n, k].

        Both are float32. Traced once for each image shape; n is not known then.
        """

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits of images.

        Args:
          images: uint8 [n, H, W, C] in [0, 255], C = 1 or 3.

        Returns:
          Features float32 [n, f] and logits float32 [n, k].

        Raises:
          TypeError: The images are not uint8.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise TypeError(
                f"An extractor takes uint8 images in [0, 255], received {images.dtype}."
            )
        features, logits = self._compiled(images.shape[1:])(images)
        return features.numpy(), logits.numpy()

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
        def compiled(image_shape):
            spec = tf.TensorSpec([None, *image_shape], tf.uint8)
            return tf.function(self.forward, input_signature=[spec], autograph=False)

        return compiled
