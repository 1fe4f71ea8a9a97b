"""What a tracker takes of a run."""

import dataclasses
import importlib.util
from collections.abc import Mapping
from typing import Any

from compare_gan.errors import UserError

FINISHED, DIVERGED, INTERRUPTED, FAILED = "finished", "diverged", "interrupted", "failed"


@dataclasses.dataclass(frozen=True)
class TrackedRun:
    """A run, as a tracker sees it.

    Attributes:
      name: Name of the run: that of its directory.
      folder: The directory of the run, absolute.
      config: The version of the library (`code_version`), and the values that the config binds, by
        parameter: numbers, strings, True, False, None; values of other types as text.
      id: What `Tracker.start` returned when the run was started before; None for a new run.

    Example:
      >>> from compare_gan.training.trackers import TrackedRun
      >>> TrackedRun("a", "/runs/a", {"options.z_dim": 128}).id is None
      True
    """

    name: str
    folder: str
    config: Mapping[str, Any]
    id: str | None = None


class Tracker:
    """A tracker, to which a run hands its records.

    A subclass that is registered (`@registry.register("tracker", "mine")`) can be chosen by
    `run_config.trackers = ["mine"]`; the arguments of its constructor are options in gin. `start`
    comes first, and the training waits for it. All methods are called in a thread of the tracker's
    own, one after the other, so that a slow network does not slow the training. An exception does
    not end the training: a warning shows the first one.

    Attributes:
      package: The package that it needs; empty if it needs none.
      requirement: What pip has to install for it; empty if that is the package.
      is_durable: Whether it keeps what it has taken if the process is killed. One that does not
        gets the log and the scores again when a run is resumed after a kill.

    Example:
      >>> from compare_gan.training.trackers import TrackedRun, Tracker
      >>> class Printer(Tracker):
      ...     def start(self, run):
      ...         return run.name
      ...     def values(self, step, values):
      ...         print(step, values)
      >>> printer = Printer()
      >>> printer.start(TrackedRun("a", "/runs/a", {}))
      'a'
      >>> printer.values(10, {"loss/generator": 0.5})
      10 {'loss/generator': 0.5}
    """

    package: str = ""
    requirement: str = ""
    is_durable: bool = True

    def check(self) -> None:
        """Raises UserError if the package is not installed; called before anything is done."""
        # A folder of that name in the working directory, which some trackers write, has no origin.
        spec = importlib.util.find_spec(self.package) if self.package else None
        if self.package and (spec is None or spec.origin is None):
            requirement = self.requirement or self.package
            raise UserError(
                f"The tracker needs the package '{self.package}', which is not installed: install "
                f'it with `pip install "{requirement}"`.'
            )

    def start(self, run: TrackedRun) -> str:
        """Begins a run, or goes on with the one that has its id.

        Args:
          run: The run.

        Returns:
          The id under which the tracker finds the run again.
        """
        raise NotImplementedError

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Takes values of one step.

        Args:
          step: The step.
          values: Finite values by name: those of `log.jsonl`, of monitors (`monitors/…`), or scores
            (`score/…`).
        """

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Takes a picture, encoded as PNG: a grid of `samples`, or of `real` images at step 0."""

    def text(self, name: str, content: str) -> None:
        """Takes a text file of the run, which replaces an earlier one of the same name.

        Args:
          name: `config.gin`, `operative_config.gin` or `results.jsonl`, which has the scores with
            their provenance.
          content: The text.
        """

    def close(self, status: str) -> None:
        """Ends the run, or this part of it: a training may be resumed, and be scored later.

        Args:
          status: `finished`, `diverged`, `interrupted` or `failed`.
        """
