"""What a run tells while it trains: TensorBoard, log.jsonl, a line of progress."""

import contextlib
import json
import math
import os
import sys
import time

import numpy as np
import tensorflow as tf
import tqdm

from compare_gan.utils import write_text

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
        write_text(model_dir, _LOG, "".join(json.dumps(row) + "\n" for row in rows))

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


class Progress:
    """One line of progress: a tqdm bar on a terminal, otherwise a line at most every 10 s."""

    _SECONDS_BETWEEN_LINES = 10.0

    def __init__(self, first_step: int, last_step: int):
        self._last_step = last_step
        self._start = (time.monotonic(), first_step)
        self._last_line = -math.inf
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=last_step, initial=first_step, unit="step", dynamic_ncols=True
            )

    def update(self, step: int, images_per_second: float, values: dict[str, float]) -> None:
        """Tells the step reached, the speed and the two losses."""
        losses = (
            f"D {values['loss/discriminator']:.3f}, G {values['loss/generator']:.3f}, "
            f"{images_per_second:.0f} images/s"
        )
        if self._bar is not None:
            self._bar.set_postfix_str(losses, refresh=False)
            self._bar.update(step - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last_line < self._SECONDS_BETWEEN_LINES and step < self._last_step:
            return
        self._last_line = now
        started, first_step = self._start
        left = (now - started) / max(step - first_step, 1) * (self._last_step - step)
        print(
            f"step {step}/{self._last_step}: {losses}, {_duration(left)} left",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Ends the line."""
        if self._bar is not None:
            self._bar.close()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
