"""The trainer of a GAN: from an experiment to a run directory."""

import contextlib
import dataclasses
import functools
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from compare_gan import engine
from compare_gan.backend import rematerialization
from compare_gan.datasets import train_arrays, train_batches
from compare_gan.errors import UserError
from compare_gan.training.convolution_forms import ConvolutionForms
from compare_gan.training.experiment import Experiment
from compare_gan.training.images_file import ImageChoice
from compare_gan.training.label_use import check_label_use
from compare_gan.training.preflight import check_before_training
from compare_gan.training.recorder import Recorder
from compare_gan.training.rollbacks import Entry, seed_after
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import RunConfig
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

_log = logging.getLogger(__name__)


def make_strategy(run_config: RunConfig, alone: bool = False) -> engine.Strategy:
    """The devices of a run; has to be called before any other operation of the backend.

    Args:
      run_config: How the run is executed.
      alone: Leave the other processes of a cluster out.

    Raises:
      UserError: `--devices` asks for several devices and the config for one; see also
        `engine.make_strategy`.
    """
    wanted = engine.wanted_devices() or 1
    if wanted > 1 and (run_config.single_core or run_config.distribution == "one_device"):
        option = "single_core = True" if run_config.single_core else "distribution = 'one_device'"
        raise UserError(f"--devices is {wanted}, but the config says run_config.{option}.")
    if run_config.deterministic:
        engine.make_deterministic()
    engine.use_compilation_cache(run_config.compilation_cache)
    return engine.make_strategy(
        run_config.distribution, run_config.single_core, run_config.shard_state, alone
    )


def evaluation_strategy(run_config: RunConfig, alone: bool = False) -> engine.Strategy:
    """The devices of an evaluation in a process, or in processes, of its own.

    Args:
      run_config: The options of the run, which may have been trained elsewhere.
      alone: Whether to leave out the devices of other processes.
    """
    local = alone or run_config.distribution in ("mirrored", "tpu")
    distribution = "mirrored" if local else "auto"
    if run_config.distribution == "one_device":
        distribution = "one_device"
    return make_strategy(
        dataclasses.replace(
            run_config, distribution=distribution, shard_state=False, deterministic=False
        ),
        alone,
    )


class Trainer:
    """Trains one experiment in the directory of a run, from its newest checkpoint if there is one.

    Args:
      experiment: The experiment to train.
      run: Directory of checkpoints, pictures and logs; created if it does not exist.
      strategy: Devices to train on; None = those of the config.
      allow_config_change: Whether the run may go on with a config that differs in anything, and
        with another data set. Variables that its checkpoint lacks then keep their initial values:
        averages those of the restored weights, and an optimizer begins anew.
      stages: Record of how long the start takes; None = a new one.
      checked: Whether `check_before_training` has found no mistake for these devices.

    Raises:
      UserError: The run in the directory diverged, was trained with another config or data set, or
        has networks of other shapes; or the batch size does not fit the GAN or the number of
        replicas.

    Example:
      >>> from compare_gan import config
      >>> from compare_gan.training import Experiment, RunDir, Trainer
      >>> config.parse(["s3gan_fashion_mnist"])
      >>> trainer = Trainer(Experiment.from_gin(), RunDir("runs/s3gan"))  # doctest: +SKIP
      >>> trainer.train()  # doctest: +SKIP
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDir,
        strategy: engine.Strategy | None = None,
        allow_config_change: bool = False,
        stages: engine.Stages | None = None,
        checked: bool = False,
    ):
        self.stages = stages = stages or engine.Stages()
        experiment = experiment.with_class_order(run.class_order)
        self.run = run
        self._allow_config_change = allow_config_change
        run_config = experiment.run_config
        run.refuse_unsuitable(experiment.config_text, allow_config_change)
        self.strategy = strategy or make_strategy(run_config)
        seed = run_config.tf_random_seed
        if seed is None:
            # All processes must have the same weights and draw from the same batches.
            seed = engine.agree_on(secrets.randbelow(2**31), self.strategy)
        self.is_chief = engine.is_chief(self.strategy)
        self.experiment = experiment = experiment.with_image_choice(
            ImageChoice(run.training_images, self.strategy, not allow_config_change)
        )
        if not checked:
            check_before_training(experiment, run, self.strategy, evaluated=False, stages=stages)
        with self.strategy.scope(), experiment.bindings.active():
            run.refuse_other_data(experiment.dataset, allow_config_change)
            keras.utils.set_random_seed(seed % 2**32)
            with stages.stage("build", "Building the networks"):
                self.gan = experiment.make_gan()
                if not run.list_checkpoints():  # A resumed run was checked at its start.
                    check_label_use(self.gan)
                self.state = TrainState(
                    self.gan, seed, experiment.options.optimization, experiment.options.batch_size
                )
        self.checkpoints = engine.Checkpoints(
            self.state,
            run.checkpoints,
            run_config.keep_checkpoint_max,
            before_saving=run.lock.check,
            on_missing=self.state.start_missing if allow_config_change else None,
        )
        with stages.stage("restore", "Restoring the newest checkpoint"):
            self.checkpoints.resume()
        if run_config.tf_random_seed is not None:
            self._change_seed(run_config.tf_random_seed)
        # All processes must draw from the same batches.
        self._rollbacks = engine.agree_on(len(run.rollbacks.read()), self.strategy)
        self.train_step = TrainStep(self.state, run_config.microbatches)
        several_hosts = engine.on_several_hosts(self.strategy)
        forms = ConvolutionForms(run_config, several_hosts, run, records=True, stages=stages)
        self.loop = engine.Loop(
            self.train_step,
            self.batches,
            self.strategy,
            run_config.jit_compile,
            context=functools.partial(tracing, experiment, forms),
        )
        self.loop.stages = stages

    @property
    def step(self) -> int:
        """The number of finished generator steps."""
        return self.checkpoints.step

    def _change_seed(self, seed: int) -> None:
        """Goes on with the seed of the config, if it has changed since the restored checkpoint."""
        changes = self.run.configs.changes(self.experiment.config_text, self.step)
        if any(change.key == "run_config.tf_random_seed" for change in changes):
            _log.warning(
                "The run goes on with the seed %d from step %d; it was %d.",
                seed,
                self.step,
                int(self.state.seed),
            )
            self.state.seed.assign(seed)

    def run_steps(self, num_steps: int) -> dict[str, np.ndarray]:
        """Trains `num_steps` generator steps in one call of the compiled loop.

        Returns:
          For each value, by name, its course over the steps: float32 [num_steps]. It is shorter if
          a value was not finite, and ends with the step in which that happened.
        """
        if self.loop.iterator is None:
            self._provide_labels()
        return self.loop.run(num_steps)

    def train(self, stop_step: int | None = None) -> None:
        """Trains to `options.training_steps`, with checkpoints, summaries and pictures.

        Labels that the data set asks for are inferred first. A checkpoint that another process has
        saved since is restored. A signal to any worker (see `engine.DelayedSignals`) ends the
        training after the running call, with a checkpoint.

        Args:
          stop_step: An earlier step at which the training ends, to be resumed later as after an
            interruption, with the same config; None = it ends at `options.training_steps`.

        Raises:
          UserError: Another process trains in the directory, or the run was trained on other
            labels; see also `labels.infer`.
          DivergenceError: A loss, an image or a weight was not finite, and no rollback was
            allowed. The run is then marked as diverged; its last checkpoint remains.
          KeyboardInterrupt: A signal ended it.
        """
        options, run_config = self.experiment.options, self.experiment.run_config
        last_step = min(options.training_steps, stop_step or options.training_steps)
        # `training.modes` has acquired the lock already, to refuse a second training earlier.
        lock = self.run.lock if self.is_chief else contextlib.nullcontext()
        with lock, self._tracked(), self.experiment.bindings.active():
            # Another process may have trained here since this one looked.
            self.run.refuse_unsuitable(self.experiment.config_text, self._allow_config_change)
            if self.is_chief:
                self.run.remove_leftovers()
                self.checkpoints.tidy()
            if self.step >= last_step:
                option = "options.training_steps" if stop_step is None else "--stop_step"
                _log.warning(
                    "No steps are trained: the run in '%s' has reached step %d already, and %s is "
                    "%d; a larger number continues it.",
                    self.run,
                    self.step,
                    option,
                    last_step,
                )
                if self.is_chief:
                    self.run.complete_description(
                        self.experiment.dataset, self.experiment.config_text
                    )
                return
            with self.stages.stage("labels"):  # Refuses others before anything is written.
                self._provide_labels()
            if self.is_chief:
                self.run.write_description(
                    self.experiment.dataset,
                    self.experiment.config_text,
                    self.step,
                    self.experiment.modules,
                )
            with self.experiment.dataset.source.broken_files_named():
                engine.fit(
                    self.loop,
                    self.checkpoints,
                    [Recorder(self.experiment, self.state, self.run, self.stages)],
                    last_step=last_step,
                    steps_per_call=run_config.iterations_per_loop,
                    save_every=run_config.save_checkpoints_steps,
                    save_first=True,
                    rollback=self._rollback(run_config),
                )

    def _tracked(self) -> contextlib.AbstractContextManager[None]:
        if not self.is_chief:
            return contextlib.nullcontext()
        return self.run.trackers.open(self.experiment.make_trackers, self.experiment.config_text)

    def _rollback(self, run_config: RunConfig) -> engine.Rollback | None:
        if run_config.on_divergence == "stop":
            return None
        return engine.Rollback(run_config.max_rollbacks - self._rollbacks, self._change_batches)

    def _change_batches(self, step: int, terms: Sequence[str]) -> None:
        # Noted first: a run that is killed now goes on with the other batches as well.
        if self.is_chief:
            self.run.rollbacks.add(Entry(step, list(terms) or ["samples"], self.step))
        self._rollbacks += 1

    def _provide_labels(self) -> None:
        # Checked before the inference, which may take long, and again when the hash is known.
        self.run.check_training_labels(self._label_description)
        self.experiment = self.experiment.with_labels(self.run.labels, self.strategy)
        description = self._label_description
        self.run.check_training_labels(description)
        if self.is_chief:
            self.run.write_training_labels(description)
            options, chosen = self.experiment.data.dataset.choice, self.experiment.dataset.chosen
            if options is not None and chosen is not None:
                self.run.training_images.write(options, chosen)

    @property
    def _label_description(self) -> Mapping[str, object] | None:
        inferred = self.experiment.dataset.inferred
        return None if inferred is None else inferred.description

    def batches(self, num_replicas: int = 1, replica_ids: Sequence[int] = (0,)) -> Any:
        """The batches of the remaining steps.

        Args:
          num_replicas: Number of replicas, or of processes under JAX, that share a batch.
          replica_ids: Those to make batches for.

        Returns:
          For each step, one element for each of these replicas; see `datasets.train_batches`, or
          under JAX `datasets.train_arrays`.
        """
        options = self.experiment.options
        make = train_arrays if keras.backend.backend() == "jax" else train_batches
        return make(
            self.experiment.dataset,
            batch_size=options.batch_size,
            disc_iters=options.disc_iters,
            z_dim=options.z_dim,
            latents=self.experiment.latents,
            seed=seed_after(int(self.state.seed.numpy()), self._rollbacks),
            start_step=self.step,
            fit_label_distribution=self.gan.fit_label_distribution,
            num_replicas=num_replicas,
            replica_ids=list(replica_ids),
        )


@contextlib.contextmanager
def tracing(experiment: Experiment, forms: ConvolutionForms) -> Iterator[None]:
    """The surroundings of the first call of the loop, which traces the step."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(experiment.bindings.active())
        if experiment.run_config.remat:
            stack.enter_context(rematerialization())
        stack.enter_context(forms.active())
        yield
