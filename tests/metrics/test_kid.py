"""Kernel distances against their definition and TF-GAN; stored values are in test_golden.py."""

import math

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    KernelInceptionDistance,
    PolynomialKernel,
    RbfKernel,
    kernel_distance,
    kernel_distance_of_blocks,
    kernel_distance_of_subsets,
)


def _sets(n, m, width=6):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, width)), 0.3 + 1.2 * rng.normal(size=(m, width))
    return x.astype(np.float32), y.astype(np.float32)


def _by_definition(x, y, kernel):
    """Computes unbiased MMD² pair by pair."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    within = [
        np.mean([kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
        for s in (x, y)
    ]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_definition():
    x, y = _sets(20, 13)
    expected = _by_definition(x, y, lambda a, b: (a @ b / 6 + 1) ** 3)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-12)
    expected = _by_definition(x, y, lambda a, b: (0.5 * (a @ b) - 2) ** 2)
    kernel = PolynomialKernel(degree=2, gamma=0.5, coef0=-2)
    assert kernel_distance(x, y, kernel) == pytest.approx(expected, rel=1e-12)
    expected = _by_definition(x, y, lambda a, b: math.exp(-np.sum((a - b) ** 2) / (2 * 3**2)))
    assert kernel_distance(x, y, RbfKernel(3.0)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("estimator", ["unbiased", "biased", "u_statistic"])
def test_blocks_change_nothing(monkeypatch, estimator):
    x, y = _sets(40, 40)
    whole = kernel_distance(x, y, estimator=estimator)
    monkeypatch.setattr("compare_gan.metrics.kid._BLOCK", 7)
    assert kernel_distance(x, y, estimator=estimator) == pytest.approx(whole, rel=1e-12)


def test_the_order_has_no_effect_beyond_rounding():
    x, y = _sets(1100, 700)
    order = np.random.default_rng(1).permutation(len(x))
    assert kernel_distance(x[order], y) == pytest.approx(kernel_distance(x, y), rel=1e-11)


def test_the_unbiased_estimate_of_equal_distributions_is_0_on_average():
    pairs = np.random.default_rng(0).normal(size=(200, 2, 30, 6))
    unbiased = np.array([kernel_distance(x, y) for x, y in pairs])
    assert abs(unbiased.mean()) < 2 * unbiased.std() / np.sqrt(200)
    biased = [kernel_distance(x, y, estimator="biased") for x, y in pairs]
    assert min(biased) > 0 and np.mean(biased) > unbiased.std()


def test_tfgan():
    import tensorflow as tf

    from compare_gan.metrics import tfgan

    x, y = _sets(103, 90)
    ours = kernel_distance_of_blocks(x, y, max_block_size=26)
    theirs = tfgan.load().eval.kernel_classifier_distance_and_std_from_activations
    tensors = [tf.constant(features, tf.float64) for features in (x, y)]
    mean, error = theirs(*tensors, max_block_size=26)
    assert ours.mean == pytest.approx(float(mean), rel=1e-11)
    assert ours.standard_error == pytest.approx(float(error), rel=1e-11)
    whole, _ = theirs(*tensors)
    assert kernel_distance(x, y) == pytest.approx(float(whole), rel=1e-11)
    assert math.isnan(kernel_distance_of_blocks(x, y).standard_error)


def test_the_metric_gives_mean_standard_error_and_whole_set():
    x, y = _sets(60, 50)
    metric = KernelInceptionDistance(num_subsets=9, subset_size=20, seed=3, full_set=True)
    results = []
    for features in (x, y):
        statistics = metric.statistics(len(features))
        statistics.update(ImageBatch(features=features))
        results.append(statistics.result())
    expected = kernel_distance_of_subsets(x, y, 9, 20, seed=3)
    error = expected.standard_error
    assert metric.value(*results) == pytest.approx(
        {"": expected.mean, "standard_error": error, "full": kernel_distance(x, y)}
    )
    assert metric.options() == {
        "num_subsets": 9, "subset_size": 20, "degree": 3, "gamma": None, "coef0": 1.0, "seed": 3
    }  # fmt: skip


def test_the_standard_error_is_the_spread_over_sets():
    rng = np.random.default_rng(0)
    found = np.array(
        [
            kernel_distance_of_subsets(x, 1.0 + y, num_subsets=30, subset_size=20)
            for x, y in rng.normal(size=(150, 2, 200, 6))
        ]
    )
    # 150 values determine the spread to 6 %; blocks vary slightly more than overlapping subsets.
    assert np.sqrt(np.mean(found[:, 2] ** 2)) == pytest.approx(found[:, 0].std(ddof=1), rel=0.2)


def test_the_standard_error_does_not_depend_on_the_order_in_the_sets():
    # Consecutive blocks of images sorted by class would differ far more than random sets.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200, 6))
    y = y[np.argsort(y[:, 0])]
    shuffled = kernel_distance_of_subsets(x, y[rng.permutation(200)], 2, 20).standard_error
    error = kernel_distance_of_subsets(x, y, 2, 20).standard_error
    assert error < 2 * shuffled < kernel_distance_of_blocks(x, y, 20).standard_error


def test_one_block_has_no_standard_error():
    x, y = _sets(60, 39)
    assert math.isnan(kernel_distance_of_subsets(x, y, 2, 20).standard_error)
    value = KernelInceptionDistance(2, 20).value({"features": x}, {"features": y})
    assert list(value) == [""]


def test_invalid_input_is_refused():
    x, y = _sets(20, 13)
    with pytest.raises(UserError, match="between 2 and the number of images, 13; received 14"):
        kernel_distance_of_subsets(x, y, 5, 14)
    with pytest.raises(UserError, match="between 2 and the number of images, 900; received 1000"):
        KernelInceptionDistance().statistics(900)
    with pytest.raises(UserError, match="same size, received 20 and 13"):
        kernel_distance(x, y, estimator="u_statistic")
    with pytest.raises(UserError, match="Did you mean 'unbiased'"):
        kernel_distance(x, y, estimator="unbiassed")
    with pytest.raises(UserError, match="generated features must cover at least 2 images"):
        kernel_distance(x, y[:1])
    with pytest.raises(UserError, match="7 blocks needs at least 2"):
        kernel_distance_of_blocks(x, y, max_block_size=3)
    with pytest.raises(UserError, match="must be finite"):
        kernel_distance(x, np.where(y > 1, np.nan, y))
    for make in (lambda: PolynomialKernel(degree=0), lambda: RbfKernel(0.0)):
        with pytest.raises(UserError, match="received 0"):
            make()
