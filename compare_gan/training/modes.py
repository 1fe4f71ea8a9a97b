"""The modes of `--schedule`: train, train and evaluate, evaluate the run of another process."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence

from compare_gan import engine
from compare_gan.engine import step_of
from compare_gan.errors import UserError
from compare_gan.training.checkpoint_scores import (
    EvaluationPlan,
    evaluate_checkpoints,
    restored_for_scores,
    selected_checkpoints,
    unscored_checkpoints,
)
from compare_gan.training.experiment import Experiment
from compare_gan.training.hosts import raise_in_all
from compare_gan.training.images_file import ImageChoice
from compare_gan.training.preflight import check_before_training
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainer import Trainer, evaluation_strategy, make_strategy
from compare_gan.version import code_version

__all__ = [
    "EvaluationPlan",
    "evaluate",
    "evaluate_checkpoints",
    "restored_for_scores",
    "run",
]

_log = logging.getLogger(__name__)

_POLL_SECONDS = 10.0


def run(
    mode: str,
    experiment: Experiment,
    run_dir: RunDir,
    plan: EvaluationPlan,
    allow_config_change: bool = False,
    stages: engine.Stages | None = None,
    stop_step: int | None = None,
) -> None:
    """Trains, trains and evaluates, or evaluates the run of another process.

    Args:
      mode: `train`, `eval_after_train` or `continuous_eval`.
      experiment: The experiment.
      run_dir: The directory of the run.
      plan: Choice of the checkpoints to evaluate.
      allow_config_change: See `Trainer`.
      stages: Record of how long the start of a training takes; None = a new one.
      stop_step: See `Trainer.train`; the checkpoint of this step is evaluated as the last one is.

    Raises:
      UserError: Another process trains in the directory, or `stop_step` is beyond the training, or
        belongs to that of another process; see also `Trainer`.
    """
    if stop_step is not None:
        _check_stop(stop_step, mode, experiment.options.training_steps)
    code_version()  # Cached: the version of the running code, even if there is a new commit later.
    experiment = experiment.with_class_order(run_dir.class_order)
    with experiment.bindings.active():
        if mode == "continuous_eval":
            experiment = experiment.with_image_choice(ImageChoice(run_dir.training_images))
            _evaluate_continuously(experiment, run_dir, plan)
        else:
            evaluate = mode == "eval_after_train"
            stages = stages or engine.Stages()
            _train(experiment, run_dir, plan, evaluate, allow_config_change, stages, stop_step)


def _check_stop(stop_step: int, mode: str, training_steps: int) -> None:
    if mode == "continuous_eval":
        raise UserError(
            "--stop_step is for a training: --schedule continuous_eval evaluates that of another "
            "process."
        )
    if stop_step > training_steps:
        raise UserError(
            f"--stop_step must be at most options.training_steps, {training_steps}, received "
            f"{stop_step}."
        )


def evaluate(
    experiment: Experiment,
    run_dir: RunDir,
    path: str | None,
    plan: EvaluationPlan,
    allow_imports: Sequence[str] = (),
) -> None:
    """Scores one checkpoint on all devices of this process, or of the processes of a cluster.

    Args:
      experiment: The experiment that was trained.
      run_dir: The directory of the run.
      path: The checkpoint; None is the newest readable one.
      plan: Number of evaluations of each, and the name of the table.
      allow_imports: See `RunDir.load`.
    """
    experiment = experiment.with_class_order(run_dir.class_order)
    experiment = experiment.with_image_choice(ImageChoice(run_dir.training_images))
    peers = engine.peers(evaluation_strategy(experiment.run_config))
    _say_role(peers.index == 0)
    with _tracked(experiment, run_dir, peers.index == 0):
        evaluate_checkpoints(
            experiment, run_dir, [path], plan, peers=peers, allow_imports=allow_imports
        )


def _train(
    experiment: Experiment,
    run_dir: RunDir,
    plan: EvaluationPlan,
    evaluate: bool,
    allow_config_change: bool,
    stages: engine.Stages,
    stop_step: int | None,
) -> None:
    # As the trainer does, but before the lock, which makes the directory.
    run_dir.refuse_unsuitable(experiment.config_text, allow_config_change)
    strategy = make_strategy(experiment.run_config)
    is_chief = engine.is_chief(strategy)
    _say_role(is_chief)
    with _tracked(experiment, run_dir, is_chief):
        with _lock(run_dir, strategy):
            experiment = experiment.with_image_choice(
                ImageChoice(run_dir.training_images, strategy, not allow_config_change)
            )
            # Mistakes in the evaluation are reported before the training, not after it.
            check_before_training(experiment, run_dir, strategy, evaluate, stages)
            trainer = Trainer(
                experiment, run_dir, strategy, allow_config_change, stages, checked=True
            )
            trainer.train(stop_step)
        if not evaluate:
            return
        peers = engine.peers(strategy)
        unscored: Iterable[str] = ()
        if is_chief:
            paths = selected_checkpoints(run_dir, experiment, plan, stop_step=stop_step)
            unscored = unscored_checkpoints(paths, experiment, run_dir, plan)
        evaluate_checkpoints(experiment, run_dir, unscored, plan, skip_damaged=True, peers=peers)
        if is_chief:
            run_dir.results(plan.score_filename).add([])  # Complete again after a kill.


def _tracked(
    experiment: Experiment, run_dir: RunDir, is_chief: bool = True
) -> contextlib.AbstractContextManager[None]:
    """The context in which the trackers of the run get its records."""
    if not is_chief:
        return contextlib.nullcontext()
    return run_dir.trackers.open(experiment.make_trackers, experiment.config_text)


def _say_role(is_first: bool) -> None:
    """Says in the log of other processes than the first why there is little in it."""
    if not is_first:
        _log.info(
            "This process works together with the first one of the run, which writes all files and "
            "shows losses and scores."
        )


@contextlib.contextmanager
def _lock(run_dir: RunDir, strategy: engine.Strategy) -> Iterator[None]:
    """Locks the directory; if the first worker cannot, all workers end, and none waits for it."""
    with contextlib.ExitStack() as stack:
        refusal: Exception | None = None
        if engine.is_chief(strategy):
            try:
                stack.enter_context(run_dir.lock)
            except (UserError, OSError) as error:
                refusal = error
        raise_in_all(refusal, strategy)
        yield


def _evaluate_continuously(experiment: Experiment, run_dir: RunDir, plan: EvaluationPlan) -> None:
    """Evaluates checkpoints as they appear, until the one of the last training step."""
    experiment.check()
    experiment.check_labels(run_dir.labels)
    experiment.check_evaluation()
    peers = engine.peers(evaluation_strategy(experiment.run_config, alone=True))
    done: set[str | None] = set()
    while True:
        diverged = run_dir.diverged
        present = run_dir.list_checkpoints()
        ended = bool(present) and step_of(present[-1]) >= experiment.options.training_steps
        selected = selected_checkpoints(run_dir, experiment, plan, quiet=not ended)
        found = [path for path in selected if path not in done]
        tried: list[str] = []
        unscored = unscored_checkpoints(found, experiment, run_dir, plan, tried)
        # A checkpoint that cannot be read may be half written: the next round tries it again.
        scored = evaluate_checkpoints(
            experiment, run_dir, unscored, plan, skip_damaged=True, peers=peers
        )
        done.update(set(found) - set(tried), scored)
        # The last one may be beyond `training_steps`, if the run was continued meanwhile.
        if ended and done >= set(selected[-1:]):
            # Not before: a training that goes on has the run of the trackers open.
            with _tracked(experiment, run_dir, peers.index == 0):
                run_dir.trackers.scores()
            return
        if diverged:
            raise UserError(f"The run in '{run_dir}' has diverged; nothing more will come.")
        if not scored:
            _log.info("Waiting for checkpoints in %s.", run_dir)
            time.sleep(_POLL_SECONDS)
