"""Signals that end a command: heard at once, even while native code runs; the second one ends it.

Python calls handlers of signals only when native code has returned, which can take minutes. A
thread therefore reads the numbers of the signals as they come.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

# A closed terminal, Ctrl-C, an end that the system or its scheduler requests, Slurm's warning.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

EXIT_STATUS = 130

# Shells, `timeout` and launchers repeat a signal that the process has already had itself.
_SECONDS_OF_REPETITION = 1.0
_END = 0  # In the pipe: the watch is over.


class SecondSignal:
    """Decides which signal is a second one: Ctrl-C, or the first one again after a second.

    Not a terminal that goes, nor a scheduler's SIGTERM after its warning by SIGUSR1.

    Example:
      >>> import signal
      >>> from compare_gan.interruption import SecondSignal
      >>> second = SecondSignal()
      >>> second(signal.SIGINT), second(signal.SIGINT)
      (False, False)
    """

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def __call__(self, number: int) -> bool:
        """Whether this signal is to end everything at once."""
        now = time.monotonic()
        if self._first is None:
            self._first = number, now
            return False
        first, since = self._first
        wanted = number in (first, signal.SIGINT) and number != signal.SIGHUP
        return wanted and now - since >= _SECONDS_OF_REPETITION


class Watch:
    """A context of a whole command: the first signal interrupts it, the second one ends it at once.

    The first one raises KeyboardInterrupt in the main thread, unless `delayed` is active; a second
    one ends the process with status 130. Outside the main thread signals stay as they are, and so
    do those that are ignored: SIGHUP under `nohup`, SIGINT in the background jobs of a script.

    Example:
      >>> import os, signal
      >>> from compare_gan import interruption
      >>> try:
      ...     with interruption.Watch():
      ...         os.kill(os.getpid(), signal.SIGTERM)
      ... except KeyboardInterrupt:
      ...     print("interrupted")
      interrupted
    """

    active: "Watch | None" = None

    def __init__(self) -> None:
        self.notice = "ending; a second signal ends the command at once"
        self.lost: Callable[[], str] = str
        self.at_once = False
        self._raised = False
        self._heard_any = False
        self._is_second = SecondSignal()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Watch":
        self._previous = install(self._handle)
        if self._previous:
            reader, self._writer = os.pipe()
            os.set_blocking(self._writer, False)
            self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._thread = threading.Thread(
                target=self._listen, args=(reader,), name="signals", daemon=True
            )
            self._thread.start()
            self._outer, Watch.active = Watch.active, self
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self._previous:
            return
        Watch.active = self._outer
        restore(self._previous)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._writer, bytes([_END]))
        self._thread.join()
        os.close(self._writer)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if not self._raised:  # A second one would interrupt what the first one has begun to end.
            self._raised = True
            raise KeyboardInterrupt

    def _listen(self, reader: int) -> None:
        """Reads the numbers of signals that the interpreter writes when they come."""
        with open(reader, "rb", buffering=0) as numbers:
            while (byte := numbers.read(1)) and byte[0] != _END:
                if byte[0] in self._previous:
                    self._hear(byte[0])

    def _hear(self, number: int) -> None:
        second = self._is_second(number)
        if second or self.at_once:
            _exit_soon(EXIT_STATUS)  # Even if looking for what is lost takes for ever.
            try:
                lost = self.lost()
            except Exception:
                lost = "any steps after the last checkpoint are lost"
            end_at_once(f"Interrupted: {lost}." if lost else "Interrupted.")
        elif not self._heard_any:
            self._heard_any = True
            _say(f"Received {signal.Signals(number).name}: {self.notice}.")


@contextlib.contextmanager
def delayed(notice: str, lost: Callable[[], str]) -> Iterator[bool]:
    """A context in which a command ends later than usual, and loses more at a second signal.

    Args:
      notice: Says what the first signal leads to.
      lost: Returns what a second signal loses.

    Returns:
      Whether a command is watched; otherwise nothing changes.

    Example:
      >>> from compare_gan import interruption
      >>> with interruption.delayed("saving", lambda: "a step is lost") as watched:
      ...     print(watched)
      False
    """
    watch = Watch.active
    if watch is None:
        yield False
        return
    before = watch.notice, watch.lost
    watch.notice, watch.lost = notice, lost
    try:
        yield True
    finally:
        watch.notice, watch.lost = before


@contextlib.contextmanager
def ends_at_once(text: str) -> Iterator[None]:
    """A context of a call that signals cannot interrupt: the first one ends a watched command.

    Args:
      text: Says what was interrupted; nothing may be lost by it.

    Example:
      >>> from compare_gan import interruption
      >>> with interruption.ends_at_once("while waiting for the others"):
      ...     pass
    """
    with delayed("ending", lambda: text):
        watch = Watch.active
        if watch is not None:
            watch.at_once = True
        try:
            yield
        finally:
            if watch is not None:
                watch.at_once = False


def install(handler: Callable[[int, types.FrameType | None], None]) -> dict[int, Any]:
    """Installs a handler of all signals that end a command; returns those before.

    None is installed outside the main thread, nor for signals that are ignored: `nohup` and shells
    ignore some for the programs that they start.

    Args:
      handler: Handler as `signal.signal` takes it.

    Example:
      >>> from compare_gan import interruption
      >>> before = interruption.install(lambda number, frame: None)
      >>> interruption.restore(before)
    """
    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                previous[number] = signal.signal(number, handler)
    return previous


def restore(previous: dict[int, Any]) -> None:
    """Undoes `install`.

    Args:
      previous: The handlers that it returned.

    Example:
      >>> from compare_gan import interruption
      >>> interruption.restore({})
    """
    for number, handler in previous.items():
        # None: the handler was not installed from Python.
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def end_at_once(sentence: str, status: int = EXIT_STATUS) -> None:
    """Ends the process without any cleaning up, from whatever thread.

    Args:
      sentence: The last words.
      status: Exit status.
    """
    _exit_soon(status)  # Even if standard error blocks, as a stopped terminal does.
    _say(sentence)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(status)


def _exit_soon(status: int) -> None:
    timer = threading.Timer(1.0, os._exit, (status,))
    timer.daemon = True
    timer.start()


def _say(sentence: str) -> None:
    with contextlib.suppress(Exception):
        print(sentence, file=sys.stderr, flush=True)
