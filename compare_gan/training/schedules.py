"""What a `--schedule` does: train, train and evaluate, or evaluate what another process trains."""

import dataclasses
import logging
import os
import time
from collections.abc import Iterable

from compare_gan.engine.checkpoints import DamagedCheckpointError, list_checkpoints, step_of
from compare_gan.errors import UserError
from compare_gan.evaluation import comparison
from compare_gan.evaluation.evaluate import evaluate_generator
from compare_gan.evaluation.results import format_scores, read_results, write_results
from compare_gan.training import model_dir as model_dirs
from compare_gan.training.trainer import Experiment, Trainer
from compare_gan.version import code_version

_log = logging.getLogger(__name__)

_POLL_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """Which checkpoints are evaluated and how often each is sampled.

    Attributes:
      averaging_runs: Sets of samples that each score is averaged over.
      every_steps: Checkpoints at multiples of this are evaluated, and the last.
      score_filename: The table of scores in the model directory.
    """

    averaging_runs: int = 3
    every_steps: int = 5000
    score_filename: str = "scores.csv"

    def selects(self, step: int, last_step: int) -> bool:
        """Whether the checkpoint of `step` is one to evaluate."""
        return step == last_step or (step > 0 and step % self.every_steps == 0)


def run(schedule: str, experiment: Experiment, model_dir: str, plan: EvaluationPlan) -> None:
    """Runs `train`, `eval_after_train` or `continuous_eval` on a model directory."""
    code_version()  # Remembered: what runs is the code of now, also if a commit comes meanwhile.
    if schedule == "continuous_eval":
        experiment.check()
        experiment.check_labels(model_dir)
        experiment.evaluation.check(experiment.dataset, experiment.eval_latents)
        _evaluate_continuously(experiment, model_dir, plan)
        return
    trainer = Trainer(experiment, model_dir)
    if schedule == "eval_after_train":
        # What cannot be evaluated is told now, not after the training.
        experiment.evaluation.check(experiment.dataset, experiment.eval_latents)
        read_results(model_dir)
    trainer.provide_labels()  # Before anything is written: other labels are refused.
    if trainer.is_chief:
        model_dirs.write_description(model_dir, experiment.dataset)
    trainer.train()
    if schedule == "eval_after_train" and trainer.is_chief:
        paths = _not_scored(_selected(experiment, model_dir, plan), experiment, model_dir, plan)
        evaluate_checkpoints(experiment, model_dir, paths, plan, skip_damaged=True)
        write_results([], model_dir, plan.score_filename)  # Whole again after a kill.


def evaluate_checkpoints(
    experiment: Experiment,
    model_dir: str,
    paths: Iterable[str | None],
    plan: EvaluationPlan,
    skip_damaged: bool = False,
) -> list[str | None]:
    """Scores checkpoints, one after the other; adds to scores.csv and results.jsonl.

    Models are built from the bindings that gin holds, which must be those of the run.

    Args:
      experiment: What was trained.
      model_dir: Its directory.
      paths: Checkpoints; None is the newest that can be read.
      plan: How often each is sampled, and the name of the table.
      skip_damaged: Pass over, with a warning, a checkpoint that cannot be read.

    Returns:
      The paths that were scored.

    Raises:
      DamagedCheckpointError: A checkpoint cannot be read, and `skip_damaged` is False.
    """
    scored = []
    for path in paths:
        try:
            model = model_dirs.restore_trained(model_dir, path)
        except DamagedCheckpointError as error:
            if not skip_damaged:
                raise
            _log.warning("%s It is not scored.", error)
            continue
        row = evaluate_generator(
            model.sampler,
            experiment.dataset,
            experiment.evaluation,
            averaging_runs=plan.averaging_runs,
            averaged_weights=model.averaged,
            step=model.step,
            discriminator=model.state.gan.discriminator,
            pictures_dir=os.path.join(model_dir, "metrics"),
        )
        row = dataclasses.replace(row, training_labels=model_dirs.training_labels(model_dir))
        write_results([row], model_dir, plan.score_filename)
        print(format_scores([row]))
        scored.append(path)
    if scored:
        _warn_of_differences(model_dir, plan.score_filename)
    return scored


def _warn_of_differences(model_dir: str, score_filename: str) -> None:
    rows = read_results(model_dir)
    warning = comparison.warning(rows, [f"step {row.step}" for row in rows])
    if warning:
        _log.warning("%s: %s", score_filename, warning)


def _evaluate_continuously(experiment: Experiment, model_dir: str, plan: EvaluationPlan) -> None:
    """Evaluates checkpoints as they appear, until that of the last training step is done."""
    done: set[str] = set()
    while True:
        diverged = os.path.exists(os.path.join(model_dir, model_dirs.DIVERGED))
        found = _selected(experiment, model_dir, plan)
        found = [path for path in found if path not in done]
        new = _not_scored(found, experiment, model_dir, plan)
        # One that cannot be read may be half written: it is tried again.
        scored = evaluate_checkpoints(experiment, model_dir, new, plan, skip_damaged=True)
        done.update(set(found) - set(new), scored)
        if any(step_of(path) == experiment.options.training_steps for path in done):
            return
        if diverged:
            raise UserError(f"The run in '{model_dir}' has diverged; nothing more will come.")
        if not scored:
            _log.info("Waiting for checkpoints in %s.", model_dir)
            time.sleep(_POLL_SECONDS)


def _selected(experiment: Experiment, model_dir: str, plan: EvaluationPlan) -> list[str]:
    last = experiment.options.training_steps
    return [
        path
        for path in list_checkpoints(model_dirs.checkpoint_dir(model_dir))
        if plan.selects(step_of(path), last)
    ]


def _not_scored(
    paths: list[str], experiment: Experiment, model_dir: str, plan: EvaluationPlan
) -> list[str]:
    """Those of the checkpoints that have no row measured as it would be measured now."""
    steps = {step_of(path) for path in paths}
    scored = {
        row.step
        for row in read_results(model_dir)
        if row.step in steps
        and experiment.evaluation.matches(
            row, experiment.dataset, experiment.eval_latents, plan.averaging_runs
        )
    }
    for path in paths:
        if step_of(path) in scored:
            _log.info("Step %d has been scored already.", step_of(path))
    return [path for path in paths if step_of(path) not in scored]
