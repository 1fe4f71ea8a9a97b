"""The page of a study that nobody trained: numbers, choices, caveats, size."""

import csv
import dataclasses
import io
import re
import urllib.parse

import html5lib
import numpy as np
import pytest
import synthetic_study

from compare_gan.errors import UserError
from compare_gan.evaluation import Score
from compare_gan.report import study_courses
from compare_gan.report.page import render
from compare_gan.report.study_page import study_page
from compare_gan.report.study_scores import summary_block
from compare_gan.studies import RunRecord, define
from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.statistics import Interval
from compare_gan.studies.summary import VariantSummary
from compare_gan.studies.table import StudyTable

_SCORE = "fid_fashion_cnn"


@pytest.fixture(name="text")
def _text(study_html):
    return study_html


@pytest.fixture(name="records")
def _records(study_records):
    return study_records


def _data(text, title):
    """The rows of the CSV behind a link."""
    link = re.search(rf'href="data:text/csv;charset=utf-8,([^"]*)"\s+aria-label="Data of “{title}”',
                     text)  # fmt: skip
    return list(csv.DictReader(io.StringIO(urllib.parse.unquote(link[1]))))


def test_a_page_of_60_runs_is_small_and_valid(records, text):
    assert len(records) == 60
    assert len(text.encode()) < 8e6
    html5lib.HTMLParser(strict=True).parse(text)
    assert re.findall(r'<h2 id="[^"]*">([^<]+)', text) == [
        "Scores", "Axes", "Curves", "Comparisons", "Samples", "Costs", "Runs", "Provenance",
        "Definition",
    ]  # fmt: skip


def test_the_table_has_the_final_scores_of_finished_runs(records, text):
    rows = _data(text, rf"{_SCORE} at the final step \(1,500\), lower is better\.")
    assert len(rows) == 12
    for row in rows:
        scores = [
            final_measurement(run)[_SCORE].scores[_SCORE].mean
            for run in records
            if run.axes == {axis: row[axis] for axis in run.axes} and run.state == "finished"
        ]
        assert int(row["seeds"]) == len(scores)
        if scores:
            assert float(row["mean"]) == pytest.approx(np.mean(scores))
            assert float(row["std"]) == pytest.approx(np.std(scores, ddof=1))
            assert float(row["best seed"]) == pytest.approx(min(scores))
            assert float(row["worst seed"]) == pytest.approx(max(scores))
            half = 2.776445 * np.std(scores, ddof=1) / np.sqrt(5)  # Student's t, 4 degrees.
            if len(scores) == 5:
                assert float(row["95 % to"]) == pytest.approx(np.mean(scores) + half)
    fates = {(row["loss.fn"], row["norm"]): (row["diverged"], row["failed"]) for row in rows}
    assert fates["wasserstein", "none"] == ("5", "0")
    assert fates["non_saturating", "spectral_norm"] == ("0", "1")


def test_scores_have_decimals_that_show_their_spread():
    """Four digits would hide what differs: 160.1 in each column."""
    scores = {1: 160.0719, 2: 160.0768}
    summary = VariantSummary(
        variant="a", axes={}, score="fid", better="lower", runs=2, scores=scores, unscored=0,
        diverged=0, pruned=0, failed=0, unfinished=0, mean=160.07435, std=0.003465,
        median=160.07435, interval=Interval(160.043, 160.1055), best_seed=1, worst_seed=2,
    )  # fmt: skip
    table = summary_block([summary], "Scores")
    shown = {
        name: getattr(cell, "shown", cell)
        for name, cell in zip(table.columns, table.rows[0], strict=True)
    }
    assert shown["mean"] == "160.07" and shown["best seed"] == "160.07 (1)"
    assert "160.0719" in table.csv()


def test_values_of_an_axis_are_compared_over_complete_combinations(records, text):
    means = {
        tuple(row.axes.values()): row.mean for row in StudyTable(records).summary(_SCORE)
    }  # fmt: skip
    by_norm = {row["name"]: float(row[_SCORE]) for row in _data(text, "norm")}
    # All runs of `wasserstein` without a norm diverged.
    losses = ("hinge", "non_saturating", "least_squares")
    for norm, value in by_norm.items():
        assert value == pytest.approx(np.mean([means[loss, norm] for loss in losses]))
    assert "Mean over 3 of 4 combinations" in text


def test_an_axis_without_complete_combinations_has_no_chart(records):
    chosen = [
        run
        for run in records
        if (run.axes["loss.fn"] == "hinge") == (run.axes["norm"] == "spectral_norm")
    ]
    text = render(study_page(chosen, synthetic_study.define_study()))
    assert (
        "No chart of loss.fn and norm: no combination of the other axes has a score under every "
        "value." in text
    )


def test_courses_are_means_over_finished_seeds(records, text):
    rows = _data(text, f"{_SCORE} against step")
    of_variant = [row for row in rows if row["series"] == "non_saturating-spectral_norm"]
    finished = [
        run for run in records if run.variant == of_variant[0]["series"] and run.state == "finished"
    ]
    for row, *measured in zip(of_variant, *(run.rows for run in finished), strict=True):
        scores = [each.scores[_SCORE].mean for each in measured]
        assert {float(row["step"])} == {each.step for each in measured}
        assert float(row["value"]) == pytest.approx(np.mean(scores))
        assert (float(row["low"]), float(row["high"])) == (min(scores), max(scores))


def test_comparisons_are_those_of_the_table(records, text):
    wins = _data(text, "Probability that a run of the row is better, in %")
    found = {(row["row"], row["column"]): row["value"] for row in wins}
    for each in StudyTable(records).comparisons(_SCORE):
        assert float(found[each.first, each.second]) == pytest.approx(each.improvement)
        assert float(found[each.second, each.first]) == pytest.approx(1 - each.improvement)
    # Sorted: the best variant is in the first row, and the one that diverged in the last.
    assert [wins[0]["row"], wins[-1]["row"]] == ["hinge-spectral_norm", "wasserstein-none"]


def test_differences_have_the_same_decimals_as_the_ends_of_their_intervals(records, text):
    start = text.index(f"<caption>Differences of {_SCORE} between all pairs of variants<")
    table = text[start : text.index("</table>", start)]
    cells = re.findall(r'<td class="number"[^>]*>([+−][\d.]+)<', table)
    assert len(cells) == 3 * 55  # 11 variants have scores.
    assert len({len(cell.partition(".")[2]) for cell in cells}) == 1


def test_samples_are_those_of_the_best_the_median_and_the_worst_run(records, text):
    scored = sorted(
        (final_measurement(run)[_SCORE].scores[_SCORE].mean, run.name)
        for run in records
        if run.state == "finished"
    )
    captions = re.findall(r"<figcaption>(\w+ of all runs: [^,]+),", text)
    assert captions == [
        f"Best of all runs: {scored[0][1]}",
        f"Median of all runs: {scored[(len(scored) - 1) // 2][1]}",
        f"Worst of all runs: {scored[-1][1]}",
    ]
    # 11 variants have scored runs, with three pictures each.
    assert text.count("<img") == 3 + 11 * 3


def test_lost_runs_have_their_reasons(text):
    rows = _data(text, "Runs that diverged or failed")
    assert {row["reason"] for row in rows} == {
        "step 700 (loss/discriminator)", "Error: The disk is full.",
    }  # fmt: skip
    assert "where loss.fn is least_squares and norm is none" in text


def test_every_run_has_a_row_with_its_provenance(records, text):
    rows = _data(text, "all runs")
    assert [row["run"] for row in rows] == [run.name for run in records]
    assert rows[0]["provenance.num_fake"] == "10000"


def test_scores_that_were_measured_differently_are_not_in_one_table(records):
    other = synthetic_study.provenance(num_fake=500)
    rows = tuple(row.__class__(row.step, row.scores, other) for row in records[0].rows)
    changed = [RunRecord(**vars(records[0]) | {"rows": rows}), *records[1:]]
    page = study_page(changed, synthetic_study.define_study())
    text = render(page)
    assert "num_fake is 500" in text and "Probability" not in text
    assert [section.title for section in page.sections][:2] == ["Scores", "Runs"]


def test_a_study_without_scores(hostile):
    study = define(
        base="supervised_fashion_mnist", title=hostile, description=hostile, steps=10,
        axes={hostile: {hostile: []}},
    )  # fmt: skip
    run = RunRecord(name="a-seed1", variant=hostile, axes={hostile: hostile}, seed=1, steps=10)
    text = render(study_page([run], study))
    html5lib.HTMLParser(strict=True).parse(text)
    assert "No run of the study has been evaluated yet." in text
    assert "1 runs: 1 waiting." not in text and "1 run: 1 waiting." in text
    assert "<script>alert" not in text


def test_hostile_labels_of_scored_runs(hostile, records):
    renamed = [
        RunRecord(**vars(run) | {"variant": hostile + run.variant, "axes": {
            hostile: hostile + run.axes["loss.fn"], "norm": run.axes["norm"]}, "model_dir": ""})
        for run in records[:20]
    ]  # fmt: skip
    text = render(study_page(renamed, synthetic_study.define_study()))
    html5lib.HTMLParser(strict=True).parse(text)
    assert "<script>alert" not in text


def test_matrices_that_are_left_out_are_counted(records):
    renamed = [
        RunRecord(**vars(run) | {"variant": f"{run.variant}-{size}", "name": f"{run.name}-{size}",
                                 "axes": {**run.axes, "size": str(size)}, "model_dir": ""})
        for size in range(10) for run in (records[0], records[5], records[15], records[20])
    ]  # fmt: skip
    text = render(study_page(renamed, synthetic_study.define_study()))
    assert text.count("a matrix of 2 rows and 2 columns") == 9
    assert "The first 9 of 10 matrices" in text


def test_a_score_by_name(records):
    study = synthetic_study.define_study()
    page = study_page(records[:10], study, score="inception_score_fashion_cnn")
    assert "higher is better" in page.sections[0].intro
    with pytest.raises(UserError, match="Did you mean 'fid_fashion_cnn'"):
        study_page(records[:10], study, score="fid")


def test_the_standard_error_of_a_score_is_only_in_the_data(records):
    name = f"{_SCORE}_standard_error"

    def with_error(row):
        return dataclasses.replace(row, scores=row.scores | {name: Score(0.5, 0.0)})

    runs = [dataclasses.replace(run, rows=tuple(map(with_error, run.rows))) for run in records[:10]]
    text = render(study_page(runs, synthetic_study.define_study()))
    assert _data(text, "all runs")[0][name] == "0.5"
    assert text.count("standard_error") == 1


@pytest.mark.parametrize(
    "count, shown", [(1, [0]), (16, list(range(16))), (50, [0, 7, 14, 21, 28, 35, 42, 49])]
)
def test_a_few_of_many_variants_are_drawn(count, shown):
    assert sorted(study_courses._spread(count)) == shown


def test_an_axis_has_each_binding_on_a_line_and_as_text_in_its_csv(records):
    values = {"gp": ["penalty.fn = @wgangp_penalty", "options.lamba = 10"]}
    study = define(base="supervised_fashion_mnist", axes={"penalty": values})
    text = render(study_page(records, study))
    assert '<code class="lines">penalty.fn = @wgangp_penalty\noptions.lamba = 10</code>' in text
    [row] = _data(text, "Axes")
    assert row["bindings"] == "penalty.fn = @wgangp_penalty\noptions.lamba = 10"


@pytest.mark.parametrize(
    "seconds, expected", [(60, ("seconds", 1)), (200, ("minutes", 60)), (9000, ("hours", 3600))]
)
def test_durations_are_in_a_unit_that_people_read(seconds, expected):
    assert study_courses._unit([None, seconds / 2, seconds]) == expected


def test_the_provenance_names_scores_only_where_they_differ(records):
    text = render(study_page(records, synthetic_study.define_study()))
    section = text[text.index(">Provenance</h2>") :]
    assert "<dt>config</dt>" not in section
    versions = ("4.0", "4.1")
    changed = [
        dataclasses.replace(
            run,
            rows=tuple(
                dataclasses.replace(
                    row,
                    provenance=dataclasses.replace(row.provenance, code_version=versions[i % 2]),
                )
                for row in run.rows
            ),
        )
        for i, run in enumerate(records)
    ]
    assert "<dd>4.0; 4.1</dd>" in render(study_page(changed, synthetic_study.define_study()))
