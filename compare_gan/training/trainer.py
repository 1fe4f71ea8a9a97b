"""The training loop: from a config in gin to a model directory."""

import contextlib
import logging
import os
import secrets
import time

import keras
import numpy as np
import tensorflow as tf

from compare_gan import files
from compare_gan.backend import on_cpu
from compare_gan.checkpoints import Checkpoints
from compare_gan.errors import DivergenceError
from compare_gan.loop import distributed_iterator, make_train_loop
from compare_gan.signals import DelayedSignals
from compare_gan.training import model_dir as model_dirs
from compare_gan.training.distribution import is_chief, make_strategy
from compare_gan.training.experiment import Experiment
from compare_gan.training.recorder import Recorder
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep
from compare_gan.winograd import winograd_convolutions

_log = logging.getLogger(__name__)


class Trainer:
    """Trains one experiment in one model directory, resuming from what is there.

    Args:
      experiment: What to train.
      model_dir: Where checkpoints, pictures and logs go; made if absent.

    Raises:
      UserError: The directory holds a run that diverged or that has another config's shapes, or
        the batch size does not suit the GAN or the number of replicas.
    """

    def __init__(self, experiment: Experiment, model_dir: str):
        self.experiment = experiment
        self.model_dir = model_dir
        run_config = experiment.run_config
        model_dirs.refuse_unsuitable(model_dir)
        seed = run_config.tf_random_seed
        seed = secrets.randbelow(2**31) if seed is None else seed
        if run_config.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = make_strategy(run_config.distribution, run_config.single_core)
        self.is_chief = is_chief(self.strategy)
        replicas = self.strategy.num_replicas_in_sync
        with self.strategy.scope():
            experiment.check(replicas, model_dir)
            experiment.check_labels(model_dir)
            keras.utils.set_random_seed(seed % 2**32)
            self.gan = experiment.make_gan()
            self.state = TrainState(self.gan, seed, experiment.options.optimization)
        self.checkpoints = Checkpoints(self.state, model_dir, run_config.keep_checkpoint_max)
        restored = self.checkpoints.restore_newest()
        if restored:
            _log.info("Resuming from %s.", restored)
        self._train_step = TrainStep(self.state)
        self._winograd = run_config.winograd
        if self._winograd is None:
            self._winograd = on_cpu() and not run_config.jit_compile
        self._train_loop = make_train_loop(self._train_step, self.strategy, run_config.jit_compile)
        self._iterator = None

    @property
    def step(self) -> int:
        """Generator steps done."""
        return int(self.state.step.numpy())

    def run_steps(self, num_steps: int) -> dict[str, np.ndarray]:
        """Trains `num_steps` generator steps in one call of the compiled loop.

        Returns:
          For each value its course over the steps done, float32 [num_steps] (fewer if one was
          not finite: then the last entry is that step's).
        """
        if self._iterator is None:
            self._provide_labels()
            self._iterator = distributed_iterator(self.strategy, self._make_batches)
        with winograd_convolutions(self._winograd):  # Where they are traced: in the first call.
            history = self._train_loop(self._iterator, tf.constant(num_steps)).numpy()
        return dict(zip(self._train_step.names, history.T, strict=True))

    def train(self) -> None:
        """Trains to `options.training_steps`, with checkpoints, summaries and pictures.

        SIGINT and SIGTERM, to any worker, end it after the running call, with a checkpoint.

        Raises:
          DivergenceError: A loss or an image was not finite. The run is marked as diverged and its
            last checkpoint kept.
          KeyboardInterrupt: A signal ended it.
        """
        options, run_config = self.experiment.options, self.experiment.run_config
        if self.step >= options.training_steps:
            _log.info("Step %d is reached already.", self.step)
            return
        self._provide_labels()
        sample_steps = run_config.sample_steps or run_config.save_checkpoints_steps
        periods = (
            run_config.iterations_per_loop,
            run_config.save_checkpoints_steps,
            sample_steps,
        )
        recorder = None
        with contextlib.ExitStack() as stack:
            signals = stack.enter_context(DelayedSignals())
            if self.is_chief:
                recorder = Recorder(self.experiment, self.state, self.model_dir)
                stack.callback(recorder.close)
            if self.step == 0:
                self._save()
            ended = False
            while self.step < options.training_steps and not ended:
                first_step, started = self.step, time.perf_counter()
                history = self.run_steps(
                    _steps_to_next(first_step, periods, options.training_steps)
                )
                if recorder:
                    recorder.steps(self.step, history, time.perf_counter() - started)
                self._stop_if_diverged(history)
                step = self.step
                ended = self._any_worker(signals.received)
                last = ended or step == options.training_steps
                # A run that is killed in between draws the pictures again.
                if last or step % sample_steps == 0:
                    self._draw_samples(recorder)
                if last or step % run_config.save_checkpoints_steps == 0:
                    self._save()
        if ended or signals.received:
            raise KeyboardInterrupt(f"stopped at step {self.step}, checkpoint saved")

    def provide_labels(self) -> None:
        """Infers the labels that the data set asks for, if steps remain that need them.

        Raises:
          UserError, DivergenceError: See `labels.infer`; or the run was trained on other labels.
        """
        if self.step < self.experiment.options.training_steps:
            self._provide_labels()

    def _provide_labels(self) -> None:
        # Before they are inferred, which may take long, and again when their hash is known.
        model_dirs.check_training_labels(self.model_dir, self._about_labels)
        self.experiment = self.experiment.with_labels(self.model_dir, self.strategy)
        about = self._about_labels
        model_dirs.check_training_labels(self.model_dir, about)
        if self.is_chief:
            model_dirs.write_training_labels(self.model_dir, about)

    @property
    def _about_labels(self):
        inferred = self.experiment.dataset.inferred
        return None if inferred is None else inferred.description

    def _any_worker(self, flag: bool) -> bool:
        """Whether the flag is set in any worker: all must leave the loop at the same step."""
        if isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            flags = self.strategy.run(lambda: tf.constant(float(flag)))
            return bool(self.strategy.reduce(tf.distribute.ReduceOp.SUM, flags, axis=None) > 0)
        return flag

    def _draw_samples(self, recorder: Recorder | None) -> None:
        reason = ""
        if recorder:
            try:
                recorder.samples(self.step)
            except DivergenceError as error:
                reason = f": {error}"
        if self._any_worker(bool(reason)):
            self._mark_as_diverged(["samples"])
            raise DivergenceError(f"Training diverged at step {self.step}{reason}")

    def _save(self) -> None:
        # Every worker holds the same state: one of them writes it.
        if self.is_chief:
            self.checkpoints.save()

    def _make_batches(self, num_replicas: int, replica_ids: list[int]) -> tf.data.Dataset:
        from compare_gan.datasets import train_batches

        options = self.experiment.options
        return train_batches(
            self.experiment.dataset,
            batch_size=options.batch_size,
            disc_iters=options.disc_iters,
            z_dim=options.z_dim,
            latents=self.experiment.latents,
            seed=int(self.state.seed.numpy()),
            start_step=self.step,
            fit_label_distribution=self.gan.fit_label_distribution,
            num_replicas=num_replicas,
            replica_ids=replica_ids,
        )

    def _stop_if_diverged(self, history: dict[str, np.ndarray]) -> None:
        broken = [name for name, course in history.items() if not np.isfinite(course[-1])]
        if not broken:
            return
        self._mark_as_diverged(broken)
        raise DivergenceError(
            f"Training diverged: at step {self.step} {', '.join(broken)} "
            f"{'is' if len(broken) == 1 else 'are'} not finite. The last checkpoint is kept."
        )

    def _mark_as_diverged(self, terms: list[str]) -> None:
        if self.is_chief:
            note = {"step": self.step, "terms": terms}
            files.write_json(os.path.join(self.model_dir, model_dirs.DIVERGED), note)


def _steps_to_next(step: int, periods: tuple[int, ...], last: int) -> int:
    """Steps until the next multiple of any period, or the last step."""
    return min(*(period - step % period for period in periods), last - step)
