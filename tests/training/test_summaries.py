import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compare_gan.plots import encode_png
from compare_gan.training.progress import Progress
from compare_gan.training.summaries import Summaries, read_log
from compare_gan.training.tensorboard_events import EventWriter


def _events(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def test_scalars_and_grids_reach_tensorboard_and_the_log(tmp_path):
    log = str(tmp_path / "log.jsonl")
    summaries = Summaries(log, str(tmp_path / "tensorboard"))
    summaries.scalars(10, {"loss/g_loss": 0.5, "loss/d_loss": float("nan")})
    summaries.scalars(20, {"loss/g_loss": 0.25, "loss/d_loss": 1.0})
    summaries.picture(20, "samples", encode_png(np.zeros((4, 6, 1), np.uint8)))
    summaries.text("gin", "options.batch_size = 4")
    summaries.close()
    assert read_log(log) == [
        {"step": 10, "loss/g_loss": 0.5, "loss/d_loss": None},
        {"step": 20, "loss/g_loss": 0.25, "loss/d_loss": 1.0},
    ]
    events = _events(tmp_path / "tensorboard")

    def read(name):
        return [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(name)]

    assert read("loss/g_loss") == [(10, 0.5), (20, 0.25)]
    [(step, (width, height, *_))] = read("samples")
    assert (step, width, height) == (20, b"6", b"4")
    [(_, text)] = read("gin")
    assert b"batch_size" in text.item()
    with pytest.raises(ValueError, match="closed file"):
        summaries.text("gin", "written after the end")


def test_tensorboard_reads_the_same_as_from_tensorflow(tmp_path):
    """Tags, steps, values, plugins and shapes; wall times to a second; pixels of pictures."""
    picture = np.random.RandomState(0).randint(0, 255, (5, 7, 3), np.uint8)
    points = {step: {"loss/a": step / 3, "b": float("nan")} for step in (0, 10, 2**33)}
    theirs = tf.summary.create_file_writer(str(tmp_path / "tensorflow"))
    for step, values in points.items():
        with theirs.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
            tf.summary.image("samples", picture[None])
            tf.summary.image("grey", picture[None, ..., :1])
            tf.summary.text("gin", "# Überschrift")
    theirs.flush()
    ours = EventWriter(str(tmp_path / "ours"))
    for step, values in points.items():
        ours.scalars(step, values)
        ours.picture(step, "samples", encode_png(picture))
        ours.picture(step, "grey", encode_png(picture[..., :1]))
        ours.text(step, "gin", "# Überschrift")
    ours.flush()
    expected, actual = _events(tmp_path / "tensorflow"), _events(tmp_path / "ours")
    assert actual.Tags() == expected.Tags()
    names = expected.Tags()["tensors"]
    assert sorted(names) == ["b", "gin", "grey", "loss/a", "samples"]
    for name in names:
        assert actual.SummaryMetadata(name) == expected.SummaryMetadata(name)
        pairs = list(zip(actual.Tensors(name), expected.Tensors(name), strict=True))
        assert [ours.step for ours, _ in pairs] == [0, 10, 2**33]
        for ours, theirs in pairs:
            assert ours.step == theirs.step and abs(ours.wall_time - theirs.wall_time) < 60
            value, wanted = map(tf.make_ndarray, (ours.tensor_proto, theirs.tensor_proto))
            assert value.dtype == wanted.dtype and value.shape == wanted.shape
            if name in ("samples", "grey"):
                np.testing.assert_array_equal(value[:2], wanted[:2])
                pixels, shown = (tf.io.decode_png(each[2]).numpy() for each in (value, wanted))
                np.testing.assert_array_equal(pixels, shown)
            else:
                np.testing.assert_array_equal(value, wanted)
    file_names = [next((tmp_path / each).iterdir()).name for each in ("tensorflow", "ours")]
    assert len({re.sub(r"\d{10}\..+(?=\.v2$)", "", name) for name in file_names}) == 1


def test_scalars_can_be_watched_while_the_run_goes_on(tmp_path):
    summaries = Summaries(str(tmp_path / "log.jsonl"), str(tmp_path / "tensorboard"))
    summaries.scalars(10, {"loss": 0.5})
    assert [each.step for each in _events(tmp_path / "tensorboard").Tensors("loss")] == [10]


def test_a_resumed_run_continues_the_curves_in_a_new_file(tmp_path):
    for first_step in (0, 10):
        summaries = Summaries(str(tmp_path / "log.jsonl"), str(tmp_path / "tb"), first_step)
        summaries.scalars(first_step + 10, {"loss": float(first_step)})
    assert len(list((tmp_path / "tb").iterdir())) == 2
    assert [each.step for each in _events(tmp_path / "tb").Tensors("loss")] == [10, 20]


def test_without_tensorboard_a_run_has_its_log_and_one_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    monkeypatch.delitem(sys.modules, EventWriter.__module__)
    monkeypatch.delattr("compare_gan.training.tensorboard_events")
    log = str(tmp_path / "log.jsonl")
    summaries = Summaries(log, str(tmp_path / "tensorboard"))
    for step in (10, 20):
        summaries.scalars(step, {"loss": 0.5})
    summaries.picture(20, "samples", encode_png(np.zeros((4, 6, 1), np.uint8)))
    summaries.text("gin", "options.batch_size = 4")
    summaries.close()
    assert [row["step"] for row in read_log(log)] == [10, 20]
    assert not (tmp_path / "tensorboard").exists()
    [warning] = caplog.messages
    assert "tensorboard" in warning and "log.jsonl" in warning


_WITHOUT_TENSORFLOW = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("events", sys.argv[1])
events = importlib.util.module_from_spec(spec)
spec.loader.exec_module(events)
writer = events.EventWriter(sys.argv[2])
writer.scalars(3, {"loss": 0.5})
writer.flush()
assert not {"tensorflow", "keras", "jax"} & set(sys.modules)
"""


def test_events_are_written_without_tensorflow_although_it_is_installed(tmp_path):
    source = importlib.util.find_spec(EventWriter.__module__).origin
    folder = tmp_path / "tensorboard"
    subprocess.run(
        [sys.executable, "-c", _WITHOUT_TENSORFLOW, source, str(folder)],
        check=True,
        cwd=pathlib.Path(__file__).parents[2],
    )
    assert [each.step for each in _events(folder).Tensors("loss")] == [3]


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
