"""Weights & Biases."""

import io
import logging
import os
from collections.abc import Mapping, Sequence

from PIL import Image

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.training.trackers.base import FINISHED, TrackedRun, Tracker

_log = logging.getLogger(__name__)


@registry.register("tracker", "wandb")
class WandbTracker(Tracker):
    """Weights & Biases, or with `mode = 'offline'` a folder `wandb` in the run directory.

    Args:
      project: Name of the project.
      entity: Name of the user or team; None = that of the account.
      group: Name of a group of runs, such as a study; None = none.
      tags: Tags of the run.
      mode: `online`, `offline` or `disabled`; None = that of the environment variable `WANDB_MODE`.

    Example:
      >>> from compare_gan.training.trackers import WandbTracker
      >>> WandbTracker(project="losses", mode="offline").package
      'wandb'
    """

    package = "wandb"
    requirement = "compare_gan[wandb]"

    def __init__(
        self,
        project: str = "compare_gan",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        mode: str | None = None,
    ):
        self._mode = mode
        self._options = {
            "project": project,
            "entity": entity,
            "group": group,
            "tags": list(tags),
            "mode": mode,
        }

    def check(self) -> None:
        """Raises UserError if the package is not installed or, online, has no API key."""
        super().check()
        import wandb

        mode = self._mode or wandb.setup().settings.mode
        # Otherwise `wandb.init` would ask for the key in the middle of the training's output.
        if mode == "online" and not wandb.login(prompt=False, verify=False):
            raise UserError(
                "Weights & Biases has no API key: run `wandb login`, or set wandb.mode = 'offline'."
            )

    def start(self, run: TrackedRun) -> str:
        """Begins a run in the project, or goes on with the one that has its id."""
        import wandb

        self._wandb = wandb
        self._run = wandb.init(
            dir=run.folder,
            name=run.name,
            id=run.id,
            resume=run.id and "allow",
            config=dict(run.config),
            allow_val_change=True,
            reinit="create_new",  # Another run of this process stays as it is.
            settings=wandb.Settings(console="off", silent=True),
            **self._options,
        )
        # Scores may be of earlier steps than the last values, which wandb's own steps forbid.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")
        self.is_durable = not self._run.offline  # Its file is written in large blocks.
        if self.is_durable and self._run.url:
            _log.info("Weights & Biases shows the run at %s.", self._run.url)
        return self._run.id

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the chart of each name."""
        self._run.log({"step": step, **values})

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Adds an image to those of this name."""
        with Image.open(io.BytesIO(png)) as image:
            self._run.log({"step": step, name: self._wandb.Image(image)})

    def text(self, name: str, content: str) -> None:
        """Writes a file of the run."""
        path = os.path.join(self._run.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        self._run.save(path, base_path=self._run.dir, policy="now")

    def close(self, status: str) -> None:
        """Ends the run with an exit code, and the status in its summary."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == FINISHED else 1)
