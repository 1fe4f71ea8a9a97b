"""Progress of long work, with clocks that the tests move."""

import queue
import sys

import pytest

from compare_gan import engine
from compare_gan.engine import progress


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(name="announcements")
def _announcements(monkeypatch):
    """A queue of the lines about work that goes on, the first of which comes soon."""
    lines = queue.Queue()
    monkeypatch.setattr(progress, "PATIENCE", 1e-4)
    monkeypatch.setattr(progress, "say", lines.put)
    return lines


def test_quick_work_shows_nothing(clock, capsys):
    for _ in engine.tracked(range(40), "images", total=40):
        clock[0] += 0.1
    assert not capsys.readouterr().err


def test_long_work_shows_its_count_and_the_time_left(clock, capsys):
    batches = [2] * 20
    for _ in engine.tracked(batches, "images", total=40, size=int):
        clock[0] += 2.0
    lines = [line for line in capsys.readouterr().err.splitlines() if "so far" not in line]
    # After 5 s, then every 10 s, and at the end.
    assert lines == [
        "images 6/40, 0:34 left",
        "images 16/40, 0:24 left",
        "images 26/40, 0:14 left",
        "images 36/40, 0:04 left",
        "images 40/40, 0:00 left",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    ((4, []), (11, ["0:05", "0:10"]), (200, ["0:05", "0:10", "0:20", "0:40", "1:20", "2:20"])),
)
def test_work_of_unknown_length_is_announced_ever_more_rarely(clock, capsys, seconds, shown):
    class Work:
        def wait(self, pause):
            clock[0] += pause
            return clock[0] >= seconds

    progress._announce("Compiling", Work())
    expected = [f"Compiling, {passed} so far" for passed in shown]
    assert capsys.readouterr().err.splitlines() == expected


def test_work_is_announced_while_it_goes_on(announcements):
    with engine.announced("Compiling"):
        assert announcements.get(timeout=300) == "Compiling, 0:00 so far"


def test_the_first_item_is_announced_too(announcements):
    def slowly():
        assert announcements.get(timeout=300) == "images 0/1, 0:00 so far"
        yield 1

    assert list(engine.tracked(slowly(), "images", total=1)) == [1]


def test_items_and_errors_pass_unchanged():
    seen = []
    with pytest.raises(ZeroDivisionError):
        for item in engine.tracked((1 // (2 - i) for i in range(5)), "items", total=5):
            seen.append(item)
    assert seen == [0, 1]
    assert list(engine.tracked([], "items", total=0)) == []


def test_a_closed_standard_error_ends_no_work(monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError

        flush = isatty = lambda self: False

    monkeypatch.setattr(sys, "stderr", Closed())
    progress.say("a line")
    line = engine.ProgressLine("step", 0, 10)
    line.update(5, "loss 1")
    line.close()


def test_stages_add_up(clock):
    stages = engine.Stages(started=-1.5)
    clock[0] += 1.0
    with stages.stage("data", "Reading"):
        clock[0] += 2.0
    with stages.stage("build"):
        clock[0] += 0.25
    with stages.stage("data"):
        clock[0] += 3.0
    assert stages.seconds == {"import": 1.5, "data": 5.0, "build": 0.25}
    assert str(stages) == "7.8 s: import 1.5 s, data 5.0 s, build 0.2 s, other 1.0 s"


def test_a_stage_inside_another_counts_once(clock):
    stages = engine.Stages()
    with stages.stage("trace"):
        clock[0] += 1.0
        for seconds in (2.0, 4.0):
            with stages.stage("convolutions"):
                clock[0] += seconds
        clock[0] += 8.0
    assert stages.seconds == {"trace": 9.0, "convolutions": 6.0}
    assert str(stages) == "15.0 s: trace 9.0 s, convolutions 6.0 s"
