"""Signals that end a training after the running steps, not in the middle of one."""

import logging
import signal
import types
from typing import Any

_log = logging.getLogger(__name__)


class DelayedSignals:
    """A context in which the first SIGINT or SIGTERM is only noted; a second one interrupts.

    Attributes:
      received: Whether a signal has come.

    Example:
      >>> import os, signal
      >>> from compare_gan import engine
      >>> with engine.DelayedSignals() as signals:
      ...     os.kill(os.getpid(), signal.SIGTERM)
      ...     print("still running")
      still running
      >>> signals.received
      True
    """

    def __enter__(self) -> "DelayedSignals":
        self.received = False
        self._previous: dict[int, Any] = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        except ValueError:  # Not in the main thread: signals stay as they are.
            pass
        return self

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        if self.received:
            self.__exit__()
            raise KeyboardInterrupt
        self.received = True
        _log.warning(
            "Received %s; stopping after the current steps and saving a checkpoint.",
            signal.Signals(number).name,
        )

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
