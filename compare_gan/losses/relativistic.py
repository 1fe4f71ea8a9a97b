"""Relativistic losses: they compare the logits of real and generated images."""

from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean
from compare_gan.losses.base import Losses, generator_sees_real, not_mean_over_images
from compare_gan.types import Tensor


@registry.register("loss", "rp_gan", paper="https://arxiv.org/abs/1807.00734")
@generator_sees_real
def rp_gan(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Cross-entropy of the difference of paired logits (Jolicoeur-Martineau, 2018).

    The real and the generated image at the same place in the batch are a pair. D learns that the
    real one has the higher logit, G, with other real images, that the generated one has it. This is
    the loss of R3GAN (Huang et al., 2024), there together with penalties on both gradients.

    Papers: https://arxiv.org/abs/1807.00734, https://arxiv.org/abs/2501.05441.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses, all in [0, inf). The loss of D has no real and generated part: each is half of it.

    Example:
      >>> import numpy as np
      >>> from compare_gan.losses import rp_gan
      >>> losses = rp_gan(np.float32([[2.0]]), np.float32([[-1.0]]))
      >>> round(float(losses.d_loss), 4), round(float(losses.g_loss), 4)
      (0.0486, 3.0486)
    """
    d_loss = ops.mean(ops.softplus(d_fake_logits - d_real_logits))
    g_loss = ops.mean(ops.softplus(d_real_logits - d_fake_logits))
    return Losses(d_loss, d_loss / 2, d_loss / 2, g_loss)


@registry.register("loss", "ra_gan", paper="https://arxiv.org/abs/1807.00734")
@generator_sees_real
@not_mean_over_images
def ra_gan(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Cross-entropy of logits relative to the other kind's mean (Jolicoeur-Martineau, 2018).

    D learns that real images have higher logits than the average generated one, and generated
    images lower ones than the average real one; G learns the opposite, with other real images. As
    in the author's program, both losses are halved. Means are those of all replicas.

    Paper: https://arxiv.org/abs/1807.00734.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; all are in [0, inf).

    Example:
      >>> import numpy as np
      >>> from compare_gan.losses import ra_gan
      >>> losses = ra_gan(np.float32([[2.0]]), np.float32([[-1.0]]))
      >>> [round(float(loss), 4) for loss in losses]
      [0.0486, 0.0243, 0.0243, 3.0486]
    """
    real_mean, fake_mean = cross_replica_mean([ops.mean(d_real_logits), ops.mean(d_fake_logits)])
    real, fake = d_real_logits - fake_mean, d_fake_logits - real_mean
    d_loss_real = 0.5 * ops.mean(ops.softplus(-real))
    d_loss_fake = 0.5 * ops.mean(ops.softplus(fake))
    g_loss = 0.5 * (ops.mean(ops.softplus(real)) + ops.mean(ops.softplus(-fake)))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, g_loss)
