"""Fréchet distance against closed forms, SciPy's sqrtm, TF-GAN and stored numbers of peers."""

import os

import numpy as np
import pytest
import scipy.linalg

from compare_gan.errors import UserError
from compare_gan.metrics import Batch, frechet_distance, gaussian_statistics
from compare_gan.metrics.frechet import GaussianStatistics

_GOLDEN = os.path.join(os.path.dirname(__file__), "..", "data", "metrics_golden.npz")


@pytest.fixture(scope="module")
def golden():
    with np.load(_GOLDEN, allow_pickle=False) as file:
        return dict(file)


def _features(seed, n, d, shift=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + shift


def _by_sqrtm(m1, c1, m2, c2):
    root = scipy.linalg.sqrtm(c1 @ c2)
    return np.sum((m1 - m2) ** 2) + np.trace(c1 + c2) - 2 * np.trace(root).real


def _by_data(x, y):
    """The distance from the data themselves: exact for any rank, no covariance is formed."""
    a, b = (v - v.mean(0) for v in (x, y))
    a, b = a / np.sqrt(len(x) - 1), b / np.sqrt(len(y) - 1)
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.sum(a**2) + np.sum(b**2) - 2 * root


def test_stored_distance_of_pytorch_fid(golden):
    names = ("real_mean", "real_cov", "fake_mean", "fake_cov")
    distance = frechet_distance(*(golden[name] for name in names))
    # pytorch-fid and torch-fidelity agree with each other to 1e-13.
    assert distance == pytest.approx(golden["fid"], rel=1e-11)


def test_stored_distance_with_fewer_images_than_features(golden):
    real, fake = (golden[name].astype(np.float64) for name in ("real_small", "fake_small"))
    distance = frechet_distance(*gaussian_statistics(real), *gaussian_statistics(fake))
    # The peers scatter by 1e-7 here (their square roots of rounding errors); the data do not.
    assert distance == pytest.approx(golden["fid_small"], rel=5e-7)
    assert distance == pytest.approx(_by_data(real, fake), rel=1e-12)


def test_scipy_sqrtm():
    x, y = gaussian_statistics(_features(0, 300, 12)), gaussian_statistics(_features(1, 200, 12))
    assert frechet_distance(*x, *y) == pytest.approx(_by_sqrtm(*x, *y), rel=1e-9)


def test_tfgan():
    from compare_gan.metrics import tfgan

    x, y = _features(0, 400, 8, shift=1.0), _features(1, 300, 8)
    theirs = tfgan.load().eval.frechet_classifier_distance_from_activations(x, y)
    ours = frechet_distance(*gaussian_statistics(x), *gaussian_statistics(y))
    assert float(theirs) == pytest.approx(ours, rel=1e-11)


def test_commuting_covariances_have_a_closed_form():
    c1, c2 = np.diag([4.0, 9.0, 0.0]), np.diag([1.0, 0.0, 16.0])
    expected = 1 + 4 + 9 + (2 - 1) ** 2 + 9 + 16
    assert frechet_distance([1, 2, 3], c1, [0, 0, 0], c2) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("n", "d"), [(500, 10), (5, 10), (2, 3)])
def test_equal_sets_are_at_distance_zero(n, d):
    x = gaussian_statistics(_features(0, n, d))
    assert 0 <= frechet_distance(*x, *x) < 1e-12 * np.trace(x[1])


def test_equal_images_have_the_distance_of_their_means():
    ones = np.ones([5, 3])
    x, y = gaussian_statistics(ones), gaussian_statistics(3 * ones)
    assert frechet_distance(*x, *y) == pytest.approx(12.0, rel=1e-15)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_statistics_are_those_of_numpy_for_any_batch_size(batch_size):
    # Means of 1000 standard deviations: sums of squares would lose six digits here.
    x = (_features(0, 1000, 6) + 1000.0).astype(np.float32)
    statistics = GaussianStatistics()
    for i in range(0, len(x), batch_size):
        statistics.update(Batch(features=x[i : i + batch_size]))
    result = statistics.result()
    wide = x.astype(np.float64)
    np.testing.assert_allclose(result["mean"], wide.mean(0), rtol=1e-13)
    covariance = np.cov(wide, rowvar=False)
    np.testing.assert_allclose(
        result["covariance"], covariance, rtol=1e-10, atol=1e-10 * np.abs(covariance).max()
    )


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_are_refused(n):
    with pytest.raises(UserError, match=f"at least 2 images, received {n}"):
        gaussian_statistics(np.zeros([n, 3]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value):
    x = _features(0, 10, 3)
    x[4, 1] = value
    with pytest.raises(UserError, match="not all finite"):
        gaussian_statistics(x)
    with pytest.raises(UserError, match="not finite"):
        frechet_distance(np.zeros(1), np.eye(1), np.array([value]), np.eye(1))
    with pytest.raises(UserError, match="not finite"):
        frechet_distance(np.zeros(1), np.eye(1), np.zeros(1), np.array([[value]]))


def test_what_is_no_covariance_is_refused():
    zero = np.zeros(2)
    with pytest.raises(UserError, match="negative eigenvalue; received one with -1"):
        frechet_distance(zero, np.diag([1.0, -1.0]), zero, np.eye(2))
    with pytest.raises(UserError, match="not symmetric"):
        frechet_distance(zero, np.array([[1.0, 0.5], [0.0, 1.0]]), zero, np.eye(2))
    with pytest.raises(UserError, match="square"):
        frechet_distance(zero, np.ones([2, 3]), zero, np.eye(2))
    with pytest.raises(UserError, match="do not fit"):
        frechet_distance(zero, np.eye(2), np.zeros(3), np.eye(3))
