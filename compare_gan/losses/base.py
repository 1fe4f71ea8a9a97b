"""The result of a loss, what a loss may request, and the marks of losses that need more."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from compare_gan.types import Tensor

_Loss = TypeVar("_Loss", bound=Callable[..., Any])

_CLASS_LOGITS = ("real_class_logits", "fake_class_logits")
# The values that a loss may request by the names of further parameters, with descriptions. Those of
# real images are NaN in the generator's step unless the loss is marked with `generator_sees_real`.
AVAILABLE = {
    "real_labels": "labels of the real images, float [b, k], a row of zeros for no label; None if "
    "the GAN is unconditional",
    "fake_labels": "labels of the generated images, likewise",
    "real_features": "the discriminator's features of the real images, float32 [b, f]",
    "fake_features": "those of the generated images",
    "real_class_logits": "logits of the k classes for the real images, float32 [b, k], from a head "
    "on the features that the GAN adds; it must be conditional",
    "fake_class_logits": "those for the generated images",
}


class Losses(NamedTuple):
    """The adversarial losses of both networks, scalars in the dtype of the logits.

    Attributes:
      d_loss: Loss that the discriminator minimises.
      d_loss_real: Part from real examples.
      d_loss_fake: Part from generated examples.
      g_loss: Loss that the generator minimises. It may depend on the logits of real examples only
        if the loss is marked with `generator_sees_real`: otherwise a generator step shows the
        discriminator no real examples.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import wasserstein
      >>> losses = wasserstein(ops.ones((4, 1)), ops.zeros((4, 1)))
      >>> type(losses).__name__, float(losses.d_loss)
      ('Losses', -1.0)
    """

    d_loss: Tensor
    d_loss_real: Tensor
    d_loss_fake: Tensor
    g_loss: Tensor


def generator_sees_real(loss: _Loss) -> _Loss:
    """Decorator that declares that the generator's loss depends on the logits of real images.

    The generator's steps then also show the discriminator fresh real images. It works on functions
    and on classes with a `__call__`; setting the attribute `generator_sees_real = True` does the
    same. Apply it below `registry.register`, so that the registered function is marked.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import Losses, generator_sees_real, sees_real
      >>> @generator_sees_real
      ... def difference(d_real_logits, d_fake_logits):
      ...     gap = ops.mean(d_real_logits - d_fake_logits)
      ...     return Losses(-gap, -gap / 2, -gap / 2, gap)
      >>> sees_real(difference)
      True
    """
    loss.generator_sees_real = True  # type: ignore[attr-defined]
    return loss


def sees_real(loss: Callable[..., Any]) -> bool:
    """Whether a loss declares that its generator's part depends on the logits of real images.

    Example:
      >>> from compare_gan.losses import hinge, rp_gan, sees_real
      >>> sees_real(hinge), sees_real(rp_gan)
      (False, True)
    """
    return _mark(loss, "generator_sees_real", False)


def not_mean_over_images(loss: _Loss) -> _Loss:
    """Decorator that declares that the loss is not a mean of one term per image.

    For example, the term of an image depends on the mean logit of the batch. Such a loss cannot be
    computed for a part of the images, as the option `top_k` of the GANs does. Setting the attribute
    `is_mean_over_images = False` does the same. Apply it below `registry.register`.

    Example:
      >>> from compare_gan.losses import is_mean_over_images, not_mean_over_images
      >>> @not_mean_over_images
      ... def relative_to_the_mean(d_real_logits, d_fake_logits):
      ...     raise NotImplementedError
      >>> is_mean_over_images(relative_to_the_mean)
      False
    """
    loss.is_mean_over_images = False  # type: ignore[attr-defined]
    return loss


def is_mean_over_images(loss: Callable[..., Any]) -> bool:
    """Whether a loss is a mean over images (pairs of a real and a generated one included).

    Example:
      >>> from compare_gan.losses import is_mean_over_images, ra_gan, rp_gan
      >>> is_mean_over_images(rp_gan), is_mean_over_images(ra_gan)
      (True, False)
    """
    return _mark(loss, "is_mean_over_images", True)


def without_zero(loss: _Loss) -> _Loss:
    """Decorator that declares that logits above 0 do not mean that images are real.

    Such a loss sees only differences of logits, or has its border elsewhere. Augmentations whose
    probability follows the signs of logits then need a probability. Losses whose generator sees
    real images are without a zero, too. Apply it below `registry.register`.

    Example:
      >>> from compare_gan.losses import decides_at_zero, without_zero
      >>> @without_zero
      ... def difference(d_real_logits, d_fake_logits):
      ...     raise NotImplementedError
      >>> decides_at_zero(difference)
      False
    """
    loss.without_zero = True  # type: ignore[attr-defined]
    return loss


def decides_at_zero(loss: Callable[..., Any]) -> bool:
    """Whether the discriminator takes images for real where their logits are above 0.

    Example:
      >>> from compare_gan.losses import decides_at_zero, hinge, wasserstein
      >>> decides_at_zero(hinge), decides_at_zero(wasserstein)
      (True, False)
    """
    return not (sees_real(loss) or _mark(loss, "without_zero", False))


def requested(loss: Callable[..., Any]) -> list[str]:
    """Names of the values of `AVAILABLE` that a loss requests besides the logits.

    Example:
      >>> from compare_gan.losses import requested
      >>> requested(lambda d_real_logits, d_fake_logits, fake_labels: None)
      ['fake_labels']
    """
    return [name for name in AVAILABLE if name in inspect.signature(loss).parameters]


def needs_class_logits(loss: Callable[..., Any]) -> bool:
    """Whether a loss requests the logits of classes (see `AVAILABLE`).

    Example:
      >>> from compare_gan.losses import MultiHinge, hinge, needs_class_logits
      >>> needs_class_logits(hinge), needs_class_logits(MultiHinge())
      (False, True)
    """
    return any(name in _CLASS_LOGITS for name in requested(loss))


def _mark(loss: Callable[..., Any], name: str, default: bool) -> bool:
    while isinstance(loss, functools.partial):
        loss = loss.func
    return bool(getattr(loss, name, default))
