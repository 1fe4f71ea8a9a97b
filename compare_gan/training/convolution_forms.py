"""The forms in which a training computes its convolutions: chosen, recorded, taken up again."""

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional

import keras

from compare_gan import engine
from compare_gan.backend import on_cpu
from compare_gan.training.forms_file import FormsFile
from compare_gan.training.run_options import RunConfig

if TYPE_CHECKING:  # It imports TensorFlow.
    from compare_gan.backend.autotune import Tuner

_log = logging.getLogger(__name__)


class ConvolutionForms:
    """The forms of the convolutions of a training, see `backend.forms`.

    Args:
      run_config: The options `winograd`, `autotune` and `jit_compile` decide.
      strategy: The devices of the training. Several hosts have the fixed rule: each would measure
        something else.
      file: The record of the run; None = nothing is recorded.
      records: Whether to record new choices.

    Example:
      >>> from compare_gan import engine
      >>> from compare_gan.training.convolution_forms import ConvolutionForms
      >>> from compare_gan.training.run_options import RunConfig
      >>> forms = ConvolutionForms(RunConfig(autotune=False), engine.make_strategy("one_device"))
      >>> forms.tuner is None
      True
      >>> with forms.active():
      ...     pass  # Trace a step.
    """

    def __init__(
        self,
        run_config: RunConfig,
        strategy: engine.Strategy,
        file: FormsFile | None = None,
        records: bool = False,
    ):
        possible = keras.backend.backend() == "tensorflow"
        on_cpu_alone = on_cpu() and not run_config.jit_compile
        wanted = on_cpu_alone if run_config.winograd is None else run_config.winograd
        self._others = possible and wanted  # Whether forms other than the direct one are used.
        self._measures = (
            self._others
            and on_cpu_alone
            and run_config.autotune
            and not engine.on_several_hosts(strategy)
        )
        self._file = file
        self._records = records
        self._known = 0  # Choices that have been logged and recorded.

    @functools.cached_property
    def tuner(self) -> Optional["Tuner"]:
        """The measured choices; None if nothing is measured.

        Raises:
          UserError: A newer version of this library wrote the record.
        """
        if not self._measures:
            return None
        from compare_gan.backend.autotune import Tuner

        return Tuner(self._file.read() if self._file else None)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Context in which the step is traced; its choices are logged and recorded at the end."""
        if not self._others:
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
        if self._records and self._file:
            before = self._file.read()
            if (forms := before | tuner.forms) != before:
                self._file.write(forms)
