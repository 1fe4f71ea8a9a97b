"""Statistics over seeds against SciPy, and against recorded numbers of rliable."""

import json
import pathlib

import numpy as np
import pytest
import scipy.stats

from compare_gan.errors import UserError
from compare_gan.studies.statistics import (
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    probability_of_improvement,
    standard_deviation,
    student_interval,
)

_RLIABLE = json.loads(pathlib.Path(__file__).with_name("rliable.json").read_text())
_X, _Y = np.array(_RLIABLE["x"]), np.array(_RLIABLE["y"])


def test_aggregates_are_those_of_rliable():
    assert float(interquartile_mean(_X)) == pytest.approx(_RLIABLE["iqm"], rel=1e-12)
    assert float(interquartile_mean(_X[:, 0])) == pytest.approx(
        _RLIABLE["iqm_of_one_task"], rel=1e-12
    )
    # rliable's larger scores are better.
    improvement = probability_of_improvement(_X, _Y, better="higher")
    assert improvement == pytest.approx(_RLIABLE["improvement"], rel=1e-12)
    assert probability_of_improvement(_X, _Y, better="lower") == pytest.approx(1 - improvement)


def test_stratified_bootstrap_intervals_are_those_of_rliable():
    # The Monte Carlo error of a percentile of 10,000 resamples is about 0.006 of the scores' scale
    # here: sqrt(0.025 * 0.975 / 10,000) / density.
    for actual, name in (
        (bootstrap_interval(_X), "mean"),
        (bootstrap_interval(_X, interquartile_mean), "iqm"),
        (bootstrap_interval(_X[:, 0], interquartile_mean), "iqm_of_one_task"),
        (improvement_interval(_X, _Y, better="higher"), "improvement"),
    ):
        assert actual == pytest.approx(_RLIABLE[f"{name}_interval"], abs=0.05), name


def test_strata_are_drawn_by_themselves():
    """Tasks of different levels: a bootstrap of all scores together would be far wider."""
    scores = np.array([[1.0, 101.0], [2.0, 102.0], [3.0, 103.0], [4.0, 104.0]])
    low, high = bootstrap_interval(scores)
    assert 51 < low < 52.5 < high < 54


def test_the_bootstrap_is_that_of_scipy():
    for statistic in (np.mean, np.median):
        peer = scipy.stats.bootstrap(
            (_X[:, 0],), statistic, method="percentile", n_resamples=10_000, rng=1
        ).confidence_interval
        # Monte Carlo error, as above; the medians of 9 scores are few values.
        assert bootstrap_interval(_X[:, 0], statistic) == pytest.approx(peer, abs=0.05)


def test_the_bootstrap_repeats_and_its_seed_counts():
    once = bootstrap_interval(_X)
    assert once == bootstrap_interval(_X) != bootstrap_interval(_X, seed=1)


@pytest.mark.parametrize("count", [2, 3])
def test_the_bootstrap_of_few_seeds_is_their_range(count):
    scores = [3.0, 1.0, 2.0][:count]
    assert bootstrap_interval(scores) == (min(scores), max(scores))


def test_students_interval_is_that_of_scipy():
    peer = scipy.stats.ttest_1samp(_X[:, 0], 0.0).confidence_interval(0.95)
    assert student_interval(_X[:, 0]) == pytest.approx(tuple(peer), rel=1e-12)
    # The quantile of one degree of freedom is 12.7, as of a Cauchy distribution.
    low, high = student_interval([1.0, 3.0])
    assert (low, high) == pytest.approx((2 - np.tan(0.475 * np.pi), 2 + np.tan(0.475 * np.pi)))


def test_coverage_with_three_seeds():
    """The reason why tables lead with Student's t: 95 % against three quarters."""
    samples = np.random.default_rng(0).normal(size=(400, 3))

    def coverage(interval):
        return np.mean([low <= 0 <= high for low, high in map(interval, samples)])

    # Two standard errors of 400 studies are 0.02 and 0.04.
    assert coverage(student_interval) == pytest.approx(0.95, abs=0.025)
    assert coverage(lambda x: bootstrap_interval(x, resamples=500)) == pytest.approx(0.74, abs=0.05)


def test_improvement_is_the_statistic_of_mann_and_whitney():
    peer = scipy.stats.mannwhitneyu(_X[:, 1], _Y[:, 1], alternative="greater").statistic
    assert probability_of_improvement(_X[:, 1], _Y[:, 1], "higher") == peer / (9 * 7)


def test_the_interval_of_improvement_is_that_of_scipy():
    def improvement(x, y, axis):
        return np.mean(x[..., :, None] < y[..., None, :], axis=(-1, -2))

    x, y = [1.0, 2.0, 4.0, 6.0], [3.0, 5.0, 7.0]
    peer = scipy.stats.bootstrap(
        (x, y), improvement, method="percentile", n_resamples=10_000, rng=1
    ).confidence_interval
    # Multiples of 1/12, up to interpolation between neighbours.
    assert improvement_interval(x, y, "lower") == pytest.approx(peer, abs=0.02)


def test_degenerate_scores_are_defined():
    assert standard_deviation([5.0]) is None
    assert student_interval([5.0]) is None
    assert bootstrap_interval([5.0]) is None
    assert improvement_interval([5.0], [4.0, 3.0], "lower") is None
    assert probability_of_improvement([5.0], [4.0], "lower") == 0.0
    tied = [2.0, 2.0, 2.0]
    assert standard_deviation(tied) == 0.0
    assert student_interval(tied) == bootstrap_interval(tied) == (2.0, 2.0)
    assert probability_of_improvement(tied, tied, "higher") == 0.5
    assert float(interquartile_mean([1.0, 2.0, 6.0])) == 3.0  # The mean, with fewer than 4.


def test_runs_without_a_score_lose_and_tie_with_each_other():
    inf = np.inf
    assert probability_of_improvement([1.0, inf], [2.0, inf], "lower") == (1 + 1 + 0 + 0.5) / 4
    assert probability_of_improvement([1.0, -inf], [2.0, -inf], "higher") == (0 + 1 + 0 + 0.5) / 4


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bootstrap_interval([1.0, np.nan]), "finite, received [1.0, nan]"),
        (lambda: student_interval([1.0, np.inf]), "finite"),
        (lambda: standard_deviation([]), "received shape (0,)"),
        (lambda: probability_of_improvement([np.nan], [1.0], "lower"), "numbers, received [nan]"),
        (lambda: probability_of_improvement([1.0], [1.0], None), "Unknown direction 'None'"),
        (lambda: probability_of_improvement(_X, _Y[:, :2], "lower"), "received 3 and 2"),
    ],
)
def test_mistakes_are_refused(call, message):
    with pytest.raises(UserError) as error:
        call()
    assert message in str(error.value)
