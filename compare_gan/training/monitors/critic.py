"""Logits of a discriminator in training, computed without changing its state."""

from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.gans import ModularGAN

_EACH = 16  # Images of each set in a forward pass, so that it needs less memory than a step.


class Critic:
    """The discriminator of a GAN, as a function of sets of images that leaves all state as it is.

    It judges as in training: sets share the batch statistics, and no image has a label, so that
    sets are judged alike. The weights go by way of the host, wherever they are.

    Args:
      gan: The GAN.

    Example:
      >>> import numpy as np
      >>> from compare_gan.gans import ModularGAN
      >>> from compare_gan.training.monitors.critic import Critic
      >>> critic = Critic(ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4))
      >>> images = np.zeros((20, 8, 8, 1), np.uint8)
      >>> [logits.shape for logits in critic(images, images)]
      [(20,), (20,)]
    """

    def __init__(self, gan: ModularGAN):
        self._gan = gan
        layers = (gan.discriminator, *gan.heads.values())
        unique = {id(each): each for layer in layers for each in layer.variables}
        self._variables: list[keras.Variable] = list(unique.values())
        self._compiled = backend.compiled(self._logits)

    def __call__(self, *sets: np.ndarray) -> list[np.ndarray]:
        """Judges sets of images.

        Args:
          *sets: uint8 [n, H, W, C] each, or float in [0, 1], equally many.

        Returns:
          For each set, its logits, float32 [n].
        """
        weights = [np.asarray(ops.convert_to_numpy(each)) for each in self._variables]
        count = len(sets[0])
        parts = []
        for start in range(0, count, _EACH):
            rows = np.arange(start, start + _EACH) % count  # All passes have the same shape.
            images = np.concatenate([_as_float(each[rows]) for each in sets])
            logits = ops.convert_to_numpy(self._compiled(weights, images))
            parts.append(np.asarray(logits, np.float32).reshape(len(sets), _EACH))
        return list(np.concatenate(parts, axis=1)[:, :count])

    def _logits(self, weights: list[Any], images: Any) -> Any:
        gan = self._gan
        y = None
        if gan.conditional and gan.num_classes:
            y = ops.zeros((images.shape[0], gan.num_classes))
        # What the layers assign, such as vectors of spectral norm, goes into the scope and is lost.
        with keras.StatelessScope(zip(self._variables, weights, strict=True)):
            return gan.discriminate(images, y).logits[:, :1]  # Those of whole images.


def _as_float(images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32)
