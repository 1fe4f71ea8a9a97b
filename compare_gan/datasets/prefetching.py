"""Elements computed ahead of their use, by a thread in the background."""

import queue
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

_Element = TypeVar("_Element")


class Prefetched(Generic[_Element]):
    """An iterator whose next elements are computed by a thread while the current one is used.

    An error of the inner iterator is raised in the place of its element. The thread ends with the
    elements, or when this iterator is closed or garbage-collected.

    Example:
      >>> from compare_gan.datasets.prefetching import Prefetched
      >>> list(Prefetched(iter([1, 2, 3])))
      [1, 2, 3]

    Args:
      elements: The elements; nothing else may take them.
      ahead: Number of elements that are computed in advance.
    """

    def __init__(self, elements: Iterator[_Element], ahead: int = 2):
        # The thread must not refer to this object, which otherwise would never be collected.
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._ended = False
        stopped = threading.Event()
        arguments = elements, self._results, self._room, stopped
        self._thread = threading.Thread(
            target=_compute, args=arguments, name="prefetch", daemon=True
        )
        self._stop = weakref.finalize(self, _stop, self._room, stopped)
        self._thread.start()

    def __iter__(self) -> Iterator[_Element]:
        return self

    def __next__(self) -> _Element:
        if self._ended:
            raise StopIteration
        value, error = self._results.get()
        self._room.release()
        if error is None:
            return value
        self._ended = True
        raise error

    def close(self) -> None:
        """Ends the thread, once it has computed its current element."""
        self._ended = True
        self._stop()
        self._thread.join()


def _compute(
    elements: Iterator[Any],
    results: queue.SimpleQueue,
    room: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    """Puts pairs of an element and an error, one of which is None; the error also ends it."""
    try:
        while True:
            room.acquire()
            if stopped.is_set():
                break
            results.put((next(elements), None))
    except BaseException as error:  # StopIteration, too.
        results.put((None, error))
    finally:
        close = getattr(elements, "close", None)
        if close is not None:
            close()


def _stop(room: threading.Semaphore, stopped: threading.Event) -> None:
    stopped.set()
    room.release()
