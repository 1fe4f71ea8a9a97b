"""The adversarial losses: one function of real and fake logits each."""

from keras import ops

from compare_gan import registry
from compare_gan.losses.base import Losses


@registry.register("loss", "non_saturating", paper="https://arxiv.org/abs/1406.2661")
def non_saturating(d_real_logits, d_fake_logits) -> Losses:
    """Cross-entropy for D, and for G its non-saturating form (Goodfellow et al., 2014).

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; all in [0, inf).
    """
    # -log sigmoid(x) = softplus(-x), which does not overflow.
    d_loss_real = ops.mean(ops.softplus(-d_real_logits))
    d_loss_fake = ops.mean(ops.softplus(d_fake_logits))
    g_loss = ops.mean(ops.softplus(-d_fake_logits))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, g_loss)


@registry.register("loss", "wasserstein", paper="https://arxiv.org/abs/1701.07875")
def wasserstein(d_real_logits, d_fake_logits) -> Losses:
    """The difference of mean logits, for a Lipschitz-bounded D (Arjovsky et al., 2017).

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; any real number.
    """
    d_loss_real = -ops.mean(d_real_logits)
    d_loss_fake = ops.mean(d_fake_logits)
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, -d_loss_fake)


@registry.register("loss", "least_squares", paper="https://arxiv.org/abs/1611.04076")
def least_squares(d_real_logits, d_fake_logits) -> Losses:
    """Squared distance of D's probability from 1 (real) and 0 (fake) (Mao et al., 2016).

    As in Compare GAN, the distance is taken of sigmoid(logits), not of the logits.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = (d_loss_real + d_loss_fake) / 2; d_loss_real, d_loss_fake in [0, 1], g_loss
      in [0, 1/2].
    """
    d_real, d_fake = ops.sigmoid(d_real_logits), ops.sigmoid(d_fake_logits)
    d_loss_real = ops.mean(ops.square(d_real - 1.0))
    d_loss_fake = ops.mean(ops.square(d_fake))
    g_loss = 0.5 * ops.mean(ops.square(d_fake - 1.0))
    return Losses(0.5 * (d_loss_real + d_loss_fake), d_loss_real, d_loss_fake, g_loss)


@registry.register("loss", "hinge", paper="https://arxiv.org/abs/1705.02894")
def hinge(d_real_logits, d_fake_logits) -> Losses:
    """Hinge loss for D, the negated mean logit for G (Lim and Ye, 2017).

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; D's in [0, inf), g_loss any real number.
    """
    d_loss_real = ops.mean(ops.relu(1.0 - d_real_logits))
    d_loss_fake = ops.mean(ops.relu(1.0 + d_fake_logits))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, -ops.mean(d_fake_logits))
