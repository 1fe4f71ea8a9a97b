"""Finds a checkpoint of a run by its step or path."""

import os
from collections.abc import Sequence

from compare_gan import engine
from compare_gan.errors import UserError


def find_checkpoint(paths: Sequence[str], wanted: str | int, run: str) -> str:
    """The path of a checkpoint that is given by its step or its path.

    Args:
      paths: Paths of all checkpoints, oldest first.
      wanted: A step or a path.
      run: The directory of the run, for messages.

    Raises:
      UserError: There is none; the message lists the steps that there are.

    Example:
      >>> from compare_gan.training.checkpoint_choice import find_checkpoint
      >>> find_checkpoint(["run/checkpoints/step-5", "run/checkpoints/step-10"], 10, "run")
      'run/checkpoints/step-10'
    """
    for path in paths:
        if str(wanted) == str(engine.step_of(path)):
            return path
        if os.path.abspath(str(wanted)) == os.path.abspath(path):
            return path
    steps = [engine.step_of(path) for path in paths]
    raise UserError(f"'{run}' has no checkpoint {wanted}; its steps are {listed(steps, wanted)}.")


def listed(steps: Sequence[int], wanted: str | int = "") -> str:
    """All steps; of more than ten the first, the nearest to `wanted`, and the last.

    Example:
      >>> from compare_gan.training.checkpoint_choice import listed
      >>> listed(list(range(0, 100, 5)), 7)
      '0, …, 5, …, 95'
    """
    if len(steps) <= 10:
        return ", ".join(map(str, steps))
    shown = {steps[0], steps[-1]}
    if str(wanted).isdecimal():
        shown.add(min(steps, key=lambda step: abs(step - int(wanted))))
    return ", …, ".join(map(str, sorted(shown)))
