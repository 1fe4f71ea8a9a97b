"""Pruning of a search: Optuna's pruners end trials early, by their scores at steps between.

It has nothing to do with `study prune`, which removes checkpoints, see `pruning`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare_gan.studies import records
from compare_gan.studies.definition import PruningDecision, StudyDefinition, Variant
from compare_gan.studies.measurements import measurements
from compare_gan.studies.records import RunRecord
from compare_gan.studies.searching import direction_of, final_value, import_optuna
from compare_gan.studies.summary import by_variant

# Successive halving: a trial goes on if it is among the best third of those at its step.
_REDUCTION_FACTOR = 3


def decide(study: StudyDefinition, runs: Sequence[RunRecord]) -> list[PruningDecision]:
    """Compares the trials all of whose runs have come to the step of their next comparison.

    The decisions depend on the scores at that step, on earlier decisions, and on which trials have
    ended, but not on the process.

    Args:
      study: The study, with the trials and the decisions that have been made.
      runs: Records of its runs, none of which is running.

    Returns:
      The decisions, in the order of the trials.

    Raises:
      UserError: Optuna is not installed, or the objective is not a score of the runs that has a
        better direction.

    Example:
      >>> from compare_gan.studies import define
      >>> from compare_gan.studies.trial_pruning import decide
      >>> decide(define(base="supervised_fashion_mnist"), [])
      []
    """
    made = by_variant(runs)
    due = [variant for variant in study.variants if _is_due(variant, made.get(variant.name, ()))]
    if not due:
        return []
    replay = _Replay(study, made, direction_of(study, runs))
    return [_decision(study, variant, made[variant.name], replay) for variant in due]


def describe(pruning: PruningDecision, objective: str) -> str:
    """What ended a trial that was pruned, in words.

    Args:
      pruning: The decision that ended it.
      objective: Name of the score that the search improves.

    Example:
      >>> from compare_gan.studies import PruningDecision
      >>> from compare_gan.studies.trial_pruning import describe
      >>> describe(PruningDecision({"loss.fn": "hinge"}, 500, 12.5, pruned=True), "fid")
      'pruned at step 500: fid 12.5'
    """
    reason = "a run diverged, or its score is not finite"
    if pruning.value is not None:
        reason = f"{objective} {pruning.value:.4g}"
    return f"pruned at step {pruning.step}: {reason}"


def _is_due(variant: Variant, runs: Sequence[RunRecord]) -> bool:
    """Whether the runs of a trial can be compared: all have come so far, and some would go on."""
    states = {run.state for run in runs}
    return records.PAUSED in states and states <= set(records.SETTLED)


def _decision(
    study: StudyDefinition, variant: Variant, runs: Sequence[RunRecord], replay: "_Replay"
) -> PruningDecision:
    step, objective = variant.stop or 0, study.objective or ""
    trial = {name: variant.axes[name] for name in study.searched}
    rows = [measurements(run).get(step, {}) for run in runs]
    if any(run.state == records.DIVERGED for run in runs):
        return PruningDecision(trial, step, None, pruned=True)  # It is worse than all others.
    if not all(objective in of_run for of_run in rows):
        return PruningDecision(trial, step, None, pruned=False)
    value = float(np.mean([of_run[objective].scores[objective].mean for of_run in rows]))
    if not math.isfinite(value):
        return PruningDecision(trial, step, None, pruned=True)
    return PruningDecision(trial, step, value, replay.prunes(variant, step, value))


class _Replay:
    """The search as Optuna would have seen it, with a pruner that has been asked as before.

    Args:
      study: The study.
      runs: The runs of each trial, by the name of its variant.
      direction: `minimize` or `maximize`.
    """

    def __init__(
        self, study: StudyDefinition, runs: Mapping[str, Sequence[RunRecord]], direction: str
    ):
        optuna = import_optuna()
        self._steps = study.pruning_steps
        sampler = optuna.samplers.RandomSampler(seed=0)  # No values are drawn.
        search = optuna.create_study(
            sampler=sampler, pruner=_pruner(optuna, study.pruner), direction=direction
        )
        self._trials = {variant.name: search.ask() for variant in study.variants}
        names = {tuple(variant.axes.items()): variant.name for variant in study.variants}
        for each in study.pruning_decisions:
            if each.value is not None and each.step in self._steps:
                labels = tuple((name, each.trial[name]) for name in study.searched)
                self._report(names[labels], each.step, each.value)
        for name, trial in self._trials.items():
            value = final_value(study, runs.get(name, ()))
            if value is not None and math.isfinite(value):
                search.tell(trial, value)

    def prunes(self, variant: Variant, step: int, value: float) -> bool:
        """Whether the pruner ends a trial with this value at this step."""
        return self._report(variant.name, step, value)

    def _report(self, name: str, step: int, value: float) -> bool:
        # One rung of successive halving for each step, whatever their distances.
        self._trials[name].report(value, _REDUCTION_FACTOR ** self._steps.index(step))
        return bool(self._trials[name].should_prune())


def _pruner(optuna: Any, name: str) -> Any:
    if name == "median":
        return optuna.pruners.MedianPruner()
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=1, reduction_factor=_REDUCTION_FACTOR
    )
