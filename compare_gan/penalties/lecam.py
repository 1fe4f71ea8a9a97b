"""LeCam: logits stay near averages of the logits of the other kind of images."""

from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean
from compare_gan.errors import check_decay, check_range
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor


@registry.register("penalty", "lecam", paper="https://arxiv.org/abs/2104.03310")
class LeCam(Penalty):
    """Keeps D's logits near averages of its logits (Tseng et al., 2021), for little data.

    The mean of relu(D(x) - a_fake)² plus that of relu(a_real - D(g))², where a_real and a_fake are
    moving averages of the logits of real and of generated images, this batch (or microbatch)
    included. The averages are saved in checkpoints. Up to `start_step` they follow the batch and
    the term is zero.

    Paper: https://arxiv.org/abs/2104.03310.

    Args:
      weight: Weight of the term, a number or a schedule; 0.3 for CIFAR in the paper.
      decay: Decay of the averages.
      start_step: Generator step after which the term acts.
      interval: Number of discriminator updates between two evaluations. More than 1 saves next to
        nothing here, and cannot be used on several replicas.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.penalties import LeCam
      >>> LeCam(weight=0.1).decay
      0.99
    """

    name = "lecam"

    def __init__(
        self,
        weight: Scheduled = 0.3,
        decay: float = 0.99,
        start_step: int = 1000,
        interval: int = 1,
    ):
        super().__init__(weight, interval)
        check_decay("lecam.decay", decay)
        check_range("lecam.start_step", start_step)
        self.decay = decay
        self.start_step = start_step

    def build(self) -> None:
        self.real_average = self.add_variable("real_average")
        self.fake_average = self.add_variable("fake_average")

    def discriminator_term(self, real_logits: Tensor, fake_logits: Tensor, step: Any) -> Tensor:
        """The term after an update of the averages, a scalar in [0, inf).

        Args:
          real_logits: Float [b, 1], logits of real images.
          fake_logits: Float [b, 1], logits of generated images.
          step: Number of finished generator steps.
        """
        decay = ops.where(step < self.start_step, 0.0, self.decay)
        means = cross_replica_mean([ops.mean(real_logits), ops.mean(fake_logits)])
        averages = []
        for average, mean in zip((self.real_average, self.fake_average), means, strict=True):
            averages.append(decay * average.value + (1.0 - decay) * ops.stop_gradient(mean))
            average.assign(averages[-1])
        real, fake = averages
        term = ops.mean(ops.square(ops.relu(real_logits - fake)))
        term = term + ops.mean(ops.square(ops.relu(real - fake_logits)))
        return ops.where(step > self.start_step, term, 0.0)
