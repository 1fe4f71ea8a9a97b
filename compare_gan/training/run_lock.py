"""A lock on the directory of a run: one process trains there, any number may read."""

import _thread
import contextlib
import json
import logging
import os
import signal
import tempfile
import threading
import time
from typing import Any

from compare_gan import locks
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_VERSION = 1
_BEAT_SECONDS = 20.0
_STALE_SECONDS = 180.0
_MOST_BYTES = 10_000  # Of a lock file; longer ones are damaged.


class RunLock:
    """Lock of the process that trains in a directory: a file that it keeps locked (`flock`).

    A context manager that may be entered again while it is held; the end of the outermost context
    releases it and removes the file. The file names the host and the process, for the message to
    others.

    The kernel releases the lock of a process that was killed, so it is taken over at once. Some
    shared disks hold locks for each host only: the lock of another host therefore also counts
    until the file has not been touched for three minutes; a living process touches it every 20
    seconds. Hosts that share a disk need different names. On a file system without `flock`, a lock
    of the same host counts while a process with the recorded number and start time exists.

    A process may lose the lock: its file is removed or replaced, or the directory is removed or
    renamed. It is interrupted then, as by Ctrl-C, and `check`, which precedes everything that it
    writes, raises an error, so that it writes nothing into the run of another process.

    Args:
      path: Path of the file; its folder is created if needed.

    Raises:
      UserError: On entering, if another process holds the lock, or the file cannot be read.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.run_lock import RunLock
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "training.lock")
      ...     with RunLock(path):
      ...         print(os.listdir(folder))
      ...     print(os.listdir(folder))
      ['training.lock']
      []
    """

    def __init__(self, path: str):
        self._path = path
        self._depth = 0

    def __enter__(self) -> "RunLock":
        if not self._depth:
            self._acquire()
        self._depth += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._release()

    @property
    def seems_held(self) -> bool:
        """Whether some process seems to train here; looks at the file without locking it."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                other = _parsed(file.read(10_000))
            age = time.time() - os.path.getmtime(self._path)
        except OSError:
            return False
        pid = other.get("pid")
        if other.get("host") != locks.host() or type(pid) is not int:
            return age < _STALE_SECONDS
        return locks.is_alive(pid) and other.get("process_started") == locks.process_start(pid)

    def check(self) -> None:
        """Raises UserError if this process has lost the lock."""
        with contextlib.suppress(OSError):  # It cannot be known.
            if self._depth and not self._is_mine():
                raise UserError(
                    f"'{self._path}' was removed or replaced while this process was training "
                    "there: it ends without saving, because another may have started."
                )

    def _acquire(self) -> None:
        folder = os.path.dirname(self._path)
        self._made = not os.path.isdir(folder)
        self._descriptor, supported = self._open()
        try:
            text = os.pread(self._descriptor, _MOST_BYTES, 0).decode(errors="replace")
            other = _parsed(text)
            if other and _is_held(other, self._descriptor, folder, supported):
                raise UserError(self._refusal(other, locked=False))
            if other:
                _log.info(
                    "Process %s on %s, which trained here, was killed: its lock is taken over.",
                    other.get("pid"),
                    other.get("host"),
                )
            self._text = json.dumps(
                {
                    "version": _VERSION,
                    "host": locks.host(),
                    "pid": os.getpid(),
                    "process_started": locks.process_start(os.getpid()),
                    "time": time.strftime("%Y-%m-%d %H:%M:%S"),
                }
            )
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, self._text.encode(), 0)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._ended = threading.Event()
        threading.Thread(
            target=self._touch, args=(self._ended,), name="run lock", daemon=True
        ).start()

    def _open(self) -> tuple[int, bool]:
        """Opens and locks the file; returns its descriptor and whether it could be locked."""
        while True:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:  # The process before removed the folder again.
                continue
            except PermissionError as error:
                if not os.path.exists(self._path):
                    raise
                raise UserError(
                    f"'{self._path}' cannot be opened ({error.strerror}), so another user may be "
                    "training there: choose another --model_dir, or delete that file if nobody is."
                ) from error
            try:
                supported = locks.lock_at_once(descriptor)
                # The process before may have removed the file after it was opened here.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                        return descriptor, supported
            except BlockingIOError:
                text = os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace")
                os.close(descriptor)
                raise UserError(self._refusal(_parsed(text), locked=True)) from None
            os.close(descriptor)

    def _release(self) -> None:
        self._ended.set()
        # Removed before it is unlocked: nobody can have locked it meanwhile.
        with contextlib.suppress(OSError):
            if self._is_mine():
                os.remove(self._path)
                if self._made:  # If nothing was written there.
                    os.rmdir(os.path.dirname(self._path))
        os.close(self._descriptor)

    def _refusal(self, other: dict[str, Any], locked: bool) -> str:
        """One sentence; `locked` means that the other process is known to be alive."""
        who = "another process"
        if other:
            who = f"process {other.get('pid')} on {other.get('host')}"
        since = f" since {other['time']}" if "time" in other else ""
        sentence = (
            f"'{os.path.dirname(self._path)}' is in use: {who} has been training there{since}; "
            "wait until it ends or choose another --model_dir"
        )
        start_unknown = other.get("process_started") is None
        if not locked and (other.get("host") != locks.host() or start_unknown):
            sentence += f", or delete {os.path.basename(self._path)} there if that process is gone"
        return f"{sentence}."

    def _touch(self, ended: threading.Event) -> None:
        while not ended.wait(_BEAT_SECONDS):
            with contextlib.suppress(OSError):
                if self._is_mine():
                    os.utime(self._path)
                elif not ended.is_set():
                    _log.error(
                        "'%s' was removed or replaced while this process was training there: "
                        "the training ends, as another process may have begun.",
                        self._path,
                    )
                    # As a signal: after the running steps, where `check` raises its error.
                    # An ignored signal would have no effect, and shells ignore SIGINT in
                    # background jobs.
                    for number in (signal.SIGINT, signal.SIGTERM):
                        if callable(signal.getsignal(number)):
                            _thread.interrupt_main(number)
                            return
                    return

    def _is_mine(self) -> bool:
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return file.read() == self._text
        except (FileNotFoundError, NotADirectoryError):
            return False


def is_held(path: str) -> bool:
    """Whether a process trains in the directory of a lock, see `RunLock`; changes nothing.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.run_lock import RunLock, is_held
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "training.lock")
      ...     with RunLock(path):
      ...         inside = is_held(path)
      ...     inside, is_held(path)
      (True, False)
    """
    try:
        with open(path, "rb") as file:
            other = _parsed(file.read(_MOST_BYTES).decode(errors="replace"))
            # It is not locked for that: a process that begins to train would be refused.
            return bool(other) and _is_held(other, file.fileno(), os.path.dirname(path), False)
    except OSError:
        return False


def _is_held(other: dict[str, Any], descriptor: int, folder: str, supported: bool) -> bool:
    """Whether the process that a file names still holds its lock, if the file is not locked."""
    if other.get("host") != locks.host():
        return _age(descriptor, folder) < _STALE_SECONDS
    pid = other.get("pid")
    if supported or type(pid) is not int or not locks.is_alive(pid):
        return False
    # The process may have died, and the number may have been reused.
    return other.get("process_started") == locks.process_start(pid)


def _age(descriptor: int, folder: str) -> float:
    """Seconds since a file was touched, by the clock of the file system of its folder."""
    with tempfile.TemporaryFile(dir=folder) as now:
        return os.fstat(now.fileno()).st_mtime - os.fstat(descriptor).st_mtime


def _parsed(text: str) -> dict[str, Any]:
    """The content of a lock file; empty if it is damaged."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
