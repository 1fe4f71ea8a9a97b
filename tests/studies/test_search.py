"""Searches: which variants are chosen, and how tables say so; nothing is trained."""

import json
import math
import sys

import pytest
from formula_executor import FormulaExecutor

from compare_gan.errors import UserError
from compare_gan.studies import Study, StudyDir, define, inspection
from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.ranges import make_ranges
from compare_gan.studies.results import format_results
from compare_gan.studies.table import StudyTable

_AXES = {"loss.fn": ["@hinge", "@wasserstein"]}
_RANGES = {"ModularGAN.g_lr": ("log", 1e-5, 1e-1), "loss.margin": ("int", 1, 4)}


def _fid(record):
    return final_measurement(record)["fid"].scores["fid"].mean


def _best(records):
    return min(_fid(record) for record in records)


def test_tpe_finds_better_variants_than_the_first_ten_random_ones(search):
    executor = FormulaExecutor()
    records = search(trials=20).run(executor=executor)
    assert len(executor.names) == len(records) <= 20
    assert all(record.state == "finished" for record in records)
    assert _best(records) < _best(records[:10])
    # It concentrates on the better loss; of random ones half have it.
    assert sum(record.axes["loss.fn"] == "hinge" for record in records[10:]) >= 8


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_goes_on_makes_the_same_choices(search, sampler):
    whole = search("whole", sampler=sampler, trials=12)
    whole.run(executor=FormulaExecutor())
    for trials in (1, 12):  # More trials of the same study, each by another process.
        part = search("parts", sampler=sampler, trials=trials)
        part.run(executor=FormulaExecutor())
        assert len(part.definition.trials_made) == trials
    assert part.definition.trials_made == whole.definition.trials_made
    assert Study(study_dir=part.place.path).records() == part.records()
    executor = FormulaExecutor()
    assert part.run(executor=executor) == part.records()
    assert executor.names == []
    other = search("other", sampler=sampler, trials=1, search_seed=4)
    other.run(executor=FormulaExecutor())
    assert other.definition.trials_made != whole.definition.trials_made[:1]


def test_as_many_trials_are_made_at_a_time_as_there_are_slots(search):
    study = search(trials=5, seeds=2)
    counts = []
    add = study.place.add_trials
    study.place.add_trials = lambda trials: counts.append(len(trials)) or add(trials)
    records = study.run(executor=FormulaExecutor(slots=4))
    assert counts == [2, 2, 1]
    assert len(records) == 10


def test_divergence_counts_as_worse_than_all_scores(search):
    study = search(trials=12)
    records = study.run(executor=FormulaExecutor())
    best = min(records[:10], key=_fid)
    executor = FormulaExecutor()
    executor.diverge = (best.name,)
    other = search("diverging", trials=12)
    assert "diverged" in [record.state for record in other.run(executor=executor)]
    # The first ten are random; those that follow know of the divergence.
    assert other.definition.trials_made[:10] == study.definition.trials_made[:10]
    assert other.definition.trials_made[10:] != study.definition.trials_made[10:]


def test_tables_say_that_the_variants_were_searched(search):
    study = search(trials=2)
    study.run(executor=FormulaExecutor())
    table = StudyTable(study.records())
    assert table.notes()[0].startswith(
        "The variants were chosen by a search (tpe) for the best fid: the best ones look better"
    )
    assert {row["chosen_by"] for row in table.rows()} == {"a search (tpe) for the best fid"}
    assert "were chosen by a search" in table.markdown()
    assert "were chosen by a search" in format_results(table)
    with open(study.place.file("study.json")) as file:
        written = json.load(file)["definition"]
    assert (written["objective"], written["sampler"], written["trials"]) == ("fid", "tpe", 2)
    assert len(written["trials_made"]) == 2


def test_trials_outside_of_a_changed_space_are_left_out(search, tmp_path):
    search(trials=8).run(executor=FormulaExecutor())
    axes = {"loss.fn": ["@hinge"]}
    ranges = {"ModularGAN.g_lr": ("log", 1e-4, 1e-1), "loss.margin": ("int", 1, 4)}
    study = search(trials=8, axes=axes, search=ranges)
    kept = study.definition.trials_made
    assert 0 < len(kept) < 8
    assert all(trial["loss.fn"] == "hinge" for trial in kept)
    assert all(float(trial["ModularGAN.g_lr"]) >= 1e-4 for trial in kept)
    assert len(StudyDir(tmp_path / "study").definition().trials_made) == 8  # Nothing is written.
    study.run(executor=FormulaExecutor())
    assert len(study.definition.trials_made) == 8


def test_an_unknown_objective_is_one_sentence(search):
    with pytest.raises(UserError, match=r"the runs have no score 'fidd'. Did you mean 'fid'?"):
        search(objective="fidd").run(executor=FormulaExecutor())


def test_one_process_makes_a_search(search):
    study = search()
    with study.place.claim("search"), pytest.raises(UserError, match="Another process makes"):
        study.run(executor=FormulaExecutor())


def test_labels_are_in_the_range_and_short():
    ranges = make_ranges(_RANGES | {"G.x": ("uniform", 0.12344, 1)})
    assert ranges["G.x"].label(0.123441) == "0.12344"
    assert ranges["G.x"].label(0.56789123) == "0.5679"
    assert ranges["ModularGAN.g_lr"].label(1.23456e-5) == "1.235e-05"
    assert ranges["loss.margin"].label(3) == "3"
    assert ranges["loss.margin"].value("3").bindings == ("loss.margin = 3",)
    assert not ranges["loss.margin"].has("5")
    assert not ranges["loss.margin"].has("hinge")


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"trials": None}, "study.search is for a search: it needs study.trials"),
        ({"trials": 0}, "study.trials must be a positive integer"),
        ({"objective": None}, "needs study.objective, the name of a score"),
        ({"axes": None, "search": None}, "needs study.axes or study.search"),
        ({"exclude": [{"loss.fn": "hinge"}]}, "study.exclude is not possible in a search"),
        ({"sampler": "tpi"}, "Unknown study.sampler 'tpi'. Did you mean 'tpe'?"),
        ({"search": {"loss.fn": ("int", 1, 2)}}, "both bind loss.fn: only one of them may"),
        ({"search": {"lr": ("int", 1, 2)}}, "study.search must name parameters"),
        ({"search": {"G.x": (1, 2)}}, r"must be a kind and two ends, such as \('log'"),
        ({"search": {"G.x": ("lot", 1, 2)}}, "received 'lot'. Did you mean 'log'?"),
        ({"search": {"G.x": ("log", 0, 2)}}, "0 < low < high must hold"),
        ({"search": {"G.x": ("int", 1.5, 2)}}, "the ends must be integers, received 1.5"),
        ({"search": {"G.x": ("uniform", 1, math.inf)}}, "the ends must be numbers"),
        ({"search": ["G.x"]}, "study.search must be a dict of ranges"),
    ],
)
def test_mistakes_are_one_sentence(base, options, sentence):
    given = {"base": base, "axes": _AXES, "search": _RANGES, "trials": 3, "objective": "fid"}
    with pytest.raises(UserError, match=sentence):
        define(**{name: each for name, each in (given | options).items() if each is not None})


def test_the_command_of_a_search(run_command, base, tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "inspect_apart", lambda *_: {})
    searched, grid = tmp_path / "searched.gin", tmp_path / "grid.gin"
    grid.write_text(f"study.base = {base!r}\nstudy.axes = {{'loss.fn': [@hinge, @wasserstein]}}\n")
    searched.write_text(f"{grid.read_text()}study.trials = 3\nstudy.objective = 'fid'\n")
    run = ("study", "run", "--study_dir", tmp_path / "study")
    for arguments, sentence in (
        ([*run, searched], "The study is a search (study.trials): add --search optuna."),
        ([*run, grid, "--search", "optuna"], "--search needs a study with study.trials"),
        (
            ["study", "script", "--for", "slurm", *run[2:], searched],
            "The study is a search, whose trials depend on those before",
        ),
    ):
        status, _, err = run_command(*arguments)
        assert (status, sentence in err) == (2, True), err
    status, out, _ = run_command(*run, searched, "--search", "optuna", "--dry-run")
    assert status == 0
    assert "3 trials are still to be chosen" in out
    monkeypatch.setitem(sys.modules, "optuna", None)
    status, _, err = run_command(*run, searched, "--search", "optuna")
    assert status == 2
    assert 'pip install "compare_gan[optuna]"' in err
    assert not (tmp_path / "study").exists()
