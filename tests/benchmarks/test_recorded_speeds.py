"""What --check of the speed of training steps says, and what --record writes."""

import json
import os
import pathlib
import sys

import click
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import recorded_speeds
import train_step

KIND = "Some CPU, 2 threads"
TEXT = "Before.\n<!-- recorded speeds: begin -->\nold\n<!-- recorded speeds: end -->\nAfter.\n"


def _measure(*seconds, rate=100.0):
    return lambda config: (seconds, [rate] * len(seconds))


@pytest.fixture(name="recorded")
def _recorded(tmp_path):
    """The files of speeds and of the table, with steps of 1 s beside 100 GFLOP/s."""
    path, readme = tmp_path / "speeds.json", tmp_path / "README.md"
    readme.write_text(TEXT)
    recorded_speeds.record(KIND, ["sndcgan"], _measure(0.98, 1.0, 1.0, 1.02), path, readme)
    return path, readme


def _check(path, measure, capsys, configs=("sndcgan",)):
    """What is printed, and the message with which the check fails."""
    message = None
    try:
        recorded_speeds.check(KIND, configs, measure, path)
    except click.ClickException as error:
        message = error.message
    return capsys.readouterr().out.splitlines()[-len(configs) :], message


def test_a_record_does_not_itself_make_the_commit_look_changed(recorded, monkeypatch):
    path, readme = recorded
    before = path.read_bytes()
    monkeypatch.setattr(
        recorded_speeds,
        "_versions",
        lambda: "abc" if path.read_bytes() == before else "abc-dirty",
    )
    recorded_speeds.record(KIND, ["a", "b"], _measure(2.0, 2.0), path, readme)
    assert json.loads(path.read_text())[KIND]["versions"] == "abc"


def test_a_config_that_became_slower_is_named(recorded, capsys):
    [line], message = _check(recorded[0], _measure(1.1, 1.12, 1.14, 1.2), capsys)
    assert line.startswith("sndcgan: SLOWER, 1.13 (1.1")
    assert message == "Slower than recorded: sndcgan."


@pytest.mark.parametrize(
    ("seconds", "begin"),
    (
        ((1.05, 1.08, 1.09, 1.2), "sndcgan: as recorded, 1.08"),
        ((0.9, 1.0, 1.4, 2.0), "sndcgan: unclear, 1.20"),  # A quarter is below the recorded one.
        ((0.8, 0.82, 0.85, 0.9), "sndcgan: faster, 0.83"),
    ),
)
def test_other_changes_are_no_failure(recorded, capsys, seconds, begin):
    [line], message = _check(recorded[0], _measure(*seconds), capsys)
    assert line.startswith(begin) and message is None


def test_load_on_the_machine_changes_nothing(recorded, capsys):
    """Steps and matrix products take three times as long."""
    [line], message = _check(recorded[0], _measure(3.0, 3.0, 3.0, 3.0, rate=100 / 3), capsys)
    assert line.startswith("sndcgan: as recorded, 1.00") and message is None


def test_a_named_config_that_is_not_recorded_is_refused_before_any_is_measured(recorded, capsys):
    path, _ = recorded
    lines, message = _check(path, None, capsys, ("r3gan", "sndcgan"))
    assert lines == []
    assert message.startswith(f"No speed of r3gan is recorded for '{KIND}', only of sndcgan: ")
    with pytest.raises(click.ClickException, match=r"No speed is recorded for 'Other', only for "):
        recorded_speeds.check("Other", ["sndcgan"], _measure(1.0), path)


def test_without_names_all_recorded_configs_are_checked(recorded, capsys):
    recorded_speeds.check(KIND, [], _measure(1.0, 1.0, 1.0, 1.0), recorded[0])
    [line] = capsys.readouterr().out.splitlines()[-1:]
    assert line.startswith("sndcgan: as recorded")


def test_recording_keeps_other_configs_and_cpus(recorded):
    path, readme = recorded
    recorded_speeds.record(KIND, ["r3gan"], _measure(2.0, 2.0), path, readme)
    recorded_speeds.record("Other, 1 thread", ["r3gan"], _measure(5.0, 5.0), path, readme)
    written = json.loads(path.read_text())
    assert {k: sorted(v["configs"]) for k, v in written.items()} == {
        KIND: ["r3gan", "sndcgan"],
        "Other, 1 thread": ["r3gan"],
    }
    assert written[KIND]["configs"]["r3gan"] == {"cost": [200.0] * 3, "seconds": [2.0] * 3}
    text = readme.read_text()
    assert text.startswith("Before.") and text.endswith("After.\n") and "old" not in text
    head, _, r3gan, sndcgan = text.splitlines()[2:6]
    assert KIND in head and "Other, 1 thread" in head and "TensorFlow" in head
    two, five = "2 (2–2) s, cost 200 (200–200)", "5 (5–5) s, cost 500 (500–500)"
    assert r3gan == f"| r3gan | {five} | {two} |"  # Sorted by the name of the CPU.
    assert sndcgan.startswith("| sndcgan |  | 1 (")


def test_the_table_in_the_readme_is_that_of_the_file():
    recorded, text = recorded_speeds.load(), recorded_speeds.README.read_text()
    assert recorded_speeds.with_table(text, recorded) == text
    with pytest.raises(ValueError, match="There is no place between"):
        recorded_speeds.with_table("nothing", recorded)


def test_kinds_of_cpu(monkeypatch):
    monkeypatch.setattr(recorded_speeds, "cpu_name", lambda: "Some CPU @ 2.80GHz")
    kind = recorded_speeds.kind_of_cpu
    assert kind(2) == "Some CPU @ 2.80GHz, 2 threads"
    assert kind(1) == "Some CPU @ 2.80GHz, 1 thread"
    assert kind(2, cpu_time=True) == "Some CPU @ 2.80GHz, CPU time of one thread"


def test_cpu_time_is_that_of_one_thread_from_the_start(monkeypatch):
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    for name in names:
        monkeypatch.setenv(name, "7")
    found = []

    def prepare():
        found.append([os.environ[name] for name in names])

    monkeypatch.setattr(train_step, "prepare_tensorflow", prepare)
    monkeypatch.setattr(recorded_speeds, "check", lambda *arguments: None)
    for options in (["--check", "--cpu_time"], ["--check"]):
        assert CliRunner().invoke(train_step.main, options).exit_code == 0
        for name in names:
            monkeypatch.setenv(name, "7")
    assert found == [["1", "1"], ["7", "7"]]


def test_benchmarks_measure_no_forms_unless_asked_to(tmp_path):
    for bindings, autotune in (((), False), (["run_config.autotune = True"], True)):
        trainer = train_step.make_trainer(
            "sndcgan",
            str(tmp_path / str(autotune)),
            ["options.architecture = 'dummy_arch'", "options.batch_size = 2", *bindings],
        )
        assert trainer.experiment.run_config.autotune is autotune
