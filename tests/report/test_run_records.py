"""What the text files of a run directory show, read from files that are written by hand."""

import dataclasses
import json
import os
import time

import pytest

from compare_gan import files, locks, registry
from compare_gan.evaluation.provenance import NOT_RECORDED, Provenance
from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.report import run_config, run_curves, run_records
from compare_gan.report.absent import AbsentError
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainings_file import Training

_CONFIG = """import my_parts
RATE = 0.001
loss.fn = @hinge
ModularGAN.g_lr = %RATE
my_layer.size = 3
options.batch_size = 8
options.training_steps = 100
options.z_dim = 128
"""


@pytest.fixture(autouse=True, scope="module")
def _parts():
    registry.load_all()


@pytest.fixture(name="run")
def _run(tmp_path):
    files.write_text(str(tmp_path / "config.gin"), _CONFIG)
    return RunDir(tmp_path)


def _log(run, *rows):
    files.write_text(run.log, "".join(f"{json.dumps(row)}\n" for row in rows))


def _row(step, fid):
    provenance = Provenance(**{each.name: NOT_RECORDED for each in dataclasses.fields(Provenance)})
    return ResultRow(step, {"fid": Score(fid, 0.0)}, provenance)


def test_the_state_follows_from_note_lock_and_steps(run):
    def state():
        return run_records.summarize(run).state

    assert state() == "not started"
    _log(run, {"step": 50, "images_per_second": 10.0}, {"step": 60, "images_per_second": 30.0})
    assert state() == "interrupted"
    with run.lock:
        assert state() == "training"
    _log(run, {"step": 100})
    assert state() == "finished"
    run.mark_diverged(100, ["loss"])
    summary = run_records.summarize(run)
    assert (summary.state, summary.divergence) == ("diverged", "step 100 (loss)")


def test_the_summary_of_a_run_without_data_description(run):
    _log(run, *({"step": i, "images_per_second": float(i)} for i in (10, 18, 22, 30)))
    summary = run_records.summarize(run)
    assert (summary.step, summary.steps, summary.images_seen) == (30, 100, 240)
    assert (summary.images_per_second, summary.dataset) == (20.0, None)


def test_each_step_of_the_discriminator_sees_images(run):
    files.write_text(run.file("config.gin"), _CONFIG + "options.disc_iters = 3\n")
    _log(run, {"step": 30})
    assert run_records.summarize(run).images_seen == 30 * 3 * 8


@pytest.mark.parametrize("pid, held", [("mine", True), ("dead", False)])
def test_a_lock_is_looked_at_without_taking_it(run, pid, held):
    number = os.getpid() if pid == "mine" else 2**22 + 1  # More than Linux gives.
    started = locks.process_start(os.getpid())
    lock = {"host": locks.host(), "pid": number, "process_started": started}
    files.write_json(run.file("training.lock"), lock)
    assert run.lock.seems_held is held


@pytest.mark.parametrize("age, held", [(10, True), (1000, False)])
def test_a_lock_of_another_host_counts_while_it_is_touched(run, age, held):
    files.write_json(run.file("training.lock"), {"host": "elsewhere", "pid": 1})
    os.utime(run.file("training.lock"), (time.time() - age,) * 2)
    assert run.lock.seems_held is held


def test_the_final_step_is_the_headline_though_another_is_better(run):
    with pytest.raises(AbsentError, match="No checkpoint has been scored"):
        run_records.read_scores(run, 100)
    run.results().add([_row(100, 9.0), _row(50, 3.0)])
    scores = run_records.read_scores(run, 100)
    assert (scores.headline.step, scores.is_final) == (100, True)
    assert [row.step for row in scores.rows] == [50, 100]
    scores = run_records.read_scores(run, 200)
    assert (scores.headline.step, scores.is_final) == (100, False)


def test_a_score_that_was_measured_by_itself_hides_no_other_one(run):
    later = ResultRow(100, {"kid": Score(0.5, 0.0)}, _row(100, 9.0).provenance)
    [side] = run_curves.score_charts([_row(50, 8.0), _row(100, 9.0), later, _row(100, 7.0)])
    assert [chart.csv().split("\n", 1)[1] for chart in side.blocks] == [
        "fid,50,8.0,,\nfid,100,7.0,,\n",
        "kid,100,0.5,,\n",
    ]


def test_a_metric_that_was_added_by_itself_is_not_the_headline(run):
    scores = {"fid": Score(9.0, 0.0), "is": Score(3.0, 0.0)}
    both = dataclasses.replace(_row(100, 9.0), scores=scores)
    added = dataclasses.replace(both, scores={"kid": Score(0.5, 0.0)})
    run.results().add([both, added])
    for steps in (100, 200):
        assert run_records.read_scores(run, steps).headline.scores.keys() == {"fid", "is"}


def test_the_config_is_compared_with_defaults(run):
    files.write_text(
        run.file("operative_config.gin"), "options.z_dim = 128\noptions.disc_iters = 1\n"
    )
    config = run_config.read_config(run)
    by_name = {each.name: each for each in config.parameters}
    assert (by_name["options.z_dim"].default, by_name["options.z_dim"].is_default) == ("128", True)
    assert (by_name["loss.fn"].value, by_name["loss.fn"].default) == ("@hinge", "@non_saturating")
    assert (by_name["ModularGAN.g_lr"].value, by_name["ModularGAN.g_lr"].is_default) == (
        "0.001",
        False,
    )
    assert by_name["my_layer.size"].default is None and not by_name["my_layer.size"].is_default
    assert by_name["options.batch_size"].default is None
    assert (config.imports, config.unset) == (["my_parts"], {"options.disc_iters": "1"})
    assert config.origins == () and config.text == _CONFIG


def test_the_config_is_compared_with_the_files_that_it_includes(run):
    stated = [
        ("ModularGAN.g_lr", "0.01", "/home/me/base.gin, line 3"),
        ("loss.fn", "@hinge", "/home/me/base.gin, line 4"),
        ("ModularGAN.g_lr", "0.001", "/home/me/mine.gin, line 2"),
        ("options.training_steps", "100", "--gin_bindings"),
    ]
    run.trainings.put(
        Training(
            began="2026-11-30T06:41:02Z",
            host="a",
            pid=7,
            last_step=100,
            bindings=[dict(zip(("parameter", "value", "place"), e, strict=True)) for e in stated],
        )
    )
    config = run_config.read_config(run)
    by_name = {each.name: each for each in config.parameters}
    assert config.origins == ("base.gin", "mine.gin", "--gin_bindings")  # Without my folders.
    rate = by_name["ModularGAN.g_lr"]
    assert (rate.place, rate.replaced) == ("mine.gin, line 2", "0.01")
    assert by_name["loss.fn"].replaced is None
    assert by_name["options.z_dim"].place == ""


def test_courses_are_thinned_and_keep_both_ends(run):
    with pytest.raises(AbsentError):
        run_records.read_courses(run)
    _log(run, *({"step": i, "loss/d_loss": i / 2} for i in range(1, 2001)), {"step": 2001})
    courses = run_records.read_courses(run)
    assert len(courses.steps) == run_records.MOST_POINTS
    assert (courses.steps[0], courses.steps[-1]) == (1, 2001)
    values = courses.values["loss/d_loss"]
    assert values[0] == 0.5 and values[-1] is None
    assert all(value == step / 2 for step, value in zip(courses.steps[:-1], values, strict=False))


def test_a_warning_that_lasts_is_one(run):
    def row(step, *warnings):
        listed = [{"monitor": m, "since": s, "seen": "x", "advice": "y"} for m, s in warnings]
        return {"version": 1, "step": step, "values": {"variety": 0.1}, "since": {},
                "warnings": listed}  # fmt: skip

    rows = row(10), row(20, ("collapse", 10)), row(30, ("collapse", 10), ("overfitting", 20))
    files.write_text(run.file("monitors.jsonl"), "".join(f"{json.dumps(each)}\n" for each in rows))
    found = run_records.read_monitoring(run)
    assert [(w.monitor, w.since, w.until, w.lasts) for w in found.warnings] == [
        ("collapse", 10, 30, True),
        ("overfitting", 20, 30, True),
    ]
    assert found.courses.values == {"variety": [0.1, 0.1, 0.1]}


def test_a_training_is_replaced_by_its_newer_entry_and_damage_is_set_aside(run):
    first = Training(began="2026-11-30T06:41:02Z", host="a", pid=7, last_step=10)
    second = dataclasses.replace(first, pid=8, first_step=10, last_step=20)
    newer = dataclasses.replace(first, last_step=15, seconds={"steps": 2.5}, total_seconds=3.0)
    for each in (first, second, newer):
        run.trainings.put(each)
    assert run_records.read_trainings(run) == [second, newer]
    with open(run.file("trainings.json"), "w") as file:
        file.write("{")
    with pytest.raises(AbsentError):
        run_records.read_trainings(run)
    run.trainings.put(first)
    assert run.trainings.read() == [first]
    assert os.path.exists(run.file("trainings.json.damaged-1"))
