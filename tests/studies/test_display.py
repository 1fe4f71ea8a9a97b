"""The table of a study's progress, on a terminal and elsewhere; estimates; the table of scores."""

import io

import pytest
import synthetic_study

from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.studies import RunRecord, StudyTable
from compare_gan.studies.display import Display, status_lines
from compare_gan.studies.estimates import bytes_per_run, seconds_left
from compare_gan.studies.results import format_results


def _record(name, state="waiting", fid=None, **values):
    variant, _, seed = name.partition("-")
    about = dict(variant=variant, axes={}, seed=int(seed or 1), steps=100)
    rows = ()
    if fid is not None:
        rows = (ResultRow(100, {"fid": Score(fid, 0.0)}, synthetic_study.provenance()),)
    return RunRecord(name=name, state=state, rows=rows, **about | values)


_RUNS = [
    _record("a-1", "finished", 1.0, step=100, wall_seconds=50.0, images_per_second=200.4),
    _record("a-2", "finished", 2.0, step=100, wall_seconds=70.0),
    _record("a-3", "running", step=50, wall_seconds=30.0),
    _record("b-1", "diverged", step=10),
    _record("b-2", "running", step=100, wall_seconds=50.0),
    _record("b-3"),
]


def test_the_table_has_a_line_for_each_run():
    assert status_lines("losses", _RUNS, slots=2) == [
        "losses: 6 runs: 1 diverged, 2 finished, 2 running, 1 waiting, about 1:00 left",
        "run  state     step     images/s  fid  left",
        "a-1  finished  100/100  200       1",
        "a-2  finished  100/100            2",
        "a-3  running   50/100                  0:30",
        "b-1  diverged  10/100",
        "b-2  scoring   100/100",
        "b-3  waiting",
    ]


def test_a_small_terminal_shows_running_runs_first():
    lines = status_lines("losses", _RUNS, most=5)
    assert [line.split()[0] for line in lines] == ["losses:", "run", "a-3", "b-2", "…"]
    assert lines[-1] == "… 1 more diverged, 2 more finished, 1 more waiting"
    assert len(status_lines("losses", _RUNS, most=8)) == 8


def test_a_narrow_terminal_shortens_names_before_numbers():
    runs = [_record("non_saturating_gp-12", "running", step=50, wall_seconds=30.0)]
    assert status_lines("losses", runs, width=52)[1:] == [
        "run           state    step    images/s  score  left",
        "non_s…_gp-12  running  50/100                   0:30",
    ]


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_is_repainted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "6")
    stream = _Terminal()
    display = Display("losses", stream)
    display.show(_RUNS, slots=2)
    first = stream.getvalue()
    assert first.count("\n") == 5
    assert max(map(len, first.splitlines())) == 29
    display.say("a-3: finished\x1b[2J")
    display.show(_RUNS, slots=2)
    assert stream.getvalue() == f"{first}\x1b[5F\x1b[Ja-3: finished\\x1b[2J\n{first}"
    display.close(_RUNS)
    assert stream.getvalue().endswith("2 running, 1 waiting\n")


def test_elsewhere_a_line_is_written_when_a_run_has_ended():
    stream = io.StringIO()
    display = Display("losses", stream)
    display.show(_RUNS[2:3], slots=1)
    display.show(_RUNS[2:3], slots=1)
    display.show([_record("a-3", "finished")], slots=1)
    assert stream.getvalue().splitlines() == [
        "losses: 1 run: 1 running, about 0:30 left",
        "losses: 1 run: 1 finished",
    ]


def test_the_time_left_follows_finished_runs_and_then_running_ones():
    waiting = [_record(f"c-{i}", steps=200) for i in range(3)]
    assert seconds_left(waiting, slots=1) is None
    assert seconds_left([_record("a", "running", step=10, wall_seconds=20.0)], 1) == 180.0
    finished = [_record("a", "finished", wall_seconds=50.0)]
    assert seconds_left([*finished, *waiting], slots=2) == pytest.approx(150.0)
    assert seconds_left([*finished, *waiting], slots=8) == pytest.approx(100.0)


def test_the_size_of_runs_is_that_of_finished_ones(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "a").write_bytes(b"12345")
    done = _record("a", "finished", model_dir=str(tmp_path))
    assert bytes_per_run([done, _record("b")]) == 5
    assert bytes_per_run([_record("b")]) is None


def test_final_scores_are_means_over_seeds():
    assert format_results(StudyTable(_RUNS)).splitlines() == [
        "variant  fid          finished",
        "a        1.50 ± 0.71  2 of 3",
        "b        –            0 of 3, 1 diverged",
        "± is the standard deviation over seeds.",
    ]


@pytest.mark.parametrize(
    "scores, expected",
    [
        ((160.0719, 160.0767), "160.0743 ± 0.0034"),
        ((100.0, 160.0), "130 ± 42"),
        ((12.0, 12.0), "12 ± 0"),
        ((87.1, 87.1 + 1e-9), "87.10000 ± 7.1e-10"),
    ],
)
def test_a_mean_has_the_decimals_of_its_deviation(scores, expected):
    runs = [_record(f"a-{i + 1}", "finished", score) for i, score in enumerate(scores)]
    assert f" {expected} " in format_results(StudyTable(runs))
