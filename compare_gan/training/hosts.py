"""Failures of the first host, which the others learn of."""

from compare_gan import engine
from compare_gan.errors import UserError


def raise_in_all(refusal: Exception | None, strategy: engine.Strategy) -> None:
    """Raises the first host's error in all processes of a run, so that none waits for it.

    Each process has to call this.

    Args:
      refusal: The error of this process; only that of the first host counts. None = no error.
      strategy: The devices of the run.

    Raises:
      UserError: The first host has failed, and this is another one; on the first, its own error.

    Example:
      >>> from compare_gan import engine
      >>> from compare_gan.training.hosts import raise_in_all
      >>> raise_in_all(None, engine.make_strategy("one_device"))
    """
    if engine.agree_on(int(refusal is not None), strategy):
        raise refusal or UserError("Another process of this run has failed, so this one ends too.")
