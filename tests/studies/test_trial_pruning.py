"""Pruning of searches: when trials are compared, which of them end, and what says so."""

import json

import pytest
from formula_executor import FormulaExecutor

from compare_gan.errors import UserError
from compare_gan.studies import Study, define, records
from compare_gan.studies.display import status_lines
from compare_gan.studies.results import format_results
from compare_gan.studies.table import StudyTable

_MEDIAN = {"pruner": "median", "pruning_steps": [2, 4], "sampler": "random"}
_HALVING = _MEDIAN | {"pruner": "successive_halving"}


def _decisions(study):
    return study.definition.pruning_decisions


def _states(found):
    return {record.state for record in found}


def test_the_median_pruner_ends_the_worse_half(search):
    study, executor = search(**_MEDIAN), FormulaExecutor()
    found = study.run(executor=executor)
    assert _states(found) == {"finished", "pruned"}
    # The first five trials are trained to the end; each is compared twice all the same.
    assert executor.stops[:15] == [2, 4, None] * 5
    completed = [each.value for each in _decisions(study)[:10:2]]
    for number, record in enumerate(found):
        values = [each for each in _decisions(study) if each.trial == record.axes]
        assert [each.step for each in values] == ([2] if values[0].pruned else [2, 4])
        if number < 5:
            assert record.state == "finished"
            continue
        completed.sort()
        middle = len(completed) // 2
        median = (completed[middle] + completed[-middle - 1]) / 2
        assert values[0].pruned == (values[0].value > median)
        if record.state == "finished":
            completed.append(values[0].value)
        else:
            assert record.pruning == values[0] and record.step == 2
