"""A lock on the directory of a run: one process trains there, any number may read."""

import contextlib
import logging
import os
import tempfile
import threading
import time
from typing import Any

from compare_gan import files
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_VERSION = 1
_BEAT_SECONDS = 20.0
_STALE_SECONDS = 180.0


class RunLock:
    """Lock of the process that trains in a directory: a file with its host and process number.

    A context manager that may be entered again while it is held; the end of the outermost context
    releases it. The lock of a process that was killed is taken over:

    *   on the same host, if no process has its number, or one that started at another time;
    *   on another host, if the file has not been touched for three minutes: a living process
        touches it every 20 seconds.

    Args:
      path: Path of the file; its folder is created if needed.

    Raises:
      UserError: On entering, if another process holds the lock.

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
        self._ended = threading.Event()

    def __enter__(self) -> "RunLock":
        if not self._depth:
            self._acquire()
        self._depth += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._release()

    def _acquire(self) -> None:
        folder = os.path.dirname(self._path)
        self._made = not os.path.isdir(folder)
        os.makedirs(folder, exist_ok=True)
        self._mine = {
            "version": _VERSION,
            "host": files.host(),
            "pid": os.getpid(),
            "process_started": _process_start(os.getpid()),
            "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        # Only one of two processes that find the lock free at the same time may take it.
        with files.locked(self._path, folder=True):
            other = self._read()
            if other is not None and self._is_held(other):
                raise UserError(self._refusal(other))
            if other is not None:
                _log.info(
                    "Process %s on %s, which trained here, was killed: its lock is taken over.",
                    other.get("pid"),
                    other.get("host"),
                )
            files.write_json(self._path, self._mine)
        self._ended.clear()
        threading.Thread(target=self._touch, name="run lock", daemon=True).start()

    def _release(self) -> None:
        self._ended.set()
        if self._read() == self._mine:
            with contextlib.suppress(OSError):
                os.remove(self._path)
                if self._made:  # If nothing was written there.
                    os.rmdir(os.path.dirname(self._path))

    def _read(self) -> dict[str, Any] | None:
        """The content of the file; None if it does not exist or cannot be read."""
        try:
            content = files.read_json(self._path)
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _is_held(self, other: dict[str, Any]) -> bool:
        if other.get("host") != files.host():
            return self._age() < _STALE_SECONDS
        pid = other.get("pid")
        if not isinstance(pid, int) or not files.is_alive(pid):
            return False
        # Another process may have got the number since.
        return other.get("process_started") == _process_start(pid)

    def _age(self) -> float:
        """Seconds since the file was touched, by the clock of the file system."""
        with tempfile.TemporaryFile(dir=os.path.dirname(self._path)) as now:
            return os.fstat(now.fileno()).st_mtime - os.stat(self._path).st_mtime

    def _refusal(self, other: dict[str, Any]) -> str:
        sentence = (
            f"'{os.path.dirname(self._path)}' is in use: process {other.get('pid')} on "
            f"{other.get('host')} has been training there since {other.get('time')}; wait until "
            "it ends or choose another --model_dir"
        )
        if other.get("host") != files.host():
            sentence += f", or delete {os.path.basename(self._path)} there if that process is gone"
        return f"{sentence}."

    def _touch(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._path)


def _process_start(pid: int) -> str | None:
    """The start time of a process, in the unit of the system; None if it is not available."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may contain spaces: field 22 is the 20th after it.
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
