"""Scalars and pictures of a run: TensorBoard, log.jsonl, trackers."""

import contextlib
import json
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compare_gan import damaged, files

if TYPE_CHECKING:
    from compare_gan.training.tensorboard_events import EventWriter
    from compare_gan.training.trackers.run_trackers import RunTrackers

_log = logging.getLogger(__name__)


class Summaries:
    """Writes scalars and pictures of a run to TensorBoard and trackers, scalars also to a log.

    The log has one line of JSON for each call of the compiled loop: step, images per second, and
    the mean of each value over the steps of the call. Where the package `tensorboard` is not
    installed, which a warning says, there is the log alone.

    Args:
      log: Path of the log.
      tensorboard: Folder of the TensorBoard events.
      first_step: Step at which the run begins or resumes. Lines of later steps, which a killed
        process wrote after its last checkpoint, are removed from the log. A damaged log is set
        aside and continued with the lines that can be read.
      trackers: The trackers of the run; None = none.
    """

    def __init__(
        self,
        log: str,
        tensorboard: str,
        first_step: int = 0,
        trackers: "RunTrackers | None" = None,
    ):
        self._trackers = trackers
        self._log = log
        self._events = _event_writer(tensorboard)
        lines = damaged.read_lines(log, _parse)
        if lines.reason:
            damaged.set_aside(log, lines.reason, "the other lines stay", keep=True)
        kept = zip(lines.rows, lines.texts, strict=True)
        texts = [text for row, text in kept if row["step"] <= first_step]
        files.write_text(log, "".join(f"{text}\n" for text in texts))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes scalars of one step; values that are not finite become null in log.jsonl."""
        if self._events:
            self._events.scalars(step, values)
            self._events.flush()  # TensorBoard follows the run as closely as the log does.
        row = {"step": step} | {
            name: float(value) if math.isfinite(value) else None for name, value in values.items()
        }
        with files.errors_named(self._log), open(self._log, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if self._trackers:
            self._trackers.values(step, values)

    def text(self, name: str, content: str) -> None:
        """Shows a text (the config) in TensorBoard."""
        if self._events:
            self._events.text(0, name, f"```\n{content}\n```")

    def monitors(self, step: int, values: dict[str, float], warnings: list[str]) -> None:
        """Shows values of monitors in TensorBoard and trackers; there also warnings in words."""
        if self._events:
            self._events.scalars(step, {f"monitors/{name}": v for name, v in values.items()})
            if warnings:
                self._events.text(step, "warnings", "\n".join(f"- {each}" for each in warnings))
            self._events.flush()
        if self._trackers:
            self._trackers.values(step, values, prefix="monitors/")

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Shows a picture, encoded as PNG, in TensorBoard and trackers."""
        if self._events:
            self._events.picture(step, name, png)
        if self._trackers:
            self._trackers.picture(step, name, png)

    def read(self) -> list[dict[str, Any]]:
        """The rows of the log, oldest first."""
        return read_log(self._log)

    def close(self) -> None:
        """Ends the file of TensorBoard's events; the log is on disk already."""
        if self._events:
            self._events.close()


def _event_writer(folder: str) -> "EventWriter | None":
    try:
        from compare_gan.training.tensorboard_events import EventWriter
    except ModuleNotFoundError as error:
        _log.warning(
            "The run writes no events for TensorBoard, because the package '%s' is not installed: "
            "its scalars are in log.jsonl.",
            error.name,
        )
        return None
    return EventWriter(folder)


def record_scores(folder: str, step: int, scores: Mapping[str, float]) -> None:
    """Shows the scores of one checkpoint in TensorBoard, if the package `tensorboard` is installed.

    Args:
      folder: Folder of events of its own: TensorBoard does not go back to the file of a training
        that goes on meanwhile.
      step: Step of the checkpoint.
      scores: Scores by name.
    """
    with contextlib.suppress(ModuleNotFoundError):  # The training has warned.
        from compare_gan.training.tensorboard_events import EventWriter

        events = EventWriter(folder)
        events.scalars(step, {f"score/{name}": value for name, value in scores.items()})
        events.close()


def read_log(path: str) -> list[dict[str, Any]]:
    """The rows of `log.jsonl`, oldest first; lines that cannot be read are left out."""
    lines = damaged.read_lines(path, _parse)
    lines.warn(path)
    return lines.rows


def _parse(line: str, name: str) -> dict[str, Any]:
    row = damaged.parse_object(line, name)
    if not isinstance(row["step"], int):
        raise TypeError(f"{name} has no step")
    return row
