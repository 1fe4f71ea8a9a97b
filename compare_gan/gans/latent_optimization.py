"""Latent optimization (LOGAN): latents move towards what the discriminator finds real."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import gradient, without_assignments
from compare_gan.errors import UserError
from compare_gan.gans.terms import LossTerms
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


@registry.gin_configurable("latent_optimization")
class LatentOptimization:
    """One step of natural gradient ascent on each latent before it is used (Wu et al., 2019).

    With g the gradient of D(G(z)) with respect to a latent z, the step is
    `alpha * g / (beta + |g|²)`. It is made in the updates of both networks, and gradients flow
    through it into both. Its mean squared length, before any limit, joins both losses. The forwards
    for g change no moving averages. Each update needs second derivatives and is several times as
    expensive. Latents from which images are sampled afterwards are not optimized.

    Paper: https://arxiv.org/abs/1912.00953.

    Args:
      alpha: Size of the step, a number or a schedule.
      beta: Damping of the step where the gradient is small.
      rate: Share of the latents that are optimized, drawn for each.
      cost_weight: Weight of the mean squared length of the steps in both losses, a number or a
        schedule.
      max_step: Largest absolute value of each entry of a step; None for no limit.
      max_latent: Largest absolute value of each entry of all latents afterwards; None for no limit.
        The paper draws latents uniformly between -1 and 1 and limits them to that: 1 is right for
        such latents, and wrong for normal ones.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from keras import ops
      >>> from compare_gan.gans import LatentOptimization
      >>> optimize = LatentOptimization(alpha=1.0, beta=1.0, rate=1.0)
      >>> z, cost = optimize(np.zeros((2, 4), "float32"), lambda z: z[:, :1], np.zeros, step=0)
      >>> ops.convert_to_numpy(z)[0].tolist(), float(cost)  # The gradient is (1, 0, 0, 0).
      ([0.5, 0.0, 0.0, 0.0], 0.25)
    """

    def __init__(
        self,
        alpha: Scheduled = 0.9,
        beta: float = 0.1,
        rate: float = 0.8,
        cost_weight: Scheduled = 0.1,
        max_step: float | None = 1.0,
        max_latent: float | None = None,
    ):
        check_range("latent_optimization.alpha", alpha)
        check_range("latent_optimization.beta", beta)
        check_range("latent_optimization.rate", rate, 0, 1)
        check_range("latent_optimization.cost_weight", cost_weight)
        for name, value in (("max_step", max_step), ("max_latent", max_latent)):
            if value is not None:
                check_range(f"latent_optimization.{name}", value)
        if beta == 0:
            raise UserError("latent_optimization.beta must be above 0, received 0.")
        self.alpha = alpha
        self.beta = beta
        self.rate = rate
        self.cost_weight = cost_weight
        self.max_step = max_step
        self.max_latent = max_latent

    def __call__(
        self,
        z: Tensor,
        judge: Callable[[Tensor], Tensor],
        uniform: Callable[..., Any],
        step: Any,
    ) -> tuple[Tensor, Tensor]:
        """The optimized latents and the mean squared length of the steps.

        Args:
          z: Float [b, z_dim].
          judge: Function from latents to the logits [b, 1] of the images made from them.
          uniform: Function from a shape, batch first, to draws in [0, 1).
          step: Number of finished generator steps.

        Returns:
          Float [b, z_dim] and a float scalar.
        """
        z = ops.convert_to_tensor(z)
        slopes = ops.cast(gradient(without_assignments(judge), z), z.dtype)
        squared = ops.sum(ops.square(slopes), axis=1, keepdims=True)
        change = value_at(self.alpha, step) * slopes / (self.beta + squared)
        cost = ops.mean(ops.sum(ops.square(change), axis=1))
        chosen = ops.convert_to_tensor(uniform((z.shape[0], 1))) >= 1.0 - self.rate
        if self.max_step is not None:
            change = ops.clip(change, -self.max_step, self.max_step)
        z = ops.where(chosen, z + change, z)
        if self.max_latent is not None:
            z = ops.clip(z, -self.max_latent, self.max_latent)
        return z, cost


def with_transport_cost(
    terms: LossTerms,
    given: LatentOptimization | None,
    batch: Mapping[str, Tensor],
    network: str,
    step: Any,
) -> LossTerms:
    """The loss of a network with the cost of the steps, if the batch's latents made any."""
    if given is None or "transport_cost" not in batch:
        return terms
    cost = batch["transport_cost"]
    weight = value_at(given.cost_weight, step)
    return terms.plus(LossTerms(weight * cost, {f"transport_cost_{network}": cost}))


def check_latent_optimization(given: Any, gan: str, joint_fakes: bool) -> None:
    """Raises UserError if a GAN cannot optimize its latents as it should.

    Args:
      given: Its option `latent_optimization`.
      gan: Name of its class.
      joint_fakes: Its option `experimental_joint_gen_for_disc`.
    """
    if given is None:
        return
    if not isinstance(given, LatentOptimization):
        raise UserError(
            f"{gan}.latent_optimization must be a LatentOptimization (in a config "
            f"@latent_optimization()), received {given!r}."
        )
    if joint_fakes:
        raise UserError(
            f"{gan}.experimental_joint_gen_for_disc must be False with latent_optimization: each "
            "discriminator step optimizes latents with the discriminator of that step."
        )
