"""The forms in which a training computes its convolutions: how they are chosen, recorded and reused
on resuming.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional

import keras

from compare_gan import engine
from compare_gan.backend import on_cpu
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import RunConfig

if TYPE_CHECKING:  # They import TensorFlow.
    from compare_gan.backend.autotune import Tuner
    from compare_gan.backend.forms import Convolution

_log = logging.getLogger(__name__)


class ConvolutionForms:
    """The forms of the convolutions of a training, see `backend.forms`.

    They are measured, or those that the run has recorded. A run that has been trained without a
    record was begun by the fixed rule, and goes on with it.

    Args:
      run_config: The options `winograd`, `autotune`, `deterministic` and `jit_compile` decide.
      several_hosts: Whether several hosts train together. On several hosts the fixed rule applies,
        because each host would measure different times.
      run: The directory of the run; None = none was named.
      records: Whether to record new choices.
      stages: The time of measuring is recorded here; None = nowhere.

    Example:
      >>> from compare_gan.training.convolution_forms import ConvolutionForms
      >>> from compare_gan.training.run_options import RunConfig
      >>> forms = ConvolutionForms(RunConfig(autotune=False))
      >>> forms.tuner is None
      True
      >>> with forms.active():
      ...     pass  # Trace a step.
    """

    def __init__(
        self,
        run_config: RunConfig,
        several_hosts: bool = False,
        run: RunDir | None = None,
        records: bool = False,
        stages: engine.Stages | None = None,
    ):
        possible = keras.backend.backend() == "tensorflow"
        on_cpu_without_xla = on_cpu() and not run_config.jit_compile
        wanted = on_cpu_without_xla if run_config.winograd is None else run_config.winograd
        autotune = run_config.autotune
        if autotune is None:
            autotune = not run_config.deterministic
        self._is_enabled = possible and wanted  # Forms other than the direct one may be used.
        self._is_tuned = self._is_enabled and on_cpu_without_xla and autotune and not several_hosts
        self._run = run
        self._is_recorded = records and run is not None
        self._stages = stages or engine.Stages()
        self._known = 0  # Choices that have been logged and recorded.

    @functools.cached_property
    def tuner(self) -> Optional["Tuner"]:
        """The recorded and measured choices; None if the fixed rule applies to everything.

        Raises:
          UserError: A newer version of this library wrote the record.
        """
        if not self._is_tuned:
            return None
        from compare_gan.backend.autotune import Tuner

        if self._run is None:
            return Tuner(measure=self._measure)
        recorded = self._run.convolutions.read()
        # The first call of the loop records the forms before a checkpoint of its steps is saved.
        is_trained = any(engine.step_of(path) for path in self._run.list_checkpoints())
        return Tuner(recorded, measure=self._measure, by_rule=is_trained and not recorded)

    def _measure(self, convolution: "Convolution", names: Sequence[str]) -> dict[str, float] | None:
        from compare_gan.backend import form_times

        with self._stages.stage("convolutions", "Measuring a convolution"):
            return form_times.measure(convolution, names)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Context in which the step is traced; its choices are logged and recorded at the end."""
        if not self._is_enabled:
            yield
            return
        from compare_gan.backend.autotune import tuned_convolutions
        from compare_gan.backend.forms import winograd_convolutions

        with tuned_convolutions(self.tuner) if self.tuner else winograd_convolutions():
            yield
        self._note()

    def _note(self) -> None:
        tuner = self.tuner
        if tuner is None or len(tuner.choices) == self._known:
            return
        self._known = len(tuner.choices)
        _log.info("%s", tuner)
        if self._run is not None and self._is_recorded:
            before = self._run.convolutions.read()
            if (forms := before | tuner.forms) != before:
                self._run.convolutions.write(forms)
