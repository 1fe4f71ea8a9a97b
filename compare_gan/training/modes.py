"""The modes of `--schedule`: train, train and evaluate, evaluate the run of another process."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterable

from compare_gan import engine
from compare_gan.engine import DamagedCheckpointError, step_of
from compare_gan.errors import UserError
from compare_gan.evaluation import comparison
from compare_gan.evaluation.evaluate import evaluate_generator
from compare_gan.evaluation.results import ResultRow, format_scores
from compare_gan.terminal import printable
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainer import Trainer, make_strategy
from compare_gan.version import code_version

_log = logging.getLogger(__name__)

_POLL_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """The choice of the checkpoints to evaluate, and the number of evaluations of each.

    Attributes:
      averaging_runs: Number of sets of samples over which each score is averaged.
      every_steps: Interval of the checkpoints to evaluate, in steps; the last is evaluated too.
      score_filename: Name of the table of scores in the directory of the run.
    """

    averaging_runs: int = 3
    every_steps: int = 5000
    score_filename: str = "scores.csv"

    def selects(self, step: int, last_step: int) -> bool:
        """Whether the checkpoint of `step` is to be evaluated."""
        return step == last_step or (step > 0 and step % self.every_steps == 0)


def run(mode: str, experiment: Experiment, run_dir: RunDir, plan: EvaluationPlan) -> None:
    """Trains, trains and evaluates, or evaluates the run of another process.

    Args:
      mode: `train`, `eval_after_train` or `continuous_eval`.
      experiment: The experiment.
      run_dir: The directory of the run.
      plan: Choice of the checkpoints to evaluate.

    Raises:
      UserError: Another process trains in the directory; see also `Trainer`.
    """
    code_version()  # Cached: the version of the running code, even if there is a new commit later.
    with experiment.bindings.active():
        if mode == "continuous_eval":
            _evaluate_continuously(experiment, run_dir, plan)
        else:
            _train(experiment, run_dir, plan, evaluate=mode == "eval_after_train")


def evaluate_checkpoints(
    experiment: Experiment,
    run_dir: RunDir,
    paths: Iterable[str | None],
    plan: EvaluationPlan,
    skip_damaged: bool = False,
) -> list[str | None]:
    """Scores checkpoints one by one; adds rows to scores.csv and results.jsonl.

    Args:
      experiment: The experiment that was trained.
      run_dir: The directory of the run.
      paths: Checkpoints; None is the newest readable one.
      plan: Number of evaluations of each, and the name of the table.
      skip_damaged: Whether to skip, with a warning, checkpoints that cannot be read.

    Returns:
      The paths of the scored checkpoints.

    Raises:
      DamagedCheckpointError: A checkpoint cannot be read, and `skip_damaged` is False.
    """
    scored = []
    results = run_dir.results(plan.score_filename)
    for path in paths:
        known = results.read()
        try:
            with experiment.bindings.active():
                row = _measure(experiment, run_dir, path, plan)
        except DamagedCheckpointError as error:
            if not skip_damaged:
                raise
            _log.warning("%s It is not scored.", error)
            continue
        results.add([row], known)
        print(printable(format_scores([row])))
        scored.append(path)
    if scored:
        rows = results.read()
        warning = comparison.warning(rows, [f"step {row.step}" for row in rows])
        if warning:
            _log.warning("%s: %s", plan.score_filename, warning)
    return scored


def _measure(
    experiment: Experiment, run_dir: RunDir, path: str | None, plan: EvaluationPlan
) -> ResultRow:
    model = run_dir.restore(experiment.model_options, path)
    row = evaluate_generator(
        model.sampler,
        experiment.dataset,
        experiment.evaluation,
        averaging_runs=plan.averaging_runs,
        averaged_weights=model.averaged,
        step=model.step,
        discriminator=model.state.gan.discriminator,
        pictures_dir=run_dir.pictures,
    )
    return dataclasses.replace(row, training_labels=run_dir.training_labels())


def _train(experiment: Experiment, run_dir: RunDir, plan: EvaluationPlan, evaluate: bool) -> None:
    # As the trainer does, but before the lock, which makes the directory.
    run_dir.refuse_unsuitable(experiment.config_text)
    strategy = make_strategy(experiment.run_config)
    is_chief = engine.is_chief(strategy)
    with run_dir.lock if is_chief else contextlib.nullcontext():
        trainer = Trainer(experiment, run_dir, strategy)
        if evaluate:
            # Mistakes in the evaluation are reported before the training, not after it.
            experiment.evaluation.check(experiment.dataset, experiment.eval_latents)
            run_dir.results().read()
        trainer.train()
    if evaluate and is_chief:
        paths = _selected(run_dir.list_checkpoints(), experiment, plan)
        paths = _not_scored(paths, run_dir.results().read(), experiment, plan)
        evaluate_checkpoints(experiment, run_dir, paths, plan, skip_damaged=True)
        run_dir.results(plan.score_filename).add([])  # Complete again after a kill.


def _evaluate_continuously(experiment: Experiment, run_dir: RunDir, plan: EvaluationPlan) -> None:
    """Evaluates checkpoints as they appear, until the one of the last training step."""
    experiment.check()
    experiment.check_labels(run_dir.labels)
    experiment.evaluation.check(experiment.dataset, experiment.eval_latents)
    done: set[str | None] = set()
    while True:
        diverged = run_dir.diverged
        found = _selected(run_dir.list_checkpoints(), experiment, plan)
        found = [path for path in found if path not in done]
        new = _not_scored(found, run_dir.results().read(), experiment, plan)
        # A checkpoint that cannot be read may be half written: the next round tries it again.
        scored = evaluate_checkpoints(experiment, run_dir, new, plan, skip_damaged=True)
        done.update(set(found) - set(new), scored)
        if any(step_of(path) == experiment.options.training_steps for path in done if path):
            return
        if diverged:
            raise UserError(f"The run in '{run_dir}' has diverged; nothing more will come.")
        if not scored:
            _log.info("Waiting for checkpoints in %s.", run_dir)
            time.sleep(_POLL_SECONDS)


def _selected(paths: list[str], experiment: Experiment, plan: EvaluationPlan) -> list[str]:
    last = experiment.options.training_steps
    return [path for path in paths if plan.selects(step_of(path), last)]


def _not_scored(
    paths: list[str], rows: list[ResultRow], experiment: Experiment, plan: EvaluationPlan
) -> list[str]:
    """The checkpoints without a row that has the provenance of an evaluation now."""
    steps = {step_of(path) for path in paths}
    scored = {
        row.step
        for row in rows
        if row.step in steps
        and experiment.evaluation.matches(
            row, experiment.dataset, experiment.eval_latents, plan.averaging_runs
        )
    }
    for path in paths:
        if step_of(path) in scored:
            _log.info("Step %d has been scored already.", step_of(path))
    return [path for path in paths if step_of(path) not in scored]
