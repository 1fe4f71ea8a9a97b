"""What a run tells while it trains: TensorBoard, log.jsonl, a line of progress."""

import contextlib
import json
import math
import os

import numpy as np
import tensorflow as tf

from compare_gan import files
from compare_gan.engine.progress import ProgressLine

_LOG = "log.jsonl"


class Summaries:
    """Writes the scalars, texts and image grids of one run to TensorBoard, scalars also to a file.

    `log.jsonl` gets one line a call of the compiled loop (step, images per second, the mean of
    each value over the steps of that call).

    Args:
      model_dir: The run's directory.
      first_step: Where the run goes on: rows of later steps, which a killed process wrote after its
        last checkpoint, are dropped from `log.jsonl`.
    """

    def __init__(self, model_dir: str, first_step: int = 0):
        self._model_dir = model_dir
        self._writer = tf.summary.create_file_writer(os.path.join(model_dir, "tensorboard"))
        rows = [row for row in read_log(model_dir) if row["step"] <= first_step]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        files.write_text(os.path.join(model_dir, _LOG), lines)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes scalars of one step; values that are not finite become null in log.jsonl."""
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        row = {"step": step} | {
            name: float(value) if math.isfinite(value) else None for name, value in values.items()
        }
        with open(os.path.join(self._model_dir, _LOG), "a") as log:
            log.write(json.dumps(row) + "\n")

    def text(self, name: str, content: str) -> None:
        """Shows a text (the config) in TensorBoard."""
        with self._writer.as_default(0):
            tf.summary.text(name, f"```\n{content}\n```")

    def grid(self, step: int, name: str, picture: np.ndarray) -> None:
        """Shows a picture (uint8 [h, w, c]) in TensorBoard."""
        with self._writer.as_default(step):
            tf.summary.image(name, picture[None])

    def flush(self) -> None:
        """Makes sure that everything written so far is on disk."""
        self._writer.flush()


def read_log(model_dir: str) -> list[dict[str, float | None]]:
    """The rows of `log.jsonl`, oldest first; without a last line that was cut off by a kill."""
    rows = []
    path = os.path.join(model_dir, _LOG)
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError), open(path) as log:
        for line in log:
            rows.append(json.loads(line))
    return rows


class Progress(ProgressLine):
    """The line of progress of a GAN's training."""

    def __init__(self, first_step: int, last_step: int):
        super().__init__("step", first_step, last_step)

    def update(self, step: int, images_per_second: float, values: dict[str, float]) -> None:
        """Tells the step reached, the speed and the two losses."""
        super().update(
            step,
            f"D {values['loss/discriminator']:.3f}, G {values['loss/generator']:.3f}, "
            f"{images_per_second:.0f} images/s",
        )
