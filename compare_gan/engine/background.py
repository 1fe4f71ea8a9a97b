"""Work in the background: one job at a time, and no error is lost."""

import atexit
import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Background:
    """Runs one job at a time in a thread of its own.

    The process does not exit before the running job has finished. An error that no call has raised
    until then is logged.

    Args:
      name: Name of the threads.
    """

    def __init__(self, name: str):
        self._name = name
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Waits for the job before, and starts this one.

        Raises:
          Exception: The job before raised it.
        """
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(job,), name=self._name)
        self._thread.start()

    def wait(self) -> None:
        """Waits for the running job; without one does nothing.

        Raises:
          Exception: The job raised it.
        """
        if self._thread is None:
            return
        self._thread.join()  # If a signal interrupts this, the next call waits on.
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            atexit.unregister(self._report)
            raise error

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            self._error = error
            # Python joins its threads before it calls this; until then it keeps `self` alive.
            atexit.register(self._report)

    def _report(self) -> None:
        _log.error("The work '%s' in the background has failed.", self._name, exc_info=self._error)
