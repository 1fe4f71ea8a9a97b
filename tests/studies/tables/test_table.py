"""The table of a study: tidy rows, provenance, formats."""

import csv
import io
import sys

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.studies import StudyTable, select, tidy
from compare_gan.studies.results import format_results

_AXES = {"loss.fn": "hinge"}


def test_a_row_for_each_run(study):
    rows = StudyTable(study).rows()
    assert len(rows) == len(study)
    assert len({tuple(row) for row in rows}) == 1  # The same columns in the same order.
    first, diverged = rows[0], rows[-1]
    assert list(first)[:8] == [
        "run", "variant", "loss.fn", "seed", "state", "step", "steps", "fid",
    ]  # fmt: skip
    assert (first["loss.fn"], first["seed"], first["fid"]) == ("hinge", 1, 10.0)
    assert (first["wall_seconds"], first["images_per_second"], first["attempts"]) == (60, 100, 1)
    assert first["provenance.num_fake"] == 100
    assert first["provenance.seeds"] == "[0]"
    assert (diverged["state"], diverged["step"], diverged["fid"]) == ("diverged", 4, None)
    assert diverged["provenance.num_fake"] is None


def test_a_row_for_each_evaluated_step(run_record, result_row):
    rows = [result_row(step, {"fid": 20.0 - step}) for step in (5, 10)]
    finished = run_record(_AXES, 1, rows=rows, images_seen=640, images_per_second=64.0)
    diverged = run_record(_AXES, 2, rows=rows[:1], state="diverged", step=6)
    table = StudyTable([finished, diverged]).step_rows()
    assert [(r["run"], r["step"], r["fid"], r["is_final"]) for r in table] == [
        ("hinge-seed1", 5, 15.0, False),
        ("hinge-seed1", 10, 10.0, True),
        ("hinge-seed2", 5, 15.0, False),
    ]
    assert [row["images_seen"] for row in table] == [320, 640, None]
    assert [row["training_seconds"] for row in table] == [5.0, 10.0, None]


def test_spread_over_sets_of_samples_has_its_own_column(run_record, result_row):
    row = result_row(10, {"fid": 9.0}, std=0.5, seeds=[0, 1, 2])
    [cells] = StudyTable([run_record(_AXES, 1, rows=[row])]).rows()
    assert (cells["fid"], cells["fid_std_over_sets"]) == (9.0, 0.5)


def test_the_value_between_real_images_is_a_column_and_no_score(run_record, result_row):
    scores = {"sliced_wasserstein": 0.1, "sliced_wasserstein_real": 0.02}
    table = StudyTable([run_record(_AXES, 1, rows=[result_row(10, scores)])])
    assert table.scores == ["sliced_wasserstein"]
    assert table.rows()[0]["sliced_wasserstein_real"] == 0.02


def test_the_standard_error_of_a_score_is_a_column_and_no_score(run_record, result_row):
    scores = {"kid": 0.1, "kid_standard_error": 0.02, "kid_full": 0.2}
    runs = [run_record(_AXES, 1, rows=[result_row(10, scores)]), run_record(_AXES, 2, 9.0)]
    table = StudyTable(runs)
    assert table.scores == ["kid", "kid_full", "fid"]
    with pytest.raises(UserError, match="kid_standard_error"):
        table.summary("kid_standard_error")
    assert "standard_error" not in format_results(table) + table.markdown()
    first, second = table.rows()
    assert list(first)[7:11] == ["kid", "kid_standard_error", "kid_full", "fid"]
    assert (first["kid_standard_error"], second["kid_standard_error"]) == (0.02, None)
    assert "kid_standard_error" in tidy.numbers(runs)


def test_an_axis_with_the_name_of_a_column_keeps_both(run_record):
    [row] = StudyTable([run_record({"steps": "long"}, 1, 9.0)]).rows()
    assert (row["steps"], row["axis.steps"]) == (10, "long")


def test_scores_of_several_measurements_are_one_row(run_record, result_row):
    rows = [result_row(10, {"fid": 9.0}), result_row(10, {"kid": 0.1}, num_fake=200)]
    [cells] = StudyTable([run_record(_AXES, 1, rows=rows)]).rows()
    assert (cells["fid"], cells["kid"]) == (9.0, 0.1)
    assert cells["provenance.num_fake"] == "100; 200"
    assert cells["provenance.extractor"] == "inception"


def test_scores_that_were_measured_differently_are_refused(study, run_record, result_row):
    other = run_record(_AXES, 4, rows=[result_row(10, {"fid": 9.0}, num_fake=5)])
    with pytest.raises(UserError) as error:
        StudyTable([*study, other])
    message = str(error.value)
    assert message.startswith("Scores of one table must be measured alike, but for 'fid' num_fake")
    assert (
        "num_fake is 100 (hinge-seed1, hinge-seed2, hinge-seed3 and 2 more), 5 (hinge-seed4)"
        in (message)
    )
    allowed = StudyTable([*study, other], may_differ=["num_fake"])
    assert "The scores differ in num_fake, which was allowed." in allowed.notes()
    with pytest.raises(UserError, match=r"Unknown field of the provenance 'num_fakes'"):
        StudyTable(study, may_differ=["num_fakes"])


def test_a_score_of_a_diverged_run_does_not_matter(study, run_record, result_row):
    other = run_record(
        _AXES, 4, rows=[result_row(5, {"fid": 9.0}, num_fake=5)], state="diverged", step=6
    )
    table = StudyTable([*study, other])
    with pytest.raises(UserError, match=r"5 \(hinge-seed4 at step 5\)"):
        table.step_rows()


def test_another_version_of_the_library_is_mentioned(study, run_record, result_row):
    other = run_record(_AXES, 4, rows=[result_row(10, {"fid": 9.0}, code_version="4.1")])
    assert "Versions of the library differ: same, 4.1." in StudyTable([*study, other]).notes()


def test_caveats_are_notes(run_record, result_row):
    rows = [result_row(10, {"fid": 9.0}, notes=["Few images."])], [result_row(10, {"fid": 8.0})]
    runs = [run_record(_AXES, seed, rows=each) for seed, each in enumerate(rows)]
    assert StudyTable(runs).notes() == ["hinge-seed0: Few images."]
    assert StudyTable(runs[:1]).notes() == ["Few images."]


def test_two_runs_of_one_seed_are_refused(study):
    with pytest.raises(UserError, match="different names, received several of 'hinge-seed1'"):
        StudyTable([*study, study[0]])


def test_directions(study, run_record, result_row):
    assert StudyTable(study).better("fid") == "lower"
    own = [run_record(_AXES, 1, rows=[result_row(10, {"my_score": 1.0})])]
    assert StudyTable(own).better("my_score") is None
    assert StudyTable(own, better={"my_score": "higher"}).summary()[0].best_seed == 1


def test_scores_by_name(study, run_record):
    with pytest.raises(UserError, match=r"Unknown score 'fit'. Did you mean 'fid'"):
        StudyTable(study).summary("fit")
    with pytest.raises(UserError, match="No run of the study has been evaluated yet"):
        StudyTable([run_record(_AXES, 1, state="waiting")]).markdown()


def test_runs_are_selected_by_label(study):
    assert {run.variant for run in select(study, {"loss.fn": ["hinge"]})} == {"hinge"}
    assert len(select(study, {"loss.fn": ["hinge", "wasserstein"]})) == len(study)
    assert select(study, {}) == study
    with pytest.raises(UserError, match=r"Unknown axis 'loss'. Did you mean 'loss.fn'"):
        select(study, {"loss": ["hinge"]})
    with pytest.raises(UserError, match=r"'loss.fn' has no label 'hing'. Did you mean 'hinge'"):
        select(study, {"loss.fn": ["hing"]})


def test_csv_holds_all_rows(study):
    table = StudyTable(study)
    read = list(csv.DictReader(io.StringIO(table.csv())))
    assert [row["run"] for row in read] == [run.name for run in study]
    assert (read[0]["fid"], read[-1]["fid"]) == ("10.0", "")
    assert len(list(csv.DictReader(io.StringIO(table.csv(steps=True))))) == 5


def test_frame_and_parquet_hold_all_rows(study, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = StudyTable(study).frame()
    assert frame.groupby("loss.fn")["fid"].mean().to_dict() == {"hinge": 11.0, "wasserstein": 14.5}
    assert str(frame["fid"].dtype) == "float64"
    assert str(frame["seed"].dtype) == "int64"
    assert str(frame["images_seen"].dtype) == "Int64"
    no_costs = StudyTable(study[2:5]).frame()
    assert str(no_costs["cpu_seconds"].dtype) == "float64"
    path = str(tmp_path / "new" / "table.parquet")
    StudyTable(study).write_parquet(path)
    pandas.testing.assert_frame_equal(pandas.read_parquet(path), frame)
    StudyTable(study).write_parquet(path, steps=True)
    assert pandas.read_parquet(path)["is_final"].tolist() == [True] * 5


def test_mixed_columns_can_be_written(run_record, result_row, tmp_path):
    pandas = pytest.importorskip("pandas")
    fields = [{"num_fake": 100}, {"num_fake": "not recorded"}]
    runs = [
        run_record(_AXES, seed, rows=[result_row(10, {"fid": 9.0}, **each)])
        for seed, each in enumerate(fields)
    ]
    path = str(tmp_path / "table.parquet")
    StudyTable(runs, may_differ=["num_fake"]).write_parquet(path)
    assert pandas.read_parquet(path)["provenance.num_fake"].tolist() == ["100", "not recorded"]


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_a_missing_package_is_named(study, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        UserError, match=rf'^{missing} is not .*"compare_gan\[study\]"` brings it.$'
    ):
        StudyTable(study).write_parquet(str(tmp_path / "table.parquet"))


_MARKDOWN = """\
fid at the final step (10), lower is better.

| loss.fn | seeds | diverged | mean | std | 95 % interval | 95 % bootstrap | median | best seed \
| worst seed | minutes per run | CPU minutes | images/s |
|:---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| hinge | 3 | 0 | 11.0 | 1.0 | [8.5, 13.5] | [10.0, 12.0] | 11.0 | 10.0 (1) | 12.0 (2) \
| 1.5 | 2.8 | 90 |
| wasserstein | 2 | 1 | 14.5 | 2.1 | [-4.6, 33.6] | [13.0, 16.0] | 14.5 | 13.0 (1) | 16.0 (2) \
| – | – | – |

- Interval: Student's t of the mean over seeds, for scores that are about normal.
- With 2 seeds the bootstrap's intervals are too narrow: trust Student's t.
- The interquartile mean has columns from 4 seeds on: with fewer it is the mean.
- Diverged, and in no mean: wasserstein-seed3.
"""


def test_markdown(study):
    assert StudyTable(study).markdown() == _MARKDOWN


def test_markdown_with_comparisons(study):
    text = StudyTable(study).markdown(against="hinge")
    assert text.startswith(_MARKDOWN)
    assert "fid minus that of 'hinge' over common seeds, lower is better." in text
    # Student's quantile of 1 degree of freedom is 12.706: 3.5 ± 12.706 · 0.5.
    assert "| wasserstein | 2 | +3.50 | [-2.85, +9.85] | 0.500 | 0.500 | 0.500 | 0.00 |" in text
    assert "2 pairs cannot give a p value below 0.5" in text


def test_markdown_with_comparisons_of_labels(study):
    text = StudyTable(study).markdown(axis="loss.fn")
    assert "fid of runs that differ only in loss.fn, over all combinations of the other" in text
    assert "| hinge | wasserstein | 2 | -3.50 | [-9.85, +2.85] | 0.500 | 0.500 |" in text


def test_four_seeds_have_an_interquartile_mean(run_record):
    runs = [run_record(_AXES, seed, fid) for seed, fid in enumerate([1.0, 2.0, 4.0, 100.0])]
    header, _, row = StudyTable(runs).markdown().splitlines()[2:5]
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert (cells["IQM"], cells["median"], cells["mean"]) == ("3", "3", "27")
    low, high = cells["95 % bootstrap of IQM"][1:-1].split(", ")
    assert 1 <= float(low) < 3 < float(high) <= 100


def test_latex(study):
    text = StudyTable(study).latex(against="hinge")
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2
    line = next(line for line in text.splitlines() if line.startswith("hinge"))
    assert line.startswith("hinge & 3 & 0 & 11.0 & 1.0 & {[}8.5, 13.5{]} & {[}10.0, 12.0{]}")
    assert line.endswith(r"\\")
    columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
    assert len(columns) == line.count("&") + 1 == 13


def test_everything_from_data_is_escaped(run_record):
    label = "a|b_c & 50% $x$ {#} ~^ \\ <b> *c* `d`\nnext _e_ [f](g) &amp;"
    table = StudyTable([run_record({"norm": label}, 1, 9.0)])
    row = table.markdown().splitlines()[4]
    assert row.startswith(
        r"| a\|b_c & 50% \$x\$ {\#} \~^ \\ &lt;b&gt; \*c\* \`d\` next \_e\_ [f\](g) &amp;amp; | 1 |"
    )
    row = table.latex().splitlines()[8]
    assert row.startswith(
        r"a\textbar{}b\_c \& 50\% \$x\$ \{\#\} \textasciitilde{}\textasciicircum{} "
        r"\textbackslash{} \textless{}b\textgreater{} *c* `d` next \_e\_ {[}f{]}(g) \&amp; & 1 &"
    )


@pytest.mark.parametrize(
    "label, cell",
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-0.5", "-0.5"),
        ("+gp", "+gp"),
        ("@hinge", "@hinge"),
    ],
)
def test_a_spreadsheet_runs_no_label(run_record, label, cell):
    [row] = csv.DictReader(io.StringIO(StudyTable([run_record({"norm": label}, 1, 2.5)]).csv()))
    assert (row["norm"], row["fid"]) == (cell, "2.5")


def test_a_folder_whose_name_is_no_text(run_record, tmp_path):
    table = StudyTable([run_record(_AXES, 1, 2.0, model_dir="runs/\udc80")])
    assert table.frame()["model_dir"].tolist() == ["runs/?"]
    table.write_parquet(str(tmp_path / "runs.parquet"))


def test_digits_follow_the_spread(run_record, result_row):
    runs = [
        run_record(_AXES, seed, rows=[result_row(10, {"kid": kid})])
        for seed, kid in enumerate([0.00123, 0.00131, 0.00127])
    ]
    assert "| 0.001270 | 0.000040 |" in StudyTable(runs).markdown()
    assert "| 0.001230 | – |" in StudyTable(runs[:1]).markdown()
    tiny = [run_record(_AXES, seed, fid) for seed, fid in enumerate([87.1, 87.1 + 1e-9])]
    assert "| 87.100 | 0.000 |" in StudyTable(tiny).markdown()
    for huge in (1e9, 3e200):  # Others keep their digits.
        others = [run_record({"loss.fn": str(i)}, seed, 20.5 + i + seed)
                  for i in range(3) for seed in range(2)]  # fmt: skip
        lost = [run_record({"loss.fn": "lost"}, seed, huge * (1 + seed)) for seed in range(2)]
        with np.errstate(over="ignore"):
            assert "| 21.00 | 0.71 |" in StudyTable([*others, *lost]).markdown()
    none = [run_record(_AXES, seed, 0.0) for seed in range(2)]
    assert "| 0.0000 | 0.0000 |" in StudyTable(none).markdown()
