"""Scalars and pictures of a run: TensorBoard, log.jsonl, a line of progress."""

import contextlib
import json
import math
from typing import Any

import numpy as np

from compare_gan import files
from compare_gan.engine.progress import ProgressLine
from compare_gan.training.events import EventFile


class Summaries:
    """Writes scalars, texts and image grids of a run to TensorBoard, scalars also to a log.

    The log has one line of JSON for each call of the compiled loop: step, images per second, and
    the mean of each value over the steps of the call.

    Args:
      log: Path of the log.
      tensorboard: Folder of the TensorBoard events.
      first_step: Step at which the run begins or resumes. Lines of later steps, which a killed
        process wrote after its last checkpoint, are removed from the log.
    """

    def __init__(self, log: str, tensorboard: str, first_step: int = 0):
        self._log = log
        self._events = EventFile(tensorboard)
        rows = [row for row in read_log(log) if row["step"] <= first_step]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        files.write_text(log, lines)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes scalars of one step; values that are not finite become null in log.jsonl."""
        for name, value in values.items():
            self._events.scalar(step, name, value)
        self._events.flush()  # TensorBoard shows a run that goes on.
        row = {"step": step} | {
            name: float(value) if math.isfinite(value) else None for name, value in values.items()
        }
        with open(self._log, "a") as log:
            log.write(json.dumps(row) + "\n")

    def text(self, name: str, content: str) -> None:
        """Shows a text (the config) in TensorBoard."""
        self._events.text(0, name, f"```\n{content}\n```")

    def grid(self, step: int, name: str, picture: np.ndarray) -> None:
        """Shows a picture (uint8 [h, w, c]) in TensorBoard."""
        self._events.image(step, name, picture)

    def read(self) -> list[dict[str, Any]]:
        """The rows of the log, oldest first."""
        return read_log(self._log)

    def flush(self) -> None:
        """Writes everything to disk."""
        self._events.flush()


def read_log(path: str) -> list[dict[str, Any]]:
    """The rows of `log.jsonl`, oldest first; a last line that a kill cut off is left out."""
    rows = []
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError), open(path) as log:
        for line in log:
            rows.append(json.loads(line))
    return rows


class Progress:
    """The line of progress of a GAN's training."""

    def __init__(self, first_step: int, last_step: int):
        self._line = ProgressLine("step", first_step, last_step)

    def update(self, step: int, images_per_second: float, values: dict[str, float]) -> None:
        """Shows the step, the two losses and the speed."""
        self._line.update(
            step,
            f"D {values['loss/discriminator']:.3f}, G {values['loss/generator']:.3f}, "
            f"{images_per_second:.0f} images/s",
        )

    def close(self) -> None:
        """Ends the line."""
        self._line.close()
