"""The multi-class hinge loss: generated images are one more class for the discriminator."""

from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean
from compare_gan.errors import check_range
from compare_gan.losses.base import Losses, generator_sees_real, not_mean_over_images
from compare_gan.types import Tensor


@registry.register("loss", "multi_hinge", paper="https://arxiv.org/abs/1912.04216")
@generator_sees_real
@not_mean_over_images
class MultiHinge:
    """Hinge loss of Crammer and Singer over K + 1 classes (Kavalerov et al., 2019).

    D should give the right class a logit higher by 1 than that of every other class: a real image
    its label, a generated one class K. G wants the class that an image was made for, and that the
    mean features of generated images equal those of real ones. The GAN must be conditional. The
    logits of the K classes come from a head that the GAN adds; the logit of class K is the negative
    of the discriminator's own logit, so that penalties and augmentations that use this one still
    see how real an image looks. Let the architecture not project labels (`project_y = False`).

    A real image without a label should only look like one of the K classes. The classes of soft
    labels are the likeliest ones.

    Paper: https://arxiv.org/abs/1912.04216.

    Args:
      g_weight: Weight of the hinge loss in the generator's loss.
      feature_matching: Weight of the mean absolute difference of mean features in it.

    Raises:
      UserError: A weight is negative.

    Example:
      >>> import numpy as np
      >>> from compare_gan.losses import MultiHinge
      >>> label, features = np.float32([[0, 1]]), np.zeros((1, 4), "float32")
      >>> losses = MultiHinge()(
      ...     np.float32([[2.0]]), np.float32([[-1.0]]), np.float32([[0, 1]]), np.float32([[0, 0]]),
      ...     label, label, features, features,
      ... )
      >>> [round(float(loss), 2) for loss in losses]  # D classifies well enough; G not yet.
      [0.0, 0.0, 0.0, 0.1]
    """

    name = "multi_hinge"

    def __init__(self, g_weight: float = 0.05, feature_matching: float = 1.0):
        check_range("multi_hinge.g_weight", g_weight)
        check_range("multi_hinge.feature_matching", feature_matching)
        self.g_weight = g_weight
        self.feature_matching = feature_matching

    def __call__(
        self,
        d_real_logits: Tensor,
        d_fake_logits: Tensor,
        real_class_logits: Tensor,
        fake_class_logits: Tensor,
        real_labels: Tensor,
        fake_labels: Tensor,
        real_features: Tensor,
        fake_features: Tensor,
    ) -> Losses:
        """The losses, all in [0, inf); d_loss = d_loss_real + d_loss_fake.

        Args:
          d_real_logits: Float [b, 1], logits of real images.
          d_fake_logits: Float [b, 1], logits of generated images.
          real_class_logits: Float [b, K], logits of classes for real images.
          fake_class_logits: Float [b, K], logits of classes for generated images.
          real_labels: Float [b, K], labels of real images; a row of zeros for no label.
          fake_labels: Float [b, K], labels that images were generated for.
          real_features: Float [b, f], the discriminator's features of real images.
          fake_features: Float [b, f], those of generated images.
        """
        real = ops.concatenate([real_class_logits, -d_real_logits], axis=1)
        fake = ops.concatenate([fake_class_logits, -d_fake_logits], axis=1)
        generated = ops.arange(fake.shape[1], dtype="int32")[None, :] == fake.shape[1] - 1
        d_loss_real = _hinge(real, _wanted(real_labels))
        d_loss_fake = _hinge(fake, ops.broadcast_to(generated, fake.shape))
        means = [ops.mean(features, axis=0) for features in (real_features, fake_features)]
        real_mean, fake_mean = cross_replica_mean(means)
        matching = ops.mean(ops.abs(real_mean - fake_mean))
        g_loss = self.g_weight * _hinge(fake, _wanted(fake_labels))
        g_loss = g_loss + self.feature_matching * matching
        return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, g_loss)


def _wanted(labels: Tensor) -> Tensor:
    """Mask of the classes that an image may have, bool [b, K + 1]: one, or without label all K."""
    likeliest = ops.cast(ops.argmax(labels, axis=1), "int32")[:, None]
    is_class = ops.arange(labels.shape[1], dtype="int32")[None, :] == likeliest
    wanted = is_class | (ops.sum(labels, axis=1, keepdims=True) <= 0.5)
    return ops.pad(wanted, ((0, 0), (0, 1)))


def _hinge(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean of relu(1 + the highest logit of the other classes - the highest of those wanted)."""
    lowest: Any = float("-inf")
    own = ops.max(ops.where(wanted, logits, lowest), axis=1)
    other = ops.max(ops.where(wanted, lowest, logits), axis=1)
    return ops.mean(ops.relu(1.0 + other - own))
