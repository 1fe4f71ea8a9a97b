"""Records of a run: scalars, pictures, its config, a line of progress."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from compare_gan import config, engine
from compare_gan.errors import UserError
from compare_gan.training.experiment import Experiment
from compare_gan.training.monitors import Monitors
from compare_gan.training.pictures import PictureTaker
from compare_gan.training.progress import Progress
from compare_gan.training.run_dir import RunDir
from compare_gan.training.state import TrainState
from compare_gan.training.summaries import Summaries
from compare_gan.training.training_record import TrainingRecord

_log = logging.getLogger(__name__)


class Recorder(engine.Callback):
    """Records a run in its directory, in TensorBoard and trackers, and on standard error.

    Args:
      experiment: The experiment that is trained.
      state: The state that training steps change.
      run: The directory of the run.
      stages: Record of how long the start took, for the log; None = it is not logged.
    """

    def __init__(
        self,
        experiment: Experiment,
        state: TrainState,
        run: RunDir,
        stages: engine.Stages | None = None,
    ):
        run_config = experiment.run_config
        self.every = run_config.sample_steps or run_config.save_checkpoints_steps
        self._experiment = experiment
        self._state = state
        self._run = run
        self._stages = stages
        self._config_written = False
        self._step = 0
        self._training = TrainingRecord(run.trainings, experiment, stages)

    def on_begin(self, step: int) -> None:
        """Opens the files; draws real images at the beginning of a run."""
        self._step = step
        self._training.begin(step)
        self._summaries = Summaries(self._run.log, self._run.tensorboard, step, self._run.trackers)
        self._run.trackers.start(self._summaries.read())
        self._pictures = PictureTaker(self._experiment, self._state, self._run, self._summaries)
        self._progress = Progress(step, self._experiment.options.training_steps)
        self._monitors = None
        if self._experiment.run_config.monitors:
            self._monitors = Monitors(
                self._experiment.dataset,
                self._state,
                self._run.file("monitors.jsonl"),
                self._summaries.monitors,
                step,
            )
        if step == 0:
            with engine.announced("Drawing real images"), self._timed("pictures"):
                self._pictures.real()

    def on_call(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        """Shows the progress; after the first call also how long the start took."""
        self._step = step
        self._training.add("steps", seconds)
        if self._stages is not None:
            _log.info("Start to first step: %s.", self._stages)
            self._stages = None
        self._progress.update(step, self._speed(history, seconds), _means(history))

    def on_steps(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        """Records the means over `run_config.iterations_per_loop` steps."""
        self._run.lock.check()
        images_per_second = self._speed(history, seconds)
        values = _means(history)
        rates = {
            "images_per_second": images_per_second,
            "learning_rate/generator": _learning_rate(self._state.g_optimizer),
            "learning_rate/discriminator": _learning_rate(self._state.d_optimizer),
        }
        self._summaries.scalars(step, values | rates)
        if self._monitors:
            self._monitors.collect(history)
        if not self._config_written:
            # The operative config has only bindings that were used: it is complete after a step.
            self._run.write_operative_config()
            self._summaries.text("gin", config.operative_text())
            self._run.trackers.text("operative_config.gin", config.operative_text())
            self._config_written = True

    def _speed(self, history: dict[str, np.ndarray], seconds: float) -> float:
        count = len(next(iter(history.values())))
        return count * self._experiment.options.images_per_step / seconds

    def on_due(self, step: int) -> None:
        """Records a grid of samples. A run killed before the next checkpoint records it again."""
        with self._timed("pictures"):
            with engine.announced("Drawing samples"):
                images = self._pictures.fakes(step)
            self._run.trackers.scores()  # Those that another process has measured meanwhile.
            if self._monitors:
                last = step == self._experiment.options.training_steps
                self._monitors.observe(step, images, last)
        self._training.write(step)

    def on_divergence(self, step: int, terms: Sequence[str]) -> None:
        """Marks the run as diverged."""
        self._run.mark_diverged(step, terms or ["samples"])

    def on_end(self) -> None:
        """Ends the line of progress, draws the curves and closes the files."""
        self._progress.close()
        if self._monitors:
            self._monitors.finish()
        self._pictures.curves()
        self._summaries.close()
        if self._config_written:
            self._run.write_operative_config()  # With the bindings that pictures used.
            with contextlib.suppress(UserError):  # Another process may train here now.
                self._run.lock.check()
                self._training.write(self._step)

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._training.add(stage, time.monotonic() - started)


def _means(history: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.mean(course)) for name, course in history.items()}


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
