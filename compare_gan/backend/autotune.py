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

ORIGINS = RECORDED, CACHED, MEASURED, RULE, DISTURBED = (
    "recorded",
    "cached",
    "measured",
    "by the fixed rule",
    "by the fixed rule because of other load on the machine",
)

# Measuring smaller convolutions takes longer than a better form could save.
_MIN_OPERATIONS = 1e9
# With fewer channels Winograd's algorithm, which takes seconds to compile, was slower everywhere.
_MIN_CHANNELS = 96
# At most this much work per thread is measured.
_MAX_OPERATIONS = 4e9
# The form that the fixed rule names is used unless another one takes so much less time. Ratios of
# two forms that are about equally fast differ by up to 8 % from one measurement to the next: noise
# must not decide.
_MARGIN = 0.1


@dataclasses.dataclass(frozen=True)
class Choice:
    """The form chosen for a convolution, and how it was chosen.

    Attributes:
      form: Name of the form, see `forms.forms_of`.
      origin: One of `ORIGINS`.
      seconds: Seconds of the forms by name, both gradients included; empty unless they were cached
        or measured.
      measured_as: The convolution that was measured: this one, or one with a smaller batch.
    """

    form: str
    origin: str
    seconds: Mapping[str, float]
    measured_as: Convolution


class Tuner:
    """Chooses forms of convolutions: recorded ones, otherwise the fastest.

    Once other programs have disturbed a measurement, nothing more is measured: the fixed rule
    applies to convolutions whose times are not cached.

    Args:
      recorded: Names of forms by convolution, as text, that were chosen before.
      times: The cache of measured times; None = that of the user.
      measure: Function that measures, and returns None if other programs disturbed it; None =
        `form_times.measure`.
      by_rule: Whether the fixed rule applies to whatever is not recorded.

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
        measure: Callable[[Convolution, Sequence[str]], dict[str, float] | None] | None = None,
        by_rule: bool = False,
    ):
        self._recorded = dict(recorded or {})
        self._times = form_times.FormTimes() if times is None else times
        self._measure = measure or form_times.measure
        self._is_by_rule = by_rule
        self._is_disturbed = False
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
        rule = fixed_form(convolution)
        if self._is_by_rule:
            return Choice(rule, RULE, {}, convolution)
        smaller = _with_smaller_batch(convolution)
        seconds, origin = self._times.of(smaller, names), CACHED
        if seconds is None:
            if tf.config.functions_run_eagerly():  # As nothing in a compiled step does.
                return None
            seconds, origin = self._measured(smaller, names), MEASURED
        if seconds is None:
            return Choice(rule, DISTURBED, {}, convolution)
        return Choice(fastest(seconds, rule), origin, seconds, smaller)

    def _measured(self, convolution: Convolution, names: Sequence[str]) -> dict[str, float] | None:
        """The seconds of forms, which are cached; None if other programs disturb measurements."""
        if self._is_disturbed:
            return None
        started = time.perf_counter()
        seconds = self._measure(convolution, names)
        self.seconds += time.perf_counter() - started
        if seconds is None:
            self._is_disturbed = True
        else:
            self._times.add(convolution, seconds)
        return seconds

    @property
    def forms(self) -> dict[str, str]:
        """The names of the chosen forms by convolution, as text: what a run records."""
        return {str(convolution): choice.form for convolution, choice in self.choices.items()}

    def __str__(self) -> str:
        """The choices in a sentence: where they came from, and how many differ from the rule."""
        origins = [choice.origin for choice in self.choices.values()]
        parts = [f"{count} {origin}" for origin in ORIGINS if (count := origins.count(origin))]
        changed = sum(
            choice.form != fixed_form(convolution) for convolution, choice in self.choices.items()
        )
        return (
            f"Forms of large convolutions: {', '.join(parts) or 'none'}, in "
            f"{self.seconds:.1f} s; {changed} {'differs' if changed == 1 else 'differ'} from the "
            "fixed rule."
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
    while batch > 1 and operations > _MAX_OPERATIONS * form_times.num_threads():
        batch, operations = batch // 2, operations // 2
    return dataclasses.replace(convolution, image=(batch, *image))
