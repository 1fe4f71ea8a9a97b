"""Pruning of searches: when trials are compared, which of them end, and what says so."""

import json
import statistics

import pytest
from formula_executor import FormulaExecutor

from compare_gan.errors import UserError
from compare_gan.report.page import render
from compare_gan.report.study_page import study_page
from compare_gan.studies import Study, define
from compare_gan.studies.display import status_lines
from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.pruning import find_prunable
from compare_gan.studies.results import format_results
from compare_gan.studies.table import StudyTable

_MEDIAN = {"pruner": "median", "pruning_steps": [2, 4], "sampler": "random"}
_HALVING = _MEDIAN | {"pruner": "successive_halving"}


def _decisions(study):
    return study.definition.pruning_decisions


def test_the_median_pruner_ends_trials_worse_than_the_median_of_those_trained_to_the_end(search):
    study, executor = search(**_MEDIAN), FormulaExecutor()
    found = study.run(executor=executor)
    assert {record.state for record in found} == {"finished", "pruned"}
    # The first five are trained to the end; they are compared all the same.
    assert executor.stops[:15] == [2, 4, None] * 5
    completed = []
    for number, record in enumerate(found):
        [first, *later] = [each for each in _decisions(study) if each.trial == record.axes]
        assert first.step == 2
        assert first.pruned == (number >= 5 and first.value > statistics.median(completed))
        assert first.pruned == (record.state == "pruned") == (not later)
        if first.pruned:
            assert (record.pruning, record.step) == (first, 2)
            assert not final_measurement(record)
        else:
            completed.append(first.value)


def test_successive_halving_lets_the_best_third_go_on(search):
    study = search(**_HALVING, trials=20)
    found = study.run(executor=FormulaExecutor())
    assert {record.state for record in found} == {"finished", "pruned"}
    seen = {2: [], 4: []}
    for each in _decisions(study):
        values = seen[each.step]
        values.append(each.value)
        best = sorted(values)[: max(len(values) // 3, 1)]
        assert each.pruned == (each.value not in best)
    assert len(seen[2]) == 20 > len(seen[4])


def test_a_trial_has_the_mean_of_its_seeds_and_its_runs_end_together(search):
    study, executor = search(**_HALVING, seeds=2), FormulaExecutor(slots=4)
    found = study.run(executor=executor)
    by_variant = {}
    for record in found:
        by_variant.setdefault(record.variant, []).append(record.state)
    assert all(len(set(states)) == 1 for states in by_variant.values())
    # Two trials at a time come to the first step before either of them goes on.
    assert executor.stops[:4] == [2] * 4 and executor.stops[4] == 4
    assert all(record.attempts == 3 for record in found if record.state == "finished")  # Starts.


@pytest.mark.parametrize("options", [_MEDIAN | {"sampler": "tpe"}, _HALVING | {"seeds": 2}])
def test_an_interrupted_search_makes_the_same_decisions(search, options):
    whole, executor = search("whole", **options), FormulaExecutor(slots=2)
    expected = whole.run(executor=executor)
    starts = len(executor.names)
    for number in (1, 2, 3, 5, starts // 2):  # Of the starts of each command.
        executor = FormulaExecutor(slots=2)
        executor.interrupt_at = number
        with pytest.raises(KeyboardInterrupt):
            search("cut", **options).run(executor=executor)
    cut = search("cut", **options)
    found = cut.run(executor=FormulaExecutor(slots=2))
    assert cut.definition.trials_made == whole.definition.trials_made
    assert _decisions(cut) == _decisions(whole)
    assert [each.state for each in found] == [each.state for each in expected]
    assert Study(study_dir=cut.place.path).records() == found


def test_the_sampler_learns_from_pruned_trials(search):
    """TPE draws ten trials at random; those that follow depend on the values of pruned ones."""
    options = {"trials": 14, "sampler": "tpe"}
    whole, pruned = search("whole", **options), search("pruned", **_HALVING | options)
    for study in (whole, pruned):
        study.run(executor=FormulaExecutor())
    assert pruned.definition.trials_made[:10] == whole.definition.trials_made[:10]
    losses = [trial["loss.fn"] for trial in pruned.definition.trials_made[10:]]
    assert set(losses) == {"hinge"}  # The better one.


def test_a_divergence_ends_the_other_runs_of_its_trial(search, capsys):
    study = search("study", **_MEDIAN, seeds=2, trials=1)
    study.run(executor=FormulaExecutor())
    [variant] = study.definition.variants
    executor = FormulaExecutor()
    executor.diverge = (f"{variant.name}-seed2",)
    study = search("diverging", **_MEDIAN, seeds=2, trials=1)
    found = study.run(executor=executor)
    assert [record.state for record in found] == ["pruned", "diverged"]
    [decision] = _decisions(study)
    assert (decision.step, decision.value, decision.pruned) == (2, None, True)
    said = capsys.readouterr().err
    assert f"{variant.name}: pruned at step 2: a run diverged, or its score is not finite" in said


def test_runs_wait_for_one_of_their_trial_that_failed(search, capsys):
    whole = search("whole", **_MEDIAN, seeds=2, trials=2)
    whole.run(executor=FormulaExecutor())
    name = whole.runs[0].name
    executor = FormulaExecutor()
    executor.fail = (name,)
    study = search("failing", **_MEDIAN, seeds=2, trials=2)
    found = study.run(executor=executor, retries=0)
    assert sorted(record.state for record in found) == ["failed", "finished", "finished", "paused"]
    assert f"{name.replace('seed1', 'seed2')}: paused at step 2: fid" in capsys.readouterr().err
    found = study.run(executor=FormulaExecutor())
    assert {record.state for record in found} == {"finished"}
    assert {each.step: each.pruned for each in _decisions(study)} == {2: False, 4: False}


def test_seeds_that_are_added_later_follow_the_decisions_of_their_trial(search):
    study = search(**_HALVING, trials=4)
    before = {record.variant: record.state for record in study.run(executor=FormulaExecutor())}
    study.place.add_seeds(1)
    executor = FormulaExecutor()
    extended = search(**_HALVING, trials=4)
    found = extended.run(executor=executor)
    assert len(found) == 8
    assert all(record.state == before[record.variant] for record in found)
    assert set(executor.stops) == {None}
    assert _decisions(extended) == _decisions(study)


def test_everything_says_what_was_pruned(search):
    study = search(**_HALVING, trials=6, seeds=2)
    found = study.run(executor=FormulaExecutor())
    pruned = [record for record in found if record.state == "pruned"]
    variants = list(dict.fromkeys(record.variant for record in pruned))
    [first, *_] = pruned

    assert f"{len(pruned)} pruned" in status_lines("search", found)[0]
    table = StudyTable(found)
    assert {row["pruned_at_step"] for row in table.rows()} == {None, 2}
    assert {row["pruned_value"] for row in table.rows()} >= {None, first.pruning.value}
    assert all(row["fid"] is None for row in table.rows() if row["state"] == "pruned")
    note = "Pruned by the search, and in no mean: "
    [names] = [each.removeprefix(note) for each in table.notes() if each.startswith(note)]
    assert names == f"{', '.join(f'{name} (step 2)' for name in variants)}."
    assert table.notes()[0].startswith(
        "The variants were chosen by a search (random, pruner successive_halving) for the best fid"
    )
    for row in table.summary():
        assert row.pruned == (2 if row.variant in variants else 0)
        assert row.seeds + row.pruned == row.runs and row.unfinished == 0
    assert "| pruned |" in table.markdown()
    assert "0 of 2, 2 pruned" in format_results(table)
    # Pruned trials rank nowhere: their scores are those of a shorter training.
    for each in table.comparisons():
        assert each.improvement is None or not {each.first, each.second} & set(variants)
    assert not [row for row in table.step_rows() if row["is_final"] and row["run"] == first.name]

    with open(study.place.file("study.json")) as file:
        written = json.load(file)["definition"]
    assert written["pruner"] == "successive_halving" and written["pruning_steps"] == [2, 4]
    decisions = written["pruning_decisions"]
    assert {"trial": first.axes, "step": 2, "value": first.pruning.value, "pruned": True} in (
        decisions
    )
    assert find_prunable(found).size == 0

    page = study_page(found, study.definition)
    assert page.facts["pruned"] == len(pruned)
    [section] = [each for each in page.sections if each.title == "Pruned trials"]
    [trials] = section.blocks
    assert [row[-3:] for row in trials.rows][:1] == [[2, 6, first.pruning.value]]
    assert len(trials.rows) == len(variants)
    assert "pruner" in render(page)


def test_one_run_alone_comes_to_its_next_comparison(search):
    study = search(**_MEDIAN, trials=1)
    study.begin()
    trial = {"loss.fn": "hinge", "ModularGAN.g_lr": "0.01", "loss.margin": "1"}
    [run] = study.place.add_trials([trial]).runs
    executor = FormulaExecutor()
    for _ in range(2):  # The second time nothing is left to do.
        [record] = Study(study_dir=study.place.path, only=[run.name]).run(executor=executor)
        assert (record.state, record.step, executor.stops) == ("paused", 2, [2])
    [record] = search(**_MEDIAN, trials=1).run(executor=executor)
    assert (record.state, executor.stops) == ("finished", [2, 4, None])


def test_trials_that_have_begun_keep_their_pruner(search):
    search(**_MEDIAN, trials=1).run(executor=FormulaExecutor())
    with pytest.raises(UserError, match=r"begun with study.pruner = 'median' at the steps 2, 4"):
        search(**_MEDIAN | {"pruning_steps": [3]}, trials=1)
    with pytest.raises(UserError, match=r"the study now has study.pruner = 'none'"):
        search(trials=1)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"pruner": "medan"}, "Unknown study.pruner 'medan'. Did you mean 'median'?"),
        ({"pruning_steps": None}, "study.pruner needs study.pruning_steps"),
        ({"pruner": None}, "study.pruning_steps needs a study.pruner: 'median' or 'successive_"),
        ({"pruner": "none"}, "study.pruning_steps needs a study.pruner"),
        ({"pruning_steps": [2, 6]}, r"last step of training \(.*\), 6, received 6"),
        ({"pruning_steps": 6}, r"last step of training \(.*\), 6, received 6"),
        ({"pruning_steps": [2, "4"]}, "study.pruning_steps must be a positive integer"),
        ({"pruning_steps": []}, "study.pruning_steps is empty"),
        ({"trials": None, "objective": None}, "study.pruner is for a search: it needs study.trial"),
    ],
)
def test_mistakes_are_one_sentence(base, options, sentence):
    given = {"base": base, "axes": {"loss.fn": ["@hinge"]}, "trials": 3, "objective": "fid"}
    given |= {"pruner": "median", "pruning_steps": [2, 4]} | options
    with pytest.raises(UserError, match=sentence):
        define(**{name: each for name, each in given.items() if each is not None})


def test_an_interval_has_the_steps_below_the_longest_training(base):
    axes = {"options.training_steps": [4, 9]}
    options = {"trials": 2, "objective": "fid", "pruner": "median", "pruning_steps": 3}
    study = define(base=base, axes=axes, **options)
    assert study.pruning_steps == (3, 6)
    made = study.with_trials([{"options.training_steps": steps} for steps in ("4", "9")], [])
    assert [variant.stop for variant in made.variants] == [3, 3]
    assert study.from_json(json.loads(json.dumps(made.to_json()))) == made
