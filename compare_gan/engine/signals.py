"""Signals that end a training after the running steps, not in the middle of one."""

import contextlib
import logging
import signal
import types
from collections.abc import Callable

from compare_gan import interruption

_log = logging.getLogger(__name__)

_NOTICE = "a checkpoint is saved after the running steps; a second signal ends the command at once"


class DelayedSignals:
    """A context in which the first signal is only noted; a second one interrupts.

    The signals are SIGHUP, SIGINT, SIGTERM and SIGUSR1, unless they are ignored (as SIGHUP under
    `nohup`). In a command the second one ends the process at once; elsewhere it raises
    KeyboardInterrupt as soon as native code returns. Repetitions within a second, and SIGHUP, are
    no second signal.

    Args:
      lost: Returns what a second signal loses.

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

    def __init__(self, lost: Callable[[], str] = str):
        self._lost = lost

    def __enter__(self) -> "DelayedSignals":
        self.received = False
        self._is_second = interruption.SecondSignal()
        self._stack = contextlib.ExitStack()
        self._watched = self._stack.enter_context(interruption.delayed(_NOTICE, self._lost))
        self._stack.callback(interruption.restore, interruption.install(self._note))
        return self

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        if self._is_second(number):
            self._stack.close()
            raise KeyboardInterrupt(self._lost())
        if not self.received and not self._watched:
            _log.warning("Received %s: %s.", signal.Signals(number).name, _NOTICE)
        self.received = True

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()
