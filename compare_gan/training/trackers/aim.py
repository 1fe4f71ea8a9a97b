"""Aim."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from compare_gan import registry
from compare_gan.training.trackers.base import TrackedRun, Tracker


@registry.register("tracker", "aim")
class AimTracker(Tracker):
    """Aim: a folder of runs, or a server.

    Args:
      repo: The folder that has `.aim` in it, or a server (`aim://host:port`); None = the working
        directory.
      experiment: Name of the experiment.

    Example:
      >>> from compare_gan.training.trackers import AimTracker
      >>> AimTracker(repo="runs").package
      'aim'
    """

    package = "aim"
    requirement = "compare_gan[aim]"

    def __init__(self, repo: str | None = None, experiment: str = "compare_gan"):
        self._repo = repo
        self._experiment = experiment

    def start(self, run: TrackedRun) -> str:
        """Begins a run in the repository, or goes on with the one that has its id."""
        import aim

        self._aim = aim
        try:
            self._run = self._open(run.id)
        except Exception:
            if run.id is None:
                raise
            # A training that was killed on another machine has left its lock.
            self._run = self._open(run.id, force_resume=True)
        self._run.name = run.name
        self._run["config"] = dict(run.config)
        return self._run.hash

    def _open(self, run_id: str | None, force_resume: bool = False) -> Any:
        return self._aim.Run(
            run_id,
            repo=self._repo,
            experiment=self._experiment,
            force_resume=force_resume,
            system_tracking_interval=None,
            capture_terminal_logs=False,
        )

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the sequence of each name."""
        for name, value in values.items():
            self._run.track(value, name=name, step=step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Adds an image to those of this name."""
        with Image.open(io.BytesIO(png)) as image:
            self._run.track(self._aim.Image(image), name=name, step=step)

    def text(self, name: str, content: str) -> None:
        """Writes an entry of the run."""
        self._run[name] = content

    def close(self, status: str) -> None:
        """Ends the run, with the status as an entry."""
        self._run["status"] = status
        self._run.close()
