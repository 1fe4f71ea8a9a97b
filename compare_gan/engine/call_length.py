"""The length of the next call of the compiled loop, and the courses of those before."""

import numpy as np

# Signals are heard between calls, and progress is shown: a call may take about 5 s, also where
# steps take longer for a while.
_SECONDS = 3.0
_GROWTH = 10


class CallLength:
    """The number of steps of which a call of the compiled loop takes about three seconds.

    The first call, of one step, is not measured: it traces and compiles.

    Attributes:
      steps: The number of steps for the next call, at least 1.

    Example:
      >>> from compare_gan.engine.call_length import CallLength
      >>> length = CallLength()
      >>> for seconds in (60.0, 1.0, 3.0):
      ...     length.record(length.steps, seconds)
      >>> length.steps
      3
    """

    def __init__(self) -> None:
        self.steps = 1
        self._compiled = False

    def record(self, count: int, seconds: float) -> None:
        """Takes the duration of a call into account.

        Args:
          count: The number of its steps.
          seconds: Its duration.
        """
        if self._compiled:
            fitting = count * _SECONDS / max(seconds, 1e-6)
            # Few steps say little about many: they may be those that skip a penalty.
            self.steps = max(1, min(int(fitting), _GROWTH * count))
        self._compiled = True


class Courses:
    """The courses of several calls, one after the other.

    Example:
      >>> import numpy as np
      >>> from compare_gan.engine.call_length import Courses
      >>> courses = Courses()
      >>> courses.add({"loss": np.array([3.0, 2.0])}, seconds=1.0)
      >>> courses.add({"loss": np.array([1.0])}, seconds=0.5)
      >>> history, seconds = courses.take()
      >>> history["loss"].tolist(), seconds, bool(courses)
      ([3.0, 2.0, 1.0], 1.5, False)
    """

    def __init__(self) -> None:
        self._calls: list[dict[str, np.ndarray]] = []
        self._seconds = 0.0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, history: dict[str, np.ndarray], seconds: float) -> None:
        """Adds a call.

        Args:
          history: Each value's course, by name.
          seconds: The duration of the call.
        """
        self._calls.append(history)
        self._seconds += seconds

    def take(self) -> tuple[dict[str, np.ndarray], float]:
        """Each value's course over all calls, and their duration; they are then forgotten."""
        calls, seconds = self._calls, self._seconds
        self._calls, self._seconds = [], 0.0
        return {name: np.concatenate([call[name] for call in calls]) for name in calls[0]}, seconds
