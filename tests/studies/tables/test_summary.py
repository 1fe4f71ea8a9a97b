"""Rows of variants and comparisons of them, from records made by hand."""

import math

import pytest

from compare_gan.errors import UserError
from compare_gan.studies.pairwise import compare_labels, compare_variants
from compare_gan.studies.summary import summarize
from compare_gan.studies.summary_text import summary_table

_AXES = {"loss.fn": "hinge"}


def test_a_row_for_each_variant(study):
    hinge, wasserstein = summarize(study, "fid", "lower")
    assert hinge.scores == {1: 10.0, 2: 12.0, 3: 11.0}
    assert (hinge.mean, hinge.std, hinge.median, hinge.iqm) == (11.0, 1.0, 11.0, 11.0)
    # The quantile of Student's t with 2 degrees of freedom is 4.3027, from tables.
    half = 4.3027 / math.sqrt(3)
    assert hinge.interval == pytest.approx((11 - half, 11 + half), abs=1e-4)
    assert hinge.bootstrap_interval == (10.0, 12.0)
    assert (hinge.best_seed, hinge.worst_seed) == (1, 2)
    assert wasserstein.scores == {1: 13.0, 2: 16.0}
    assert (wasserstein.mean, wasserstein.median) == (14.5, 14.5)


def test_every_run_is_counted_once(run_record):
    runs = [
        run_record(_AXES, 1, 5.0),
        run_record(_AXES, 2, math.nan),
        run_record(_AXES, 3),
        run_record(_AXES, 4, 5.0, state="diverged"),
        run_record(_AXES, 5, state="failed"),
        run_record(_AXES, 6, 5.0, state="running"),
        run_record(_AXES, 7, state="waiting"),
        run_record(_AXES, 8, state="interrupted"),
    ]
    [row] = summarize(runs, "fid", "lower")
    counts = (row.seeds, row.unscored, row.diverged, row.failed, row.unfinished)
    assert counts == (1, 2, 1, 1, 3)
    assert sum(counts) == row.runs == 8
    assert (row.mean, row.std, row.interval, row.bootstrap_interval) == (5.0, None, None, None)


def test_variants_with_equal_scores_are_named(run_record):
    """What an option without effect looks like."""
    scores = {"none": (5.25, 6.5), "layer": (5.25, 6.5), "spectral": (5.25, 6.75)}
    runs = [
        run_record({"norm": name}, seed, fid)
        for name, fids in scores.items()
        for seed, fid in enumerate(fids)
    ]
    notes = summary_table(summarize(runs, "fid", "lower"), [10]).notes
    assert notes[-1] == (
        "Equal to the last digit in every seed: none and layer. What differs between them seems to "
        "have no effect."
    )
    assert len(summary_table(summarize(runs[2:], "fid", "lower"), [10]).notes) == len(notes) - 1


def test_rounding_errors_make_no_difference(run_record):
    """Inception scores of collapsed GANs are 1, up to the last bit."""
    one = [run_record({"norm": "a"}, seed, 1 + error) for seed, error in ((1, 4e-16), (2, 0))]
    other = [run_record({"norm": "b"}, seed, 1 - error) for seed, error in ((1, 4e-16), (2, 0))]
    summary = summarize([*one, *other], "fid", "higher")
    assert [row.std for row in summary] == [0.0, 0.0]
    [comparison] = compare_variants([*one, *other], "fid", "higher")
    assert comparison.improvement == 0.5 and comparison.difference.p_value == 1.0


def test_only_the_final_step_makes_the_headline(run_record, result_row):
    rows = [result_row(5, {"fid": 1.0}), result_row(10, {"fid": 9.0})]
    better_before = run_record(_AXES, 1, rows=rows)
    not_evaluated = run_record(_AXES, 2, rows=rows[:1])
    [row] = summarize([better_before, not_evaluated], "fid", "lower")
    assert (row.mean, row.seeds, row.unscored) == (9.0, 1, 1)


def test_of_several_measurements_the_last_with_the_score_counts(run_record, result_row):
    rows = [
        result_row(10, {"fid": 9.0}),
        result_row(10, {"fid": 8.0}),
        result_row(10, {"kid": 0.1}),
    ]
    [row] = summarize([run_record(_AXES, 1, rows=rows)], "fid", "lower")
    assert row.mean == 8.0


def test_the_direction_decides_which_seed_is_best(study):
    def seeds(better):
        row = summarize(study, "fid", better)[0]
        return row.best_seed, row.worst_seed

    assert (seeds("lower"), seeds("higher"), seeds(None)) == ((1, 2), (2, 1), (None, None))


def test_costs(study):
    hinge, wasserstein = summarize(study, "fid", "lower")
    assert (hinge.wall_seconds, hinge.cpu_seconds, hinge.images_per_second) == (90.0, 170.0, 90.0)
    assert (hinge.total_wall_seconds, hinge.total_cpu_seconds) == (180.0, 340.0)
    assert (hinge.gpu_seconds, hinge.total_gpu_seconds) == (0.0, 0.0)
    # A diverged run costs time, but says nothing about the time of a whole run.
    assert (wasserstein.wall_seconds, wasserstein.total_wall_seconds) == (None, 30.0)


def test_variants_are_compared_over_common_seeds(study):
    [result] = compare_variants(study, "fid", "lower")
    assert (result.first, result.second) == ("hinge", "wasserstein")
    assert (result.difference.pairs, result.difference.mean) == (2, -3.5)
    assert result.difference.p_value == result.p_holm == result.p_benjamini_hochberg == 0.5


def test_a_diverged_run_loses(study):
    [result] = compare_variants(study, "fid", "lower")
    assert result.improvement == 1.0
    [result] = compare_variants(study, "fid", "higher")
    assert result.improvement == pytest.approx(3 / 9)  # Only against the diverged one.
    [result] = compare_variants(study, "fid", None)
    assert result.improvement is result.improvement_interval is None


def test_p_values_are_corrected_for_the_comparisons_that_are_made(run_record):
    def runs(name, scores):
        return [run_record({"a": name}, seed, fid) for seed, fid in enumerate(scores)]

    base = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    study = [
        *runs("base", base),
        *runs("worse", [fid + 1 + 0.1 * i for i, fid in enumerate(base)]),
        *runs("same", [fid + 0.1 * (-1) ** i for i, fid in enumerate(base)]),
        *runs("empty", []),
        run_record({"a": "empty"}, 0, state="waiting"),
    ]
    every = compare_variants(study, "fid", "lower")
    assert [(each.first, each.second) for each in every][:3] == [
        ("base", "worse"), ("base", "same"), ("base", "empty"),
    ]  # fmt: skip
    assert len(every) == 6
    assert [each.p_holm is None for each in every] == [False, False, True, False, True, True]
    smallest = 2 / 2**6
    assert every[0].difference.p_value == smallest
    assert every[0].p_holm == 3 * smallest
    with_base = compare_variants(study, "fid", "lower", against="base")
    assert [each.first for each in with_base] == ["worse", "same", "empty"]
    assert with_base[0].p_holm == 2 * smallest
    assert with_base[0].difference.mean == pytest.approx(1.25)
    with pytest.raises(UserError, match=r"Unknown variant 'bas'. Did you mean 'base'"):
        compare_variants(study, "fid", "lower", against="bas")


@pytest.fixture(name="grid")
def _grid(run_record):
    """2 losses x 3 normalizations x 2 seeds: wasserstein is worse by 1, 2, 3; one run diverged."""
    runs = []
    for loss in ("hinge", "wasserstein"):
        for worse, norm in enumerate(("none", "layer", "sn"), start=1):
            for seed in (1, 2):
                fid = 10.0 * worse + seed / 10 + (worse if loss == "wasserstein" else 0)
                state = "finished" if (loss, norm, seed) != ("hinge", "sn", 2) else "diverged"
                runs.append(run_record({"loss.fn": loss, "norm": norm}, seed, fid, state=state))
    return runs


def test_labels_are_compared_where_all_else_is_equal(grid):
    [result] = compare_labels(grid, "fid", "lower", "loss.fn")
    assert (result.first, result.second) == ("hinge", "wasserstein")
    assert result.difference.pairs == 5
    assert result.difference.mean == pytest.approx(-(1 + 1 + 2 + 2 + 3) / 5)
    assert result.difference.p_value == 2 / 2**5
    # Of 2 x 2 pairs of runs in each combination hinge wins all, but with the diverged run none.
    assert result.improvement == pytest.approx((1 + 1 + 0.5) / 3)
    assert result.improvement_interval.high == 1.0
    by_norm = compare_labels(grid, "fid", "lower", "norm")
    assert [(each.first, each.second, each.difference.pairs) for each in by_norm] == [
        ("none", "layer", 4), ("none", "sn", 3), ("layer", "sn", 3),
    ]  # fmt: skip
    assert by_norm[0].p_holm == 3 * by_norm[0].difference.p_value == 3 / 8


def test_combinations_that_were_left_out_are_in_no_pair(grid):
    kept = [run for run in grid if run.axes != {"loss.fn": "hinge", "norm": "none"}]
    [result] = compare_labels(kept, "fid", "lower", "loss.fn")
    assert result.difference.pairs == 3
    alone = [run for run in kept if run.axes["norm"] == "none" or run.axes["loss.fn"] == "hinge"]
    [result] = compare_labels(alone, "fid", "lower", "loss.fn")
    assert (result.difference, result.p_holm, result.improvement) == (None, None, None)
    with pytest.raises(UserError, match=r"Unknown axis 'loss'. Did you mean 'loss.fn'"):
        compare_labels(grid, "fid", "lower", "loss")
