"""The directory of a study: journal, locks, states of runs, changes of the definition."""

import concurrent.futures
import json
import os

import pytest

from compare_gan import files
from compare_gan.errors import UserError
from compare_gan.studies import StudyDir
from compare_gan.studies.journal import Journal
from compare_gan.studies.measurements import final_measurement


@pytest.fixture(name="journal")
def _journal(tmp_path):
    return Journal(str(tmp_path / "journal.jsonl"))


def _states(place):
    return {record.name: record.state for record in place.records()}


def test_the_journal_counts_attempts(journal):
    assert [journal.start("a", "4.0"), journal.start("b"), journal.start("a")] == [1, 1, 2]
    journal.end("a", 2, "failed", 1, wall_seconds=2.0004, cpu_seconds=None)
    first, second = journal.attempts()["a"]
    assert (first.number, first.code_version, first.status) == (1, "4.0", None)
    assert (second.status, second.wall_seconds, second.cpu_seconds) == ("failed", 2.0, None)


def test_an_incomplete_line_is_dropped(journal, tmp_path):
    """Fault: The journal of a study ends in half a line.

    Command: `compare_gan study run`, `study status`
    User sees: '…/journal.jsonl' is damaged: line 2 cannot be read; the rest of it is used.
    Exit code: 0
    Lost: the line, which was never complete
    """
    journal.start("a")
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert len(journal.attempts()["a"]) == 1
    assert journal.start("a") == 2
    lines = path.read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in lines] == [1, 2]


def test_other_lines_survive_a_damaged_one(journal, tmp_path):
    journal.start("a")
    with open(tmp_path / "journal.jsonl", "ab") as file:
        file.write(b"\x00\xff garbage\n[1]\n{}\n")
        for change in (
            {"run": ["a"]},
            {"time": "noon"},
            {"attempt": None},
            {"wall_seconds": "1 h"},
        ):
            line = {"event": "end", "run": "a", "attempt": 1, "time": 1.0, "status": "failed"}
            file.write(json.dumps(line | change).encode() + b"\n")
    assert journal.start("a") == 2
    assert [attempt.status for attempt in journal.attempts()["a"]] == [None, None]


def test_an_attempt_whose_lines_are_damaged_keeps_its_number(journal, tmp_path):
    for _ in range(2):
        journal.start("a")
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"garbage\n" + path.read_bytes().splitlines(keepends=True)[1])
    assert journal.start("a") == 3


def test_a_journal_of_a_newer_version_is_refused(tmp_path, journal):
    (tmp_path / "journal.jsonl").write_text('{"version": 2, "event": "start"}\n')
    with pytest.raises(UserError, match="reads versions up to 1"):
        journal.attempts()


def test_states(place, two_losses, stub):
    study = place.update(two_losses())
    names = [run.name for run in study.runs]
    assert set(_states(place).values()) == {"waiting"}
    place.journal.start(names[0])  # Its process was killed with the study.
    place.journal.end(names[1], place.journal.start(names[1]), "failed", 1)
    os.makedirs(place.run_dir(names[2]))
    with open(os.path.join(place.run_dir(names[2]), "DIVERGED"), "w"):
        pass
    with place.claim(names[3]) as descriptor:
        assert descriptor is not None
        assert list(_states(place).values()) == ["interrupted", "failed", "diverged", "running"]
        with place.claim(names[3]) as other:
            assert other is None
    assert _states(place)[names[3]] == "waiting"


def test_a_run_is_finished_with_the_scores_that_the_study_asks_for(place, two_losses, stub):
    place.update(two_losses())
    stub.run(place, place.definition())
    assert set(_states(place).values()) == {"finished"}
    place.update(two_losses(metrics=["fid", "kid"]))
    assert set(_states(place).values()) == {"interrupted"}
    place.update(two_losses(metrics=["fid"]))
    assert set(_states(place).values()) == {"finished"}


def test_a_record_has_scores_and_costs(place, two_losses, stub):
    study = place.update(two_losses(seeds=1))
    record = stub.run(place, study)["hinge-seed1"]
    assert record.axes == {"loss.fn": "hinge"}
    assert (record.variant, record.seed, record.step, record.steps) == ("hinge", 1, 6, 6)
    assert final_measurement(record)["fid"].scores["fid"].mean == 1.5
    assert (record.images_per_second, record.images_seen) == (
        12.0,
        6 * 2 * 4,
    )  # Two batches a step.
    assert record.cpu_seconds > 0
    assert 0 < record.wall_seconds < 60
    assert record.gpu_seconds == 0
    assert record.attempts == 1
    assert record.code_version.startswith("4.")


def test_costs_of_a_lost_attempt_are_not_known(place, two_losses, stub):
    study = place.update(two_losses(seeds=1))
    place.journal.start("hinge-seed1")
    record = stub.run(place, study)["hinge-seed1"]
    assert (record.attempts, record.wall_seconds, record.cpu_seconds) == (2, None, None)


def test_additions_are_taken_up(place, two_losses, stub):
    place.update(two_losses())
    stub.run(place, place.definition())
    assert len(stub.names) == 4
    axes = {"loss.fn": ["@hinge", "@wasserstein", "@least_squares"]}
    study = place.update(two_losses(axes=axes, seeds=3, eval_every_steps=2))
    stub.run(place, study)
    assert sorted(stub.names) == [
        "hinge-seed3",
        "least_squares-seed1",
        "least_squares-seed2",
        "least_squares-seed3",
        "wasserstein-seed3",
    ]


def test_added_seeds_stay(place, two_losses):
    place.update(two_losses())
    assert place.add_seeds(2).seeds == (1, 2, 3, 4)
    assert place.update(two_losses(axes={"loss.fn": ["@hinge"]})).seeds == (1, 2, 3, 4)
    assert place.definition().seeds == (1, 2, 3, 4)


def test_seeds_that_processes_add_at_once_all_stay(place, two_losses):
    study = two_losses()
    place.update(study)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        added = [pool.submit(StudyDir(place.path).add_seeds, 1) for _ in range(8)]
        read = [pool.submit(StudyDir(place.path).update, study) for _ in range(8)]
        for each in (*added, *read):
            each.result()
    assert place.definition().seeds == tuple(range(1, 11))


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": ["../../elsewhere"]},
        {"steps": "many"},
        {"averaging_runs": None},
        {"bindings": [3]},
        {"base": 3},
        {"title": ["T"]},
        {"exclude": [{"norm": ["sn"]}]},
        {"axes": {"loss.fn": {"hinge": {"bindings": [None], "base": ""}}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_definition_of_another_form_is_damaged(place, two_losses, change):
    place.update(two_losses())
    content = files.read_json(place.file("study.json"))
    content["definition"].update(change)
    files.write_json(place.file("study.json"), content)
    with pytest.raises(UserError, match="writes it anew"):
        place.records()


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"bindings": ["options.z_dim = 9"]}, "options.z_dim: not set → 9"),
        ({"steps": 7}, "options.training_steps: 6 → 7"),
        ({"bindings": ["evaluation.num_fake = 9"]}, "evaluation.num_fake: not set → 9"),
        ({"averaging_runs": 1}, "study.averaging_runs = 3, which is now 1"),
        ({"axes": {"options.z_dim": [8]}}, "holds runs of another study, such as hinge-seed1"),
    ],
)
def test_what_would_change_runs_is_refused(place, two_losses, stub, options, sentence):
    """Fault: The study file changes, and with it runs that have begun.

    Command: `compare_gan study run`
    User sees: The runs of 'hinge' in '…' have begun with another config (…): choose another …
    Exit code: 2
    Lost: nothing
    """
    place.update(two_losses())
    place.update(two_losses(**options))  # Nothing has begun.
    place.update(two_losses())
    os.makedirs(place.run_dir("hinge-seed1"))
    with pytest.raises(UserError) as error:
        place.update(two_losses(**options))
    assert sentence in str(error.value)
    place.update(two_losses(bindings=["run_config.keep_checkpoint_max = 2"]))


def test_variants_that_have_not_begun_may_change(place, two_losses):
    place.update(two_losses())
    os.makedirs(place.run_dir("hinge-seed1"))
    axes = {"loss": {"hinge": "loss.fn = @hinge", "wasserstein": "loss.fn = @least_squares"}}
    place.update(two_losses(axes=axes))


def test_a_damaged_definition_is_set_aside(place, two_losses):
    """Fault: `study.json` is damaged.

    Command: `compare_gan study status`; then `study run FILE`
    User sees: '…/study.json' is damaged: it is not JSON. `compare_gan study run FILE …` writes …
    Exit code: 2, then 0
    Lost: seeds that `study add` has added; the file is `study.json.damaged-1`
    """
    place.update(two_losses())
    with open(place.file("study.json"), "w") as file:
        file.write("{")
    with pytest.raises(UserError, match="writes it anew"):
        place.definition()
    os.makedirs(place.run_dir("hinge-seed1"))
    with pytest.raises(UserError, match="training_steps: 6 → 7"):
        place.update(two_losses(steps=7))
    assert place.update(two_losses()) == place.definition()
    assert os.path.exists(place.file("study.json.damaged-1"))


def test_a_folder_without_a_study_is_no_study(tmp_path):
    with pytest.raises(UserError, match="not the directory of a study"):
        StudyDir(tmp_path).definition()
