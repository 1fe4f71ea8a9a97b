"""Styles: the latents w of each layer, and images of them (StyleGAN2)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError
from compare_gan.sampling.sampler import Sampler
from compare_gan.types import Tensor


def has_styles(sampler: Sampler) -> bool:
    """Whether the network has styles: the methods `styles` and `synthesize`.

    Example:
      >>> from compare_gan.architectures import stylegan2
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.styles import has_styles
      >>> network = stylegan2.Generator((8, 8, 1), ch=2, mapping_layers=1)
      >>> has_styles(Sampler(network, z_dim=4, image_shape=(8, 8, 1)))
      True
    """
    return hasattr(sampler.network, "styles") and hasattr(sampler.network, "synthesize")


def check_styles(sampler: Sampler, purpose: str) -> None:
    """Raises UserError if the network has no styles.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.styles import check_styles
      >>> check_styles(Sampler(None, z_dim=4, image_shape=(8, 8, 1)), "Style mixtures")
      Traceback (most recent call last):
      compare_gan.errors.UserError: Style mixtures need a generator with styles, such as that of
        stylegan2_arch, received one of NoneType.

    Args:
      sampler: The sampler.
      purpose: Subject of the message, in the plural.
    """
    if not has_styles(sampler):
        raise UserError(
            f"{purpose} need a generator with styles, such as that of stylegan2_arch, received "
            f"one of {getattr(sampler.network, 'family', type(sampler.network).__name__)}."
        )


def styles_of(sampler: Sampler, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """The styles of latents, truncated as the sampler says.

    Args:
      sampler: Sampler of a network with styles.
      z: float32 [n, z_dim].
      labels: int [n]; None for an unconditional generator.

    Returns:
      float32 [n, num_styles, w_dim].

    Example:
      >>> from compare_gan.architectures import stylegan2
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.styles import styles_of
      >>> network = stylegan2.Generator((8, 8, 1), ch=2, mapping_layers=1)
      >>> sampler = Sampler(network, z_dim=4, image_shape=(8, 8, 1))
      >>> styles_of(sampler, sampler.draw_z(3, seed=0), None).shape
      (3, 4, 2)
    """
    y = None if labels is None else np.eye(sampler.num_classes or 0, dtype=np.float32)[labels]

    def compute(z: Tensor, y: Tensor | None) -> Any:
        return sampler.network.styles(z, y, truncation=sampler.truncation)

    return ops.convert_to_numpy(backend.compiled(compute, _built(sampler, z, y))(z, y))


def images_of_styles(sampler: Sampler, styles: np.ndarray) -> np.ndarray:
    """The images of styles float32 [n, num_styles, w_dim], uint8 [n, H, W, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.architectures import stylegan2
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.styles import images_of_styles
      >>> network = stylegan2.Generator((8, 8, 1), ch=2, mapping_layers=1)
      >>> sampler = Sampler(network, z_dim=4, image_shape=(8, 8, 1))
      >>> images_of_styles(sampler, np.zeros((3, 4, 2), np.float32)).shape
      (3, 8, 8, 1)
    """

    def compute(styles: Tensor) -> Tensor:
        images = ops.cast(sampler.network.synthesize(styles), "float32")
        return ops.cast(ops.round(ops.clip(images, 0.0, 1.0) * 255.0), "uint8")

    # One image after the other: any number of them fits into memory.
    generate = backend.compiled(compute, sampler.variables)
    return np.concatenate([ops.convert_to_numpy(generate(each[None])) for each in styles])


def _built(sampler: Sampler, z: np.ndarray, y: np.ndarray | None) -> list[keras.Variable]:
    """The variables of the network, which is built first if it is not."""
    if not sampler.network.built:
        sampler.network.build((z.shape, None if y is None else y.shape))
    return list(sampler.network.variables)
