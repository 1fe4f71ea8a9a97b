"""What a `--schedule` does: train, train and evaluate, or evaluate what another process trains."""

import dataclasses
import logging
import os
import time

from compare_gan.errors import UserError
from compare_gan.evaluation.evaluate import EvaluationOptions, evaluate_generator
from compare_gan.evaluation.results import format_scores, read_results, write_results
from compare_gan.training import model_dir as model_dirs
from compare_gan.training.checkpoints import list_checkpoints, step_of
from compare_gan.training.trainer import Experiment, Trainer

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
    if schedule == "continuous_eval":
        _evaluate_continuously(experiment, model_dir, plan)
        return
    trainer = Trainer(experiment, model_dir)
    if schedule == "eval_after_train":
        # A metric or extractor that cannot be had is told now, not after the training.
        EvaluationOptions().check(experiment.dataset.name)
    model_dirs.write_description(model_dir, experiment.dataset)
    trainer.train()
    if schedule == "eval_after_train":
        last = experiment.options.training_steps
        paths = [p for p in list_checkpoints(model_dir) if plan.selects(step_of(p), last)]
        evaluate_checkpoints(experiment, model_dir, _not_scored(paths, model_dir), plan)


def evaluate_checkpoints(
    experiment: Experiment, model_dir: str, paths: list[str], plan: EvaluationPlan
) -> None:
    """Scores checkpoints, one after the other; adds to scores.csv and results.jsonl.

    Models are built from the bindings that gin holds, which must be those of the run.
    """
    for path in paths:
        model = model_dirs.restore_trained(model_dir, path)
        rows = evaluate_generator(
            model.generator,
            experiment.dataset,
            z_dim=model.z_dim,
            conditional=model.num_classes is not None,
            averaging_runs=plan.averaging_runs,
            averaged_weights=model.averaged,
            step=model.step,
        )
        write_results(rows, model_dir, plan.score_filename)
        print(format_scores(rows))


def _evaluate_continuously(experiment: Experiment, model_dir: str, plan: EvaluationPlan) -> None:
    """Evaluates checkpoints as they appear, until that of the last training step is done."""
    last = experiment.options.training_steps
    done: set[str] = set()
    while True:
        if os.path.exists(os.path.join(model_dir, model_dirs.DIVERGED)):
            raise UserError(f"The run in '{model_dir}' has diverged; nothing more will come.")
        found = [p for p in list_checkpoints(model_dir) if plan.selects(step_of(p), last)]
        new = _not_scored([p for p in found if p not in done], model_dir)
        evaluate_checkpoints(experiment, model_dir, new, plan)
        done.update(found)
        if any(step_of(path) == last for path in found):
            return
        if not new:
            _log.info("Waiting for checkpoints in %s.", model_dir)
            time.sleep(_POLL_SECONDS)


def _not_scored(paths: list[str], model_dir: str) -> list[str]:
    scored = {row.step for row in read_results(model_dir)}
    return [path for path in paths if step_of(path) not in scored]
