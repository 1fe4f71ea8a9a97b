"""What a GAN or an auxiliary task returns: a value to minimise, and what it is made of."""

from typing import Any, NamedTuple


class LossTerms(NamedTuple):
    """A scalar to minimise with its named parts.

    Attributes:
      total: Float scalar, weights applied.
      parts: Float scalars by name, weights not applied: losses, and measures such as accuracies.
    """

    total: Any
    parts: dict[str, Any]
