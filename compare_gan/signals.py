"""Signals that end a training after the running steps, not in the middle of one."""

import logging
import signal

_log = logging.getLogger(__name__)


class DelayedSignals:
    """Notes the first SIGINT or SIGTERM instead of dying of it; a second one interrupts.

    Attributes:
      received: Whether one has come.
    """

    def __enter__(self):
        self.received = False
        self._previous = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        except ValueError:  # Not in the main thread: signals stay as they are.
            pass
        return self

    def _note(self, number, frame):
        if self.received:
            self.__exit__()
            raise KeyboardInterrupt
        self.received = True
        _log.warning("Signal %d: ending after the running steps, with a checkpoint.", number)

    def __exit__(self, *exc_info):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
