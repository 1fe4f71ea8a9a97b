"""Hooks of a training loop."""

from collections.abc import Sequence

import numpy as np

from compare_gan.engine.progress import ProgressLine


class Callback:
    """Hooks of a training loop: records, pictures, warnings.

    Only the process that writes files calls these methods; with several workers the others do the
    same steps without them, and show a line of progress. State that is divided among processes
    (`run_config.shard_state`) is whole in `on_due` alone.

    Attributes:
      every: `on_due` is called at multiples of this step; 0 = never.

    Example:
      >>> import numpy as np
      >>> from compare_gan import engine
      >>> class PrintLosses(engine.Callback):
      ...     def on_steps(self, step, history, seconds):
      ...         print(step, history["loss"].mean())
      >>> PrintLosses().on_steps(10, {"loss": np.array([1.0, 2.0])}, seconds=1.0)
      10 1.5
    """

    every: int = 0

    def on_begin(self, step: int) -> None:
        """Runs before the first step of this process; `step` steps are done already."""

    def on_call(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        """Runs after each call of the compiled loop: every few seconds, at no particular step.

        Args:
          step: The step reached.
          history: Each value's course over the steps of the call, by name, float32 [steps].
          seconds: The duration of the call.
        """

    def on_steps(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        """Runs where `fit` says that calls end, and where a training ends.

        Args:
          step: The step reached.
          history: Each value's course over the steps since the last time, by name, float32
            [steps].
          seconds: The duration of these steps.
        """

    def on_due(self, step: int) -> None:
        """Runs at multiples of `every`, and at the last step, before the checkpoint is saved.

        Raises:
          DivergenceError: The training has diverged; every worker then ends.
        """

    def on_divergence(self, step: int, terms: Sequence[str]) -> None:
        """Runs when a divergence ends the training; may raise a DivergenceError of its own.

        Args:
          step: The step reached.
          terms: Names of the values or variables that are not finite; none if `on_due` found it.
        """

    def on_rollback(self, step: int) -> None:
        """Runs when the training goes on from an earlier step after a divergence.

        By default as if the training ended and another one began.

        Args:
          step: The step of the restored checkpoint.
        """
        self.on_end()
        self.on_begin(step)

    def on_end(self) -> None:
        """Runs at the end of the training, however it ends, if `on_begin` has run."""


class OtherProcess(Callback):
    """A line of progress, once a minute, in processes other than the one that writes files."""

    def __init__(self, unit: str, last_step: int):
        self._unit, self._last_step = unit, last_step

    def on_begin(self, step: int) -> None:
        self._line = ProgressLine(self._unit, step, self._last_step, pause=60.0)

    def on_call(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        self._line.update(step, "together with the first process")

    def on_end(self) -> None:
        self._line.close()
