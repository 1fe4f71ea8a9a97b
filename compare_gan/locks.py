"""Locks between processes, and which processes are alive."""

import contextlib
import fcntl
import logging
import os
import re
import socket
from collections.abc import Iterator

_log = logging.getLogger(__name__)

_HOST = re.sub(r"[^\w-]", "-", socket.gethostname())


@contextlib.contextmanager
def locked(path: str, waiting: str = "") -> Iterator[None]:
    """Lets one process at a time enter; others wait.

    The lock is advisory and is released when the process exits for any reason. Where the file
    system does not support locks, a warning is logged and nothing is locked.

    Args:
      path: File to lock; it is created if needed, and remains.
      waiting: A sentence to log before waiting.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import locks
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with locks.locked(os.path.join(folder, "lock")):
      ...         print("alone")
      alone
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        supported = True
        try:
            supported = lock_at_once(descriptor)
        except BlockingIOError:
            if waiting:
                _log.info("%s", waiting)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not supported:
            _log.warning("'%s' cannot be locked: let no other process write there.", path)
        yield
    finally:
        os.close(descriptor)  # Releases the lock.


def lock_at_once(descriptor: int) -> bool:
    """Locks an open file until it is closed or the process exits.

    The kernel releases the lock, so that it does not matter in which container a process runs. On
    NFS, the server holds it for all hosts, unless the disk is mounted with locks of each host only.

    Args:
      descriptor: Descriptor of a file that is open for writing.

    Returns:
      False if the file system does not support locks.

    Raises:
      BlockingIOError: Another process holds the lock.

    Example:
      >>> import tempfile
      >>> from compare_gan import locks
      >>> with tempfile.TemporaryFile() as file:
      ...     locks.lock_at_once(file.fileno())
      True
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        _log.debug("The file system does not support locks: %s.", error)
        return False
    return True


def host() -> str:
    """The name of this machine, as temporary files have it.

    Example:
      >>> from compare_gan import locks
      >>> type(locks.host()).__name__
      'str'
    """
    return _HOST


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists on this machine.

    Processes of other containers are not seen. Numbers that no process can have are not alive.

    Example:
      >>> import os
      >>> from compare_gan import locks
      >>> locks.is_alive(os.getpid())
      True
    """
    if pid < 1:  # `kill` would take it for a group of processes.
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # It is another user's.
        return True
    return True


def process_start(pid: int) -> str | None:
    """The start time of a process, in the unit of the system; None if it is not available.

    Example:
      >>> import os
      >>> from compare_gan import locks
      >>> locks.process_start(os.getpid()) == locks.process_start(os.getpid())
      True
    """
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may contain spaces: field 22 is the 20th after it.
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
