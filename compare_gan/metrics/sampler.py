"""What metrics see of a generator."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Sampler:
    """A generator that is ready to draw from: what a metric gets that asks for `generator`.

    The weights are those that are being scored (a moving average or not), standing statistics are
    filled, and images are neither rounded nor clipped, so that they can be differentiated.
    TensorFlow only.

    Attributes:
      network: Called as `network((z, y), training=False)`; gives images in [0, 1].
      z_dim: Dimension of the latent.
      num_classes: Classes of the generator; None for an unconditional one.
      draw_z: `(num, seed) -> float32 [num, z_dim]` by the distribution, and the truncation, that
        the samples being scored come from.
      marginal: The distribution of each coordinate of z, all independent, as a frozen distribution
        of `scipy.stats`; None where it has no known density.
      features: From float images [n, H, W, C] in [0, 1] to the extractor's float32 [n, f]; None
        where there is no extractor that takes such images.
      seed: Of the set of samples being scored: metrics that draw begin there.
    """

    network: Callable[..., Any]
    z_dim: int
    num_classes: int | None
    draw_z: Callable[[int, int], np.ndarray]
    marginal: Any = None
    features: Callable[[Any], Any] | None = None
    seed: int = 0

    def __call__(self, z, y=None):
        """Images float32 [n, H, W, C] in [0, 1], also inside a `tf.function`.

        Args:
          z: float32 [n, z_dim].
          y: float32 [n, num_classes], one-hot; None for an unconditional generator.
        """
        import tensorflow as tf

        return tf.cast(self.network((z, y), training=False), tf.float32)

    def latents(self, num: int, *stream: int) -> np.ndarray:
        """Latents float32 [num, z_dim]; those of different streams are independent.

        Args:
          num: How many.
          *stream: Integers from 0 that name the stream.
        """
        sequence = np.random.SeedSequence(self.seed % 2**32, spawn_key=stream)
        return self.draw_z(num, int(sequence.generate_state(1)[0] >> 1))

    def labels(self, num: int) -> np.ndarray | None:
        """One-hot float32 [num, num_classes], the classes in turn; None without classes."""
        if self.num_classes is None:
            return None
        return np.eye(self.num_classes, dtype=np.float32)[np.arange(num) % self.num_classes]
