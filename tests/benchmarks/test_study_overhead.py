"""The benchmark of the study engine: a tiny study beside the same runs alone."""

import importlib.util
import json
import pathlib
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location(
    "study_overhead", _ROOT / "benchmarks" / "study_overhead.py"
)
study_overhead = importlib.util.module_from_spec(_SPEC)
sys.modules["study_overhead"] = study_overhead  # Dataclasses look for their module.
_SPEC.loader.exec_module(study_overhead)


def test_the_parts_of_a_study_are_those_of_its_journal(tmp_path):
    entries = [
        {"event": "start", "run": "a", "time": 105.0},
        {"event": "end", "run": "a", "time": 115.5, "wall_seconds": 10.0},
        {"event": "start", "run": "b", "time": 115.75},
        {"event": "end", "run": "b", "time": 126.25, "wall_seconds": 10.0},
    ]
    journal = tmp_path / "journal.jsonl"
    journal.write_text("\n".join(map(json.dumps, entries)))
    assert study_overhead.journal_parts(journal, began=100.0, ended=127.0) == {
        "before the first run, per study": 5.0,
        "between two runs": 0.25,
        "start and end of a run's process, noticed": 0.5,
        "after the last run, per study": 0.75,
    }


def test_the_time_of_commands_includes_their_processes(monkeypatch):
    code = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass"
    monkeypatch.setattr(study_overhead, "_COMMAND", (sys.executable, "-S", "-c", code))
    seconds = study_overhead.timed([["0.2"], ["0.2"]])
    assert 0.4 <= seconds.processor < 2 and seconds.wall >= 0.4
    with pytest.raises(RuntimeError, match="could not convert"):
        study_overhead.timed([["none"]])


def test_the_table_has_medians_and_quartiles():
    rounds = [{"overhead per run": value} for value in (1.0, 2.0, 3.0)]
    assert study_overhead.table(rounds).splitlines() == [
        "| part | seconds |",
        "|---|---|",
        "| overhead per run | 2.00 (1.50–2.50) |",
    ]


@pytest.mark.slow
def test_a_round_measures_a_study_and_its_runs(tmp_path):
    parts = study_overhead.one_round(tmp_path, 1, study_first=True)
    assert parts["a run alone, processor time"] > 1  # It imports the engine.
    assert parts["before the first run, per study"] > 0.5  # So does the study, for its checks.
    for name in ("study", "alone"):
        assert list(tmp_path.glob(f"{name}/runs/*/results.jsonl"))
