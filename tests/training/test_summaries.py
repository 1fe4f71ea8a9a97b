import json
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compare_gan.training.summaries import Progress, Summaries, read_log


def test_scalars_and_grids_reach_tensorboard_and_the_log(tmp_path):
    log = str(tmp_path / "log.jsonl")
    summaries = Summaries(log, str(tmp_path / "tensorboard"))
    summaries.scalars(10, {"loss/g_loss": 0.5, "loss/d_loss": float("nan")})
    summaries.scalars(20, {"loss/g_loss": 0.25, "loss/d_loss": 1.0})
    summaries.grid(20, "samples", np.zeros((4, 6, 1), np.uint8))
    summaries.text("gin", "options.batch_size = 4")
    summaries.flush()
    assert read_log(log) == [
        {"step": 10, "loss/g_loss": 0.5, "loss/d_loss": None},
        {"step": 20, "loss/g_loss": 0.25, "loss/d_loss": 1.0},
    ]
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()

    def read(name):
        return [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(name)]

    assert read("loss/g_loss") == [(10, 0.5), (20, 0.25)]
    [(step, (width, height, *_))] = read("samples")
    assert (step, width, height) == (20, b"6", b"4")
    [(_, text)] = read("gin")
    assert b"batch_size" in text.item()


def test_resuming_drops_the_rows_of_steps_that_will_be_repeated(tmp_path):
    log = str(tmp_path / "log.jsonl")
    first = Summaries(log, str(tmp_path / "tensorboard"))
    for step in (10, 20, 30):
        first.scalars(step, {"loss": 1.0})
    with open(log, "a") as file:
        file.write('{"step": 40, "lo')  # A kill in the middle of a line.
    Summaries(log, str(tmp_path / "tensorboard"), first_step=20).scalars(30, {"loss": 2.0})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [(row["step"], row["loss"]) for row in map(json.loads, lines)] == [
        (10, 1.0),
        (20, 1.0),
        (30, 2.0),
    ]


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("compare_gan.engine.progress.time.monotonic", lambda: now[0])
    return now


def test_progress_off_a_terminal_is_few_plain_lines(clock, capsys):
    progress = Progress(first_step=100, last_step=200)
    for step in range(101, 201):
        clock[0] += 1.0
        progress.update(step, 64.0, {"loss/discriminator": 1.0, "loss/generator": -0.5})
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11  # One every ten seconds from the first on, and the last.
    assert not any("\r" in line or "\x1b" in line for line in lines)
    assert lines[0] == "step 101/200: D 1.000, G -0.500, 64 images/s, 1:39 left"
    assert lines[-1] == "step 200/200: D 1.000, G -0.500, 64 images/s, 0:00 left"


def test_progress_on_a_terminal_is_one_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress(first_step=5, last_step=10)
    for step in (7, 10):
        progress.update(step, 64.0, {"loss/discriminator": 1.0, "loss/generator": -0.5})
    progress.close()
    shown = capsys.readouterr().err
    assert "\r" in shown and re.search(r"10/10.*64 images/s", shown)
