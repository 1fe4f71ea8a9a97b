import gc
import threading
import time

import pytest

from compare_gan.datasets.prefetching import Prefetched


class _Recorder:
    """Counts up to `last`, and records what was asked for and whether it was closed."""

    def __init__(self, last=10**9):
        self.made = 0
        self.closed = threading.Event()
        self._last = last

    def __iter__(self):
        return self

    def __next__(self):
        if self.made == self._last:
            raise StopIteration
        self.made += 1
        return self.made

    def close(self):
        self.closed.set()


def _wait_until(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_the_elements_come_in_order_and_end():
    prefetched = Prefetched(iter(range(50)))
    assert list(prefetched) == list(range(50))
    assert list(prefetched) == []


def test_two_elements_are_computed_in_advance():
    elements = _Recorder()
    prefetched = Prefetched(elements)
    _wait_until(lambda: elements.made == 2)
    assert next(prefetched) == 1
    _wait_until(lambda: elements.made == 3)
    time.sleep(0.02)
    assert elements.made == 3
    prefetched.close()


def test_an_error_is_raised_in_its_place():
    def failing():
        yield 1
        raise KeyError("lost")

    prefetched = Prefetched(failing())
    assert next(prefetched) == 1
    with pytest.raises(KeyError, match="lost"):
        next(prefetched)
    with pytest.raises(StopIteration):
        next(prefetched)


def test_closing_ends_the_thread_and_closes_the_elements():
    elements = _Recorder()
    prefetched = Prefetched(elements)
    next(prefetched)
    prefetched.close()
    prefetched.close()
    assert elements.closed.is_set() and not prefetched._thread.is_alive()
    with pytest.raises(StopIteration):
        next(prefetched)


def test_the_thread_ends_when_the_iterator_is_forgotten():
    elements = _Recorder()
    prefetched = Prefetched(elements)
    next(prefetched)
    thread = prefetched._thread
    del prefetched
    gc.collect()
    thread.join(300)
    assert elements.closed.is_set() and not thread.is_alive()


def test_the_end_of_the_elements_ends_the_thread():
    prefetched = Prefetched(elements := _Recorder(last=3))
    assert list(prefetched) == [1, 2, 3]
    assert elements.closed.wait(300)
