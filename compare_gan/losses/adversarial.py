"""The adversarial losses: functions of the logits of real and generated examples."""

from keras import ops

from compare_gan import registry
from compare_gan.losses.base import Losses, without_zero
from compare_gan.types import Tensor


@registry.register(
    "loss", "non_saturating", paper="https://arxiv.org/abs/1406.2661", aliases=("logistic",)
)
def non_saturating(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Cross-entropy for D and its non-saturating form for G (Goodfellow et al., 2014).

    StyleGAN's programs call it `logistic`, which is another name for it here.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; all are in [0, inf).

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import non_saturating
      >>> losses = non_saturating(ops.array([[2.0], [0.5]]), ops.array([[-1.0], [0.0]]))
      >>> [round(float(loss), 3) for loss in losses]
      [0.804, 0.301, 0.503, 1.003]
    """
    # -log sigmoid(x) = softplus(-x), which does not overflow.
    d_loss_real = ops.mean(ops.softplus(-d_real_logits))
    d_loss_fake = ops.mean(ops.softplus(d_fake_logits))
    g_loss = ops.mean(ops.softplus(-d_fake_logits))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, g_loss)


@registry.register("loss", "wasserstein", paper="https://arxiv.org/abs/1701.07875")
@without_zero
def wasserstein(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """The difference of mean logits, for a Lipschitz-bounded D (Arjovsky et al., 2017).

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; all are any real number.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import wasserstein
      >>> losses = wasserstein(ops.array([[2.0], [0.5]]), ops.array([[-1.0], [0.0]]))
      >>> [round(float(loss), 3) for loss in losses]
      [-1.75, -1.25, -0.5, 0.5]
    """
    d_loss_real = -ops.mean(d_real_logits)
    d_loss_fake = ops.mean(d_fake_logits)
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, -d_loss_fake)


@registry.register("loss", "least_squares", paper="https://arxiv.org/abs/1611.04076")
def least_squares(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Squared distance of D's probability from 1 (real) and 0 (fake) (Mao et al., 2016).

    As in the 2019 library, it is the distance of sigmoid(logits), not of the logits, as in
    `ls_gan`.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = (d_loss_real + d_loss_fake) / 2; d_loss_real, d_loss_fake in [0, 1], g_loss
      in [0, 1/2].

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import least_squares
      >>> losses = least_squares(ops.array([[2.0], [0.5]]), ops.array([[-1.0], [0.0]]))
      >>> [round(float(loss), 3) for loss in losses]
      [0.12, 0.078, 0.161, 0.196]
    """
    d_real, d_fake = ops.sigmoid(d_real_logits), ops.sigmoid(d_fake_logits)
    d_loss_real = ops.mean(ops.square(d_real - 1.0))
    d_loss_fake = ops.mean(ops.square(d_fake))
    g_loss = 0.5 * ops.mean(ops.square(d_fake - 1.0))
    return Losses(0.5 * (d_loss_real + d_loss_fake), d_loss_real, d_loss_fake, g_loss)


@registry.register("loss", "ls_gan", paper="https://arxiv.org/abs/1611.04076")
@without_zero
def ls_gan(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Half the squared distance of D's logits from 1 (real) and 0 (fake) (Mao et al., 2016).

    G minimises half the squared distance from 1. `least_squares` measures distances of
    probabilities instead. Paper: https://arxiv.org/abs/1611.04076.

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; all are in [0, inf).

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import ls_gan
      >>> losses = ls_gan(ops.array([[2.0], [0.5]]), ops.array([[-1.0], [0.0]]))
      >>> [round(float(loss), 4) for loss in losses]
      [0.5625, 0.3125, 0.25, 1.25]
    """
    d_loss_real = 0.5 * ops.mean(ops.square(d_real_logits - 1.0))
    d_loss_fake = 0.5 * ops.mean(ops.square(d_fake_logits))
    g_loss = 0.5 * ops.mean(ops.square(d_fake_logits - 1.0))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, g_loss)


@registry.register("loss", "hinge", paper="https://arxiv.org/abs/1705.02894")
def hinge(d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
    """Hinge loss for D and the negative mean logit for G (Lim and Ye, 2017).

    Args:
      d_real_logits: Float [batch, 1], logits of real examples.
      d_fake_logits: Float [batch, 1], logits of generated examples.

    Returns:
      Losses: d_loss = d_loss_real + d_loss_fake; those of D are in [0, inf), g_loss is any real
      number.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import hinge
      >>> losses = hinge(ops.array([[2.0], [0.5]]), ops.array([[-1.0], [0.0]]))
      >>> [round(float(loss), 3) for loss in losses]
      [0.75, 0.25, 0.5, 0.5]
    """
    d_loss_real = ops.mean(ops.relu(1.0 - d_real_logits))
    d_loss_fake = ops.mean(ops.relu(1.0 + d_fake_logits))
    return Losses(d_loss_real + d_loss_fake, d_loss_real, d_loss_fake, -ops.mean(d_fake_logits))
