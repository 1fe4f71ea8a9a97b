"""The form of each convolution by measurement: the fastest on this machine.

While a step is traced, each convolution that is large enough to matter is measured in all of its
forms (see `forms`), unless a run has recorded its form, or times of this machine are cached
(`form_times.FormTimes`).
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from compare_gan.backend import form_times, forms
from compare_gan.backend.forms import WINOGRAD, Convolution, fixed_form, forms_of
from compare_gan.startup import available_cores

ORIGINS = RECORDED, CACHED, MEASURED = "recorded", "cached", "measured"

# Convolutions with less work take less time together than it takes to measure them.
_MIN_OPERATIONS = 1e9
# With fewer channels Winograd's algorithm, which takes seconds to compile, was slower everywhere.
_MIN_CHANNELS = 96
# Measured are batches with this much work for each thread, at most: more takes longer and shows
# the same.
_MAX_OPERATIONS = 4e9
# The form that the fixed rule names is used unless another one takes so much less time. Ratios of
# two forms that are about equally fast differ by up to 8 % from one measurement to the next: noise
# must not decide.
_MARGIN = 0.1


@dataclasses.dataclass(frozen=True)
class Choice:
    """The form of a convolution, and why it has it.

    Attributes:
      form: Name of the form, see `forms.forms_of`.
      origin: `recorded` in a run, `cached` or `measured`.
      seconds: Seconds of the measured forms by name, both gradients included; empty if recorded.
      measured_as: The convolution that was measured: this one, or one with a smaller batch.
    """

    form: str
    origin: str
    seconds: Mapping[str, float]
    measured_as: Convolution


class Tuner:
    """Chooses forms of convolutions: recorded ones, otherwise the fastest.

    Args:
      recorded: Names of forms by convolution, as text, that were chosen before.
      times: The cache of measured times; None = that of the user.
      measure: Function that measures; None = `form_times.measure`.

    Attributes:
      choices: The choices until now.
      seconds: The time that measuring took, compiling included.

    Example:
      >>> import tempfile, os
      >>> from compare_gan.backend.autotune import Tuner
      >>> from compare_gan.backend.form_times import FormTimes
      >>> from compare_gan.backend.forms import Convolution
      >>> convolution = Convolution((64, 32, 32, 64), (1, 1, 64, 128), strides=1)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     tuner = Tuner(
      ...         times=FormTimes(os.path.join(folder, "times.json")),
      ...         measure=lambda convolution, names: {"direct": 2.0, "matmul": 1.0},
      ...     )
      ...     tuner(convolution), tuner.choices[convolution].origin
      ('matmul', 'measured')
    """

    def __init__(
        self,
        recorded: Mapping[str, str] | None = None,
        times: form_times.FormTimes | None = None,
        measure: Callable[[Convolution, Sequence[str]], dict[str, float]] | None = None,
    ):
        self._recorded = dict(recorded or {})
        self._times = form_times.FormTimes() if times is None else times
        self._measure = measure or form_times.measure
        self.choices: dict[Convolution, Choice] = {}
        self.seconds = 0.0

    def __call__(self, convolution: Convolution) -> str:
        """The name of the form of a convolution.

        Args:
          convolution: The convolution.
        """
        if convolution not in self.choices:
            choice = self._choose(convolution)
            if choice is None:
                return fixed_form(convolution)
            self.choices[convolution] = choice
        return self.choices[convolution].form

    def _choose(self, convolution: Convolution) -> Choice | None:
        """The choice; None for a convolution that is not worth measuring."""
        recorded = self._recorded.get(str(convolution))
        if recorded is not None and recorded in forms_of(convolution):
            return Choice(recorded, RECORDED, {}, convolution)
        names = _worth_measuring(convolution)
        if len(names) < 2:
            return None
        smaller = _with_smaller_batch(convolution)
        seconds, origin = self._times.of(smaller, names), CACHED
        if seconds is None:
            if tf.config.functions_run_eagerly():  # As nothing in a compiled step does.
                return None
            origin, started = MEASURED, time.perf_counter()
            seconds = self._measure(smaller, names)
            self.seconds += time.perf_counter() - started
            self._times.add(smaller, seconds)
        return Choice(fastest(seconds, fixed_form(convolution)), origin, seconds, smaller)

    @property
    def forms(self) -> dict[str, str]:
        """The names of the chosen forms by convolution, as text: what a run records."""
        return {str(convolution): choice.form for convolution, choice in self.choices.items()}

    def __str__(self) -> str:
        """A sentence about the choices: how they came about, and how many are not the rule's."""
        origins = [choice.origin for choice in self.choices.values()]
        parts = [f"{count} {origin}" for origin in ORIGINS if (count := origins.count(origin))]
        changed = sum(
            choice.form != fixed_form(convolution) for convolution, choice in self.choices.items()
        )
        return (
            f"Forms of large convolutions: {', '.join(parts) or 'none'}, in "
            f"{self.seconds:.1f} s; {changed} differ from the fixed rule."
        )


def fastest(seconds: Mapping[str, float], default: str) -> str:
    """The name of the form to use, given the seconds of each.

    Args:
      seconds: Seconds by name.
      default: Name of the form that is used unless another one takes at least 10 % less time.

    Example:
      >>> from compare_gan.backend.autotune import fastest
      >>> fastest({"direct": 1.0, "winograd": 0.92}, default="direct")
      'direct'
      >>> fastest({"direct": 1.0, "winograd": 0.88}, default="direct")
      'winograd'
    """
    name = min(seconds, key=lambda each: seconds[each])
    return name if seconds[name] < (1 - _MARGIN) * seconds[default] else default


def tuned_convolutions(tuner: Tuner | None = None) -> contextlib.AbstractContextManager[None]:
    """Context in which convolutions are traced in the forms that are fastest on this machine.

    Args:
      tuner: The choices; None = new ones, from the user's cache or measured.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.backend.autotune import tuned_convolutions
      >>> from compare_gan.layers import Conv2D
      >>> layer = tf.function(Conv2D(4, 3))
      >>> with tuned_convolutions():
      ...     tuple(layer(tf.ones((2, 8, 8, 3))).shape)
      (2, 8, 8, 4)
    """
    return forms.chosen_forms(Tuner() if tuner is None else tuner)


def _worth_measuring(convolution: Convolution) -> list[str]:
    """The names of the forms that may be the fastest, the direct one first."""
    if convolution.operations < _MIN_OPERATIONS:
        return []
    narrow = min(convolution.kernel[2:]) < _MIN_CHANNELS
    return [name for name in forms_of(convolution) if not (narrow and name == WINOGRAD)]


def _with_smaller_batch(convolution: Convolution) -> Convolution:
    """The convolution with its batch halved until it takes a short time."""
    batch, *image = convolution.image
    operations = convolution.operations
    while batch > 1 and operations > _MAX_OPERATIONS * available_cores():
        batch, operations = batch // 2, operations // 2
    return dataclasses.replace(convolution, image=(batch, *image))
