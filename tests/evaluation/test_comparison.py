"""Tables of rows, and the warning for rows that were measured differently."""

import dataclasses
import json

import pytest

from compare_gan.errors import UserError
from compare_gan.evaluation import comparison
from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow, Score, provenance_differences
from compare_gan.evaluation.results_file import ResultsFile

_FIELDS = {field.name: "same" for field in dataclasses.fields(Provenance)}
_PROVENANCE = Provenance(
    **_FIELDS | dict(seeds=[0], metric_options={"is.splits": 1, "kid.degree": 3})
)


def _row(step=10, name="", *, scores=None, **changes):
    provenance = dataclasses.replace(_PROVENANCE, **changes)
    scores = {k: Score(v, 0.25) for k, v in (scores or {"fid": 12.5}).items()}
    return ResultRow(step, scores, provenance, ("fid",), name)


def test_rows_with_equal_provenance_get_no_warning():
    assert comparison.warning([_row(), _row(20, "fid10k_test", scores={"is": 2.0})], "ab") is None


def test_the_warning_names_the_differences():
    rows = [_row(), _row(num_fake=10_000), _row(num_fake=5, extractor="fashion_cnn")]
    assert comparison.warning(rows, ["runs/a", "runs/b", "runs/c"]) == (
        "These scores were measured differently and cannot be compared: num_fake is same (runs/a), "
        "10000 (runs/b), 5 (runs/c); extractor is same (runs/a, runs/b), fashion_cnn (runs/c)."
    )
    assert "num_fake" not in comparison.warning(rows, "abc", ignore=("num_fake",))
    assert comparison.warning(rows[:2], "ab", ignore=("num_fake",)) is None


def test_only_differing_options_are_reported_and_at_most_three_of_many_rows():
    rows = [_row(metric_options={"is.splits": 10, "kid.degree": 3}), *[_row()] * 5]
    warning = comparison.warning(rows, "abcdef")
    assert (
        'metric_options is {"is.splits": 10} (a), {"is.splits": 1} (b, c, d and 2 more)' in warning
    )


def test_options_of_a_metric_that_some_rows_lack_are_ignored():
    rows = [_row(metric_options={"is.splits": 1}), _row(), _row(metric_options={})]
    assert comparison.warning(rows, "abc") is None
    rows.append(_row(metric_options={"kid.degree": 2}))
    assert comparison.warning(rows, "abcd").endswith(
        'metric_options is {"kid.degree": 3} (b), {"kid.degree": 2} (d).'
    )


def test_equal_images_may_have_two_names():
    rows = [_row(), _row(dataset="folder", split="all")]
    assert comparison.warning(rows, "ab") is None
    rows = [_row(dataset_hash="none"), _row(dataset="folder", dataset_hash="none")]
    assert "dataset is same (a), folder (b)" in comparison.warning(rows, "ab")


def test_backgrounds_differ_only_where_images_are_transparent():
    opaque, white, black = (_row(background=each) for each in ("none", "white", "black"))
    assert comparison.warning([opaque, white], "ab") is None
    assert comparison.warning([white, opaque], "ab") is None
    assert "background is none (a), white (b), black (c)" in comparison.warning(
        [opaque, white, black], "abc"
    )


def test_an_unconditional_generator_may_be_compared_with_a_conditional_one():
    """What one wants to know is whether labels help."""
    rows = [_row(labels="none"), _row(labels="in turn"), _row(labels="as in the data")]
    assert comparison.warning(rows[:2], "ab") is None
    assert comparison.warning(rows[1::-1], "ab") is None
    warning = comparison.warning(rows, "abc")
    assert warning.endswith("labels is none (a), in turn (b), as in the data (c).")


def test_the_table_has_a_column_for_each_score():
    """Fault: the `±` of a table is taken for the spread over several trainings.

    Command: compare, eval
    User sees: ± is the standard deviation over 3 sets of samples of the same network; it says
        nothing about other trainings (seeds).
    Exit code: 0
    Lost: nothing
    """
    text = comparison.format_rows(
        [_row(10, "fid10k_test", seeds=[0, 1]), _row(None, scores={"is": 2.0})],
        ["runs/a", "b.json"],
    )
    assert text.splitlines() == [
        "        step  protocol     fid               is",
        "runs/a  10    fid10k_test  12.5000 ± 0.2500  –",
        "b.json  –     –            –                 2.0000",
        "± is the standard deviation over 2 sets of samples of the same network; it says nothing "
        "about other trainings (seeds).",
    ]
    assert "±" not in comparison.format_rows([_row()], ["a"])


def test_a_note_names_all_rows_that_have_it():
    rows = [dataclasses.replace(_row(), notes=notes) for notes in (["few"], ["few", "old"], [])]
    lines = comparison.format_rows(rows, "abc").splitlines()
    assert lines[-2:] == ["Note on a, b: few", "Note on b: old"]


def test_stored_statistics_matter_only_to_fid():
    stored = {"fid.stored_statistics": "abc"}
    rows = [_row(metric_options=stored), _row(metric_options={})]
    assert comparison.warning(rows, "ab").endswith(
        'metric_options is {"fid.stored_statistics": "abc"} (a), {"fid.stored_statistics": "none"} '
        "(b)."
    )
    assert "metric_options" in provenance_differences(*rows)
    without_fid = _row(scores={"kid": 1.0}, metric_options={})
    assert comparison.warning([rows[0], without_fid], "ab") is None
    assert not provenance_differences(rows[0], without_fid)


def test_rows_are_read_from_directories_and_files(tmp_path):
    ResultsFile(str(tmp_path / "results.jsonl")).add([_row(10), _row(20)])
    assert comparison.read_rows(str(tmp_path)) == [_row(10), _row(20)]
    assert comparison.read_rows(str(tmp_path / "results.jsonl")) == [_row(10), _row(20)]
    values = json.loads(_row().to_json()) | {"scores": {"fid": 12.5}}
    del values["step"]
    (tmp_path / "a.json").write_text(json.dumps(values, indent=2))
    [row] = comparison.read_rows(str(tmp_path / "a.json"))
    assert row.step is None and row.scores == {"fid": Score(12.5, 0.0)}


def test_a_path_without_rows_is_reported(tmp_path):
    with pytest.raises(UserError, match="There is no file or folder 'nowhere'"):
        comparison.read_rows("nowhere")
    with pytest.raises(UserError, match="holds no scores: nothing has been evaluated there"):
        comparison.read_rows(str(tmp_path))
    for text in ("text", "[1]", "{}"):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UserError, match=r"a.json' is neither a results.jsonl nor"):
            comparison.read_rows(str(tmp_path / "a.json"))
