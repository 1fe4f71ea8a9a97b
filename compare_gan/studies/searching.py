"""Searches: Optuna chooses the variants of a study, from the scores of those before."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare_gan.errors import UserError, with_known_names
from compare_gan.metrics.directions import better_direction
from compare_gan.studies import records
from compare_gan.studies.definition import StudyDefinition
from compare_gan.studies.measurements import final_measurement, score_names
from compare_gan.studies.records import RunRecord


def propose(study: StudyDefinition, runs: Sequence[RunRecord], count: int) -> list[dict[str, str]]:
    """The next trials of a search: for each axis and range, by name, a label.

    They depend on the seed of the search and on the scores of its trials alone, and not on the
    process: a search that is interrupted and resumed makes the same choices.

    Args:
      study: The study, with the trials that have been made.
      runs: Records of its runs, which have ended.
      count: Number of trials.

    Raises:
      UserError: Optuna is not installed, or the objective is not a score of the runs that has a
        better direction.
    """
    optuna = import_optuna()
    distributions = _distributions(optuna, study)
    # A sampler for each proposal: the state of one would be lost with the process.
    entropy = [study.search_seed, len(study.trials_made)]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    search = optuna.create_study(
        sampler=samplers[study.sampler](seed=seed), direction=direction_of(study, runs)
    )
    by_labels: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        by_labels.setdefault(tuple(run.axes.values()), []).append(run)
    for trial in study.trials_made:
        made = by_labels[tuple(trial[name] for name in study.searched)]
        parameters = {
            name: study.search[name].number(label) if name in study.search else label
            for name, label in trial.items()
        }
        search.add_trial(
            optuna.trial.create_trial(
                params=parameters, distributions=distributions, **_outcome(optuna, study, made)
            )
        )
    asked = [search.ask(distributions) for _ in range(count)]
    return [
        {
            name: study.search[name].label(value) if name in study.search else value
            for name, value in trial.params.items()
        }
        for trial in asked
    ]


def import_optuna() -> Any:
    """The module of Optuna.

    Raises:
      UserError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            f'Optuna cannot be imported ({error}): `pip install "compare_gan[optuna]"` installs it.'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distributions(optuna: Any, study: StudyDefinition) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: optuna.distributions.CategoricalDistribution(list(values))
        for name, values in study.axes.items()
    }
    for name, each in study.search.items():
        if each.kind == "int":
            found[name] = optuna.distributions.IntDistribution(each.low, each.high)
        else:
            found[name] = optuna.distributions.FloatDistribution(
                each.low, each.high, log=each.kind == "log"
            )
    return found


def _outcome(optuna: Any, study: StudyDefinition, runs: Sequence[RunRecord]) -> Mapping[str, Any]:
    """The state and the value of a trial."""
    states = optuna.trial.TrialState
    if any(run.state == records.DIVERGED for run in runs):
        # Optuna's samplers take a pruned trial without a value for worse than all others.
        return {"state": states.PRUNED}
    pruning = next((run.pruning for run in runs if run.pruning), None)
    if pruning is not None:
        # Those that have come farther count as better, then those with a better value.
        values = {} if pruning.value is None else {pruning.step: pruning.value}
        return {"state": states.PRUNED, "intermediate_values": values}
    value = final_value(study, runs)
    if value is None:
        return {"state": states.FAIL}
    return {"state": states.COMPLETE, "value": value}


def final_value(study: StudyDefinition, runs: Sequence[RunRecord]) -> float | None:
    """The value of a trial: the mean of the objective over its seeds; None before all have it.

    Args:
      study: The study.
      runs: The runs of the trial.
    """
    name = study.objective or ""
    finals = [final_measurement(run) for run in runs]
    scores = [rows[name].scores[name].mean for rows in finals if name in rows]
    return float(np.mean(scores)) if scores and len(scores) == len(runs) else None


def direction_of(study: StudyDefinition, runs: Sequence[RunRecord]) -> str:
    """`minimize` or `maximize`; nothing depends on it before there are scores.

    Args:
      study: The study.
      runs: Records of its runs.

    Raises:
      UserError: The objective is not a score of the runs that has a better direction.
    """
    known = score_names(runs)
    if not known:
        return "minimize"
    name = study.objective or ""
    if name not in known:
        raise UserError(
            with_known_names(f"study.objective: the runs have no score '{name}'.", name, known)
        )
    extractor = next(
        row.provenance.extractor for run in runs for row in run.rows if name in row.scores
    )
    better = better_direction(name, extractor)
    if better is None:
        raise UserError(f"study.objective: neither lower nor higher values of '{name}' are better.")
    return "minimize" if better == "lower" else "maximize"
