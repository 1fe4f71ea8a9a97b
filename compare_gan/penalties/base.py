"""The interface of penalties: terms that join the loss of the discriminator or the generator."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, with_known_names
from compare_gan.memory import Memory
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor

# The values that a term may request, with descriptions. All images are float [b, H, W, C] in
# [0, 1], before augmentation; logits are float32 [b, 1].
AVAILABLE = {
    "discriminator": "function from images to logits [b, 1]: in training mode, with the labels and "
    "augmentations of the real images (in the generator's loss: of the generated ones)",
    "discriminator_of_fakes": "the same with the labels and augmentations of the generated images",
    "generator": "function from latents [b, z_dim] to images: in training mode, with `fake_y`",
    "styles": "function from latents [n, z_dim] and their labels to the generator's styles "
    "[n, layers, w_dim]; to the latents themselves if it has none",
    "synthesize": "function from the result of `styles` and labels to images, in training mode",
    "x": "real images",
    "x_fake": "generated images; in the generator's loss with their gradient",
    "y": "labels of the real images [b, k]; None if the GAN is unconditional",
    "fake_y": "labels of the generated images [b, k]; None if the GAN is unconditional",
    "real_logits": "logits of the real images; in the generator's loss NaN unless the loss sees "
    "real images too",
    "fake_logits": "logits of the generated images",
    "logits_with_pixels": "function like `discriminator` to all logits that it gives in training "
    "[b, 1 + n]: of images and, from a U-Net, of their n pixels",
    "real_logits_with_pixels": "all logits of the real images, likewise",
    "fake_logits_with_pixels": "all logits of the generated images",
    "features": "features of the generated images in the generator's loss, of the real ones in the "
    "discriminator's, float32 [b, f]",
    "real_gradients": "gradient of the real images' logits with respect to the images, of their "
    "shape, from the forward that made `real_logits`; None if it would require a separate forward "
    "of `discriminator`",
    "fake_gradients": "the same at the generated images; None if it would require a separate "
    "forward of `discriminator_of_fakes`",
    "z": "latents of the generated images [b, z_dim]",
    "uniform": "function from a shape, batch first, to draws in [0, 1)",
    "normal": "function from a shape, batch first, to standard normal draws",
    "kernels": "kernels [..., units] of the network that the loss is for, as its layers scale them "
    "(before spectral normalization)",
    "kernel_groups": "number of groups of neighbouring units of each kernel that see channels of "
    "their own: 1 except for grouped convolutions",
    "step": "number of finished generator steps",
}


class Penalty(Memory):
    """A term that joins the loss of the discriminator, of the generator, or of both.

    A subclass sets `name` and defines `discriminator_term`, `generator_term` or both. A term asks
    for what it needs by the names of its parameters, which are those of `AVAILABLE`, and returns a
    float scalar, a mean over the batch and not yet weighted. A subclass may own variables, which it
    creates in `build` (see `Memory`) and assigns in its terms.

    With `interval` k a term is computed in every k-th update of the network whose loss it joins,
    and k times as strong (https://arxiv.org/abs/1912.04958); the other updates cost nothing. It
    joins that update instead of causing one more, for which StyleGAN2's program multiplies Adam's
    learning rate by c = k / (k + 1) and raises its betas to the power c: use those of the paper
    without c. Then it must not average over replicas itself, and updates that its forwards make to
    the networks' own state (moving averages, spectral norm) are dropped.

    Args:
      weight: Weight of the term in the loss; a number or a schedule.
      interval: Number of updates of the network between two evaluations.

    Attributes:
      name: Name in logs, in checkpoints and in messages.
      compares_forwards: Whether a term compares logits of different forwards of the discriminator,
        which batch norm would make different for equal images; False unless a subclass sets it.
      weight: Weight of the term; None if `weight_at` computes it.

    Raises:
      UserError: The weight is negative, or the interval is not a positive integer.

    Example:
      >>> from keras import ops
      >>> from compare_gan.penalties import Penalty
      >>> class LogitSize(Penalty):
      ...     name = "logit_size"
      ...
      ...     def discriminator_term(self, real_logits, fake_logits):
      ...         return ops.mean(ops.square(real_logits)) + ops.mean(ops.square(fake_logits))
      >>> LogitSize(weight=0.001, interval=4).interval
      4
    """

    name: str
    compares_forwards = False

    def __init__(self, weight: Scheduled = 1.0, interval: int = 1):
        super().__init__()
        self.check_name()
        check_range(f"{self.name}.weight", weight)
        check_positive_integer(f"{self.name}.interval", interval)
        self.weight: Scheduled | None = weight
        self.interval = interval

    def term(self, network: str) -> Callable[..., Tensor] | None:
        """The term in the loss of `network` (`discriminator` or `generator`); None if none."""
        return getattr(self, f"{network}_term", None)

    def weight_at(self, step: Any, x: Tensor, network: str = "discriminator") -> Any:
        """The weight at a generator step.

        An override has those of these parameters that it needs.

        Args:
          step: Number of finished generator steps.
          x: Images of this replica's batch, float [b, H, W, C].
          network: The network whose loss the term joins, `discriminator` or `generator`.
        """
        assert self.weight is not None
        return value_at(self.weight, step)

    def check_batch_size(self, batch_size: int) -> None:
        """Raises UserError if a term cannot be computed from batches of this size.

        Args:
          batch_size: Number of real, and of generated, images of a replica or of a microbatch.
        """

    def _terms(self) -> list[Callable[..., Tensor]]:
        return [term for network in ("discriminator", "generator") if (term := self.term(network))]

    def requested(self) -> list[str]:
        """Names of the values of `AVAILABLE` that the terms get."""
        parameters = [name for term in self._terms() for name in inspect.signature(term).parameters]
        return [name for name in AVAILABLE if name in parameters]

    def check(self) -> None:
        """Raises UserError if a term requests an unknown value, or the class is not complete."""
        self.check_name()
        if not hasattr(self, "weight"):
            raise UserError(
                f"The penalty '{self.name}' has no weight: its __init__ must call "
                "super().__init__(weight, interval)."
            )
        terms = self._terms()
        if not terms:
            raise UserError(
                f"The penalty '{self.name}' joins no loss: it needs a method discriminator_term or "
                "generator_term."
            )
        for term in terms:
            for name in required_parameters(term):
                if name not in AVAILABLE:
                    sentence = f"The penalty '{self.name}' requests the unknown value '{name}'."
                    raise UserError(with_known_names(sentence, name, AVAILABLE))


@registry.gin_configurable("function_penalty")
class FunctionPenalty(Penalty):
    """A function as a term of the discriminator's loss.

    Args:
      fn: Function that returns the term, or the name of a registered one. It asks by parameter name
        for what it needs, as a term of `Penalty` does.
      weight: Weight of the term in the loss; a number or a schedule.
      interval: Number of discriminator updates between two evaluations.
      name: Name in logs and messages; `penalty` if None.

    Example:
      >>> from compare_gan.penalties import FunctionPenalty, wgangp_penalty
      >>> FunctionPenalty(wgangp_penalty, weight=10, interval=4).name
      'penalty'
    """

    # It is not registered, because it is no penalty without a function; configs may call it.
    part_kind = "penalty"

    def __init__(
        self,
        fn: Callable[..., Tensor] | str,
        weight: Scheduled = 1.0,
        interval: int = 1,
        name: str | None = None,
    ):
        self.fn = registry.get("penalty", fn)
        self.name = name or "penalty"
        super().__init__(weight, interval)
        self.discriminator_term = self.fn


def required_parameters(term: Callable[..., Any]) -> list[str]:
    """Names of the parameters of a term that have no default."""
    parameters = inspect.signature(term).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]


def function_name(fn: Callable[..., Any]) -> str:
    """A name for a function, a partial or a callable object."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return getattr(fn, "__name__", type(fn).__name__)
