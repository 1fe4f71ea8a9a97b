"""`compare_gan study table` on a study directory without trained runs, and on records."""

import json

import click
import pytest

from compare_gan import studies
from compare_gan.commands.study_table import table
from compare_gan.errors import UserError


@pytest.fixture(name="show")
def _show(study, monkeypatch, capsys):
    """`show(*options)` runs the command on the records of `study`; returns its output."""
    monkeypatch.setattr("compare_gan.commands.study_table.start_engine", lambda: None)
    monkeypatch.setattr(studies.StudyDir, "definition", lambda self: None)
    monkeypatch.setattr(studies.StudyDir, "records", lambda self: study)

    def run(*options):
        table.main(["runs", *map(str, options)], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_formats(show, study, tmp_path):
    made = studies.StudyTable(study)
    assert show() == made.markdown()
    assert show("--format", "latex", "--against", "hinge") == made.latex(against="hinge")
    assert show("--axis", "loss.fn") == made.markdown(axis="loss.fn")
    assert show("--format", "csv", "--steps") == made.csv(steps=True)
    path = tmp_path / "new" / "table.md"
    assert show("--score", "fid", "--output", path) == ""
    assert path.read_text() == made.markdown()
    path = tmp_path / "table.parquet"
    show("--format", "parquet", "--output", path)
    assert path.read_bytes()[:4] == b"PAR1"


def test_runs_can_be_selected(show):
    shown = show("--format", "csv", "--where", "loss.fn=hinge")
    assert "hinge-seed1" in shown
    assert "wasserstein" not in shown


def test_the_direction_of_an_own_score_can_be_given(show):
    assert "| 12.0 (2) | 10.0 (1) |" in show("--score", "fid", "--better", "higher")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--format", "parquet"], "needs --output FILE"),
        (["--steps"], "--steps needs --format csv or parquet, received markdown."),
        (["--format", "csv", "--score", "fid"], "--score needs --format markdown or latex"),
        (["--format", "csv", "--against", "hinge"], "--against needs --format markdown or latex"),
        (["--format", "csv", "--axis", "loss.fn"], "--axis needs --format markdown or latex"),
        (["--axis", "loss"], "Did you mean 'loss.fn'?"),
        (["--better", "lower"], "--better needs --score NAME"),
        (["--where", "hinge"], "--where must be AXIS=LABEL, received 'hinge'."),
        (["--where", "los=hinge"], "Did you mean 'loss.fn'?"),
        (["--against", "hing"], "Did you mean 'hinge'?"),
        (["--score", "fit"], "Did you mean 'fid'?"),
        (["--may_differ", "num_fak"], "Did you mean 'num_fake'?"),
    ],
)
def test_mistakes(show, options, message):
    with pytest.raises(UserError) as error:
        show(*options)
    assert message in str(error.value)


def test_an_unknown_format_is_refused(show):
    with pytest.raises(click.BadParameter, match="excel"):
        show("--format", "excel")


def test_a_directory_of_a_study(show, monkeypatch, tmp_path, capsys):
    monkeypatch.undo()
    monkeypatch.setattr("compare_gan.commands.study_table.start_engine", lambda: None)
    study = studies.define(
        base="supervised_fashion_mnist", axes={"loss.fn": ["hinge", "wasserstein"]}, steps=10
    )
    studies.StudyDir(tmp_path).update(study)
    rows = studies.Study(study_dir=tmp_path).table().rows()
    assert [row["state"] for row in rows] == ["waiting"] * 2
    table.main([str(tmp_path), "--format", "csv"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(json.loads((tmp_path / "study.json").read_text())["runs"])
    assert "waiting" in lines[1]
    with pytest.raises(UserError, match="No run of the study has been evaluated yet"):
        table.main([str(tmp_path)], standalone_mode=False)
