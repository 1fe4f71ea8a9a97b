"""Native code that no signal interrupts, for processes that tests start: `from deaf import wait`.

The length of a computation would depend on the machine; this takes as long as the test wants.
"""

import ctypes
import sys
import threading
import time

_libc = ctypes.CDLL(None)
_meet_at = _libc.pthread_barrier_wait


def wait(word: str = "ready") -> None:
    """Waits in native code for a line on standard input; prints a word as soon as it does."""
    # Threads that wait at a barrier wait on after a handler of a signal, unlike those that read.
    barrier = ctypes.create_string_buffer(128)  # At least the size of a `pthread_barrier_t`.
    _libc.pthread_barrier_init(barrier, None, 2)
    threading.Thread(target=_release, args=(barrier, word), daemon=True).start()
    _wait_at(barrier)


def _wait_at(barrier: ctypes.Array) -> None:
    _meet_at(barrier)


def _release(barrier: ctypes.Array, word: str) -> None:
    main = threading.main_thread().ident
    # While another thread runs Python, one that is at this line is inside of the native call.
    while (frame := sys._current_frames()[main]).f_code is not _wait_at.__code__ or _begins(frame):
        time.sleep(0.001)
    print(word, flush=True)
    if sys.stdin.readline():
        _meet_at(barrier)


def _begins(frame) -> bool:
    """Whether the function has not got to its line yet."""
    return frame.f_lineno == frame.f_code.co_firstlineno
