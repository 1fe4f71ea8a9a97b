"""What a run leaves beside its checkpoints: scalars, pictures, its config, a line of progress."""

import gin
import keras
import numpy as np
import tensorflow as tf

from compare_gan.training.model_dir import write_operative_config
from compare_gan.training.pictures import PictureTaker
from compare_gan.training.state import TrainState
from compare_gan.training.summaries import Progress, Summaries


class Recorder:
    """Writes what there is to see of a run to its directory, TensorBoard and standard error.

    Args:
      experiment: What is trained.
      state: What the training steps change.
      model_dir: The run's directory.
    """

    def __init__(self, experiment, state: TrainState, model_dir: str):
        step = int(state.step.numpy())
        options = experiment.options
        self._batch_size = options.batch_size
        self._state = state
        self._model_dir = model_dir
        self._summaries = Summaries(model_dir, step)
        self._pictures = PictureTaker(experiment, state, model_dir, self._summaries)
        self._progress = Progress(step, options.training_steps)
        self._config_written = False
        if step == 0:
            self._pictures.real()

    def steps(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        """Records a call of the compiled loop.

        Args:
          step: The step reached.
          history: By name, a value's course over the steps of the call, float32 [steps].
          seconds: What the call took.
        """
        count = len(next(iter(history.values())))
        images_per_second = count * self._batch_size / seconds
        values = {name: float(np.mean(course)) for name, course in history.items()}
        rates = {
            "images_per_second": images_per_second,
            "learning_rate/generator": _learning_rate(self._state.g_optimizer),
            "learning_rate/discriminator": _learning_rate(self._state.d_optimizer),
        }
        self._summaries.scalars(step, values | rates)
        self._progress.update(step, images_per_second, values)
        if not self._config_written:
            # Only what has been used is in the operative config: it is complete after a step.
            write_operative_config(self._model_dir)
            self._summaries.text("gin", gin.operative_config_str())
            self._config_written = True

    def samples(self, step: int) -> None:
        """Records a grid of samples."""
        self._pictures.fakes(step)

    def close(self) -> None:
        """Ends the line of progress, draws the curves, and puts everything on disk."""
        self._progress.close()
        self._pictures.curves()
        self._summaries.flush()
        if self._config_written:
            write_operative_config(self._model_dir)  # With what pictures used.


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    return float(tf.convert_to_tensor(optimizer.learning_rate.value))
