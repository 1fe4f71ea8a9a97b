"""Locks on the tasks of a study, which several processes may work on."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from compare_gan import locks


@contextlib.contextmanager
def claim(path: str) -> Iterator[int | None]:
    """Locks a file, unless another process holds its lock.

    The lock lasts as long as a process holds the descriptor, those that inherited it included.

    Args:
      path: The file; it is created if needed, and remains.

    Yields:
      The descriptor of the locked file; None if another process holds the lock.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.studies import task_locks
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "hinge-seed1")
      ...     with task_locks.claim(path) as first, task_locks.claim(path) as second:
      ...         print(first is None, second is None)
      False True
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            locks.lock_at_once(descriptor)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: str) -> bool:
    """Whether a process holds the lock of a file.

    Args:
      path: The file, which need not exist.

    Example:
      >>> from compare_gan.studies import task_locks
      >>> task_locks.is_held("no_such_file")
      False
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # The file system does not support locks.
        return False
    finally:
        os.close(descriptor)
    return False
