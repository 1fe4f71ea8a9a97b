"""A probability that follows how sure the discriminator is of real images."""

from typing import Any

from keras import ops

from compare_gan.augmentations.base import Augmentation
from compare_gan.backend import num_shares
from compare_gan.errors import check_positive_integer
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


class AdaptiveAugmentation(Augmentation):
    """An augmentation with a probability that adapts to overfitting (Karras et al., 2020).

    With r_t the mean sign of the discriminator's logits of real images, which grows towards 1 as it
    overfits, the probability rises while r_t is above `target` and falls while it is below. It
    moves every `interval` discriminator steps, by the number of real images shown in them divided
    by `images`, within [0, 1], and begins at 0. r_t is the mean over these steps.

    A subclass sets `name` and calls `probability` in `__call__` or `replace_real`.

    Paper: https://arxiv.org/abs/2006.06676.

    Args:
      p: Probability, a number or a schedule; None = it adapts.
      target: Value of r_t at which the probability stays as it is.
      images: Number of real images, shown to the discriminator, in which the probability can rise
        from 0 to 1.
      interval: Number of discriminator steps between two changes.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.augmentations.adaptive import AdaptiveAugmentation
      >>> class Fade(AdaptiveAugmentation):
      ...     name = "fade"
      ...
      ...     def __call__(self, images, uniform, normal, step):
      ...         return (1.0 - self.probability(step)) * images
      >>> fade = Fade(images=100, interval=1).prepared_copy()
      >>> for step in range(3):
      ...     fade.update(np.ones((10, 1)), np.ones((10, 1)), step)
      >>> round(float(fade.probability(step)), 3)
      0.2
    """

    def __init__(
        self,
        p: Scheduled | None = None,
        target: float = 0.6,
        images: int = 500_000,
        interval: int = 4,
    ):
        super().__init__()
        if p is not None:
            check_range(f"{self.name}.p", p, 0, 1)
        check_range(f"{self.name}.target", target, -1, 1)
        check_positive_integer(f"{self.name}.images", images)
        check_positive_integer(f"{self.name}.interval", interval)
        self.p = p
        self.target = target
        self.images = images
        self.interval = interval

    def build(self) -> None:
        if self.p is None:
            self.adapted_p = self.add_variable("p")
            self.sum_of_signs = self.add_variable("sum_of_signs")
            self.num_steps = self.add_variable("num_steps")

    def probability(self, step: Any) -> Any:
        """The current probability, in [0, 1]: a number or a float32 scalar.

        Args:
          step: Number of finished generator steps.
        """
        return self.adapted_p.value if self.p is None else value_at(self.p, step)

    def measures(self, step: Any) -> dict[str, Any]:
        """The probability, as `p`."""
        return {"p": self.probability(step)}

    def update(self, real_logits: Tensor, fake_logits: Tensor, step: Any) -> None:
        """Adds the signs of a discriminator step, and moves the probability when it is due.

        The probability is moved by the sums of the steps before this one, which are equal on all
        replicas and in all microbatches; a sign of the logits at hand would not be.
        """
        if self.p is not None:
            return
        p, total, count = self.adapted_p.value, self.sum_of_signs.value, self.num_steps.value
        due = count >= self.interval
        b = real_logits.shape[0] * num_shares()
        change = ops.sign(total / self.interval - self.target) * (b * self.interval / self.images)
        self.adapted_p.assign(ops.where(due, ops.clip(p + change, 0.0, 1.0), p))
        sign = ops.stop_gradient(ops.mean(ops.sign(ops.cast(real_logits, "float32"))))
        self.sum_of_signs.assign(ops.where(due, 0.0, total) + sign)
        self.num_steps.assign(ops.where(due, 0.0, count) + 1.0)
