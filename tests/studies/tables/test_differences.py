"""Paired differences, their permutation test, and corrections, against SciPy."""

import numpy as np
import pytest
import scipy.stats

from compare_gan.errors import UserError
from compare_gan.studies.differences import (
    benjamini_hochberg,
    holm,
    paired_difference,
    sign_flip_p_value,
)

_RNG = np.random.default_rng(3)
_X = _RNG.normal(10.0, 1.0, 8)
_Y = _X + _RNG.normal(0.5, 1.0, 8)


def _peer(x, y, **options):
    return scipy.stats.permutation_test(
        (x, y), lambda a, b: np.mean(a - b), permutation_type="samples", **options
    ).pvalue


@pytest.mark.parametrize("pairs", [2, 3, 5, 8])
def test_the_exact_test_is_that_of_scipy(pairs):
    x, y = _X[:pairs], _Y[:pairs]
    assert paired_difference(x, y).p_value == pytest.approx(_peer(x, y), rel=1e-12)


def test_with_ties_it_is_that_of_scipy():
    x, y = np.array([1.0, 2.0, 2.0, 4.0, 5.0]), np.array([2.0, 2.0, 3.0, 3.0, 8.0])
    assert paired_difference(x, y).p_value == pytest.approx(_peer(x, y), rel=1e-12)


def test_of_ranks_it_is_the_test_of_wilcoxon():
    """With the ranks of the differences instead of their values."""
    differences = _X - _Y
    ranks = np.sign(differences) * scipy.stats.rankdata(np.abs(differences))
    peer = scipy.stats.wilcoxon(differences, method="exact").pvalue
    assert sign_flip_p_value(ranks) == pytest.approx(peer, rel=1e-12)


def test_the_smallest_p_value_is_reached_and_stated():
    for pairs in (1, 2, 3, 6):
        result = paired_difference(np.zeros(pairs), np.arange(1.0, pairs + 1))
        assert result.p_value == result.smallest_p_value == 2.0 ** (1 - pairs)


def test_many_pairs_are_drawn_and_agree_with_students_t():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.3, 1.0, 40)
    drawn = sign_flip_p_value(differences)
    assert drawn == sign_flip_p_value(differences)
    # For 40 normal differences both tests are nearly the same; Monte Carlo error 0.001.
    assert drawn == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, abs=0.005)
    far = paired_difference(np.zeros(40), np.ones(40))
    assert far.p_value == far.smallest_p_value == 1e-5


def test_the_interval_is_students_of_the_differences():
    result = paired_difference(_X, _Y)
    peer = scipy.stats.ttest_rel(_X, _Y).confidence_interval(0.95)
    assert result.interval == pytest.approx(tuple(peer), rel=1e-12)
    assert result.mean == pytest.approx(np.mean(_X) - np.mean(_Y))
    assert result.std == pytest.approx(np.std(_X - _Y, ddof=1))


def test_degenerate_pairs_are_defined():
    same = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (same.mean, same.std, same.interval, same.p_value) == (0.0, 0.0, (0.0, 0.0), 1.0)
    single = paired_difference([1.0], [3.0])
    assert (single.mean, single.std, single.interval, single.p_value) == (-2.0, None, None, 1.0)
    for x, y in (([1.0], [1.0, 2.0]), ([], []), ([np.nan], [1.0])):
        with pytest.raises(UserError):
            paired_difference(x, y)


def test_rounding_does_not_hide_equal_sums():
    """A matrix product and a sum differ in the last digit: p would be 0 without a tolerance."""
    assert sign_flip_p_value([-0.5, -0.5, -0.3, -0.1]) == 0.125


def test_corrections():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    # Step down: 4 · 0.005, 3 · 0.01, 2 · 0.03, then at least as much as before.
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx(scipy.stats.false_discovery_control(p))
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.2, 0.2]) == pytest.approx([0.4, 0.4])
    assert holm([]).shape == benjamini_hochberg([]).shape == (0,)
    for wrong in ([1.5], [np.nan], [[0.1]]):
        with pytest.raises(UserError, match="P values"):
            holm(wrong)


def test_holm_bounds_the_family_of_errors():
    """Without any true difference, it rejects one of 5 hypotheses in at most 5 % of the studies."""
    p = np.random.default_rng(0).uniform(size=(2000, 5))
    any_rejected = np.mean([holm(each).min() <= 0.05 for each in p])
    assert any_rejected == pytest.approx(1 - 0.99**5, abs=0.01)  # 0.049; two standard errors.
    assert np.mean(p.min(axis=1) <= 0.05) > 0.2
