"""Fréchet distance against closed forms, SciPy's sqrtm, TF-GAN and stored numbers of peers."""

import os

import numpy as np
import pytest
import scipy.linalg

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    frechet_distance,
    frechet_distance_from_statistics,
    gaussian_statistics,
)
from compare_gan.metrics.gaussian import GaussianStatistics

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
    """Computes the distance from the data, without covariances: exact for any rank."""
    a, b = (v - v.mean(0) for v in (x, y))
    a, b = a / np.sqrt(len(x) - 1), b / np.sqrt(len(y) - 1)
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.sum(a**2) + np.sum(b**2) - 2 * root


def test_stored_distance_of_pytorch_fid(golden):
    names = ("real_mean", "real_cov", "fake_mean", "fake_cov")
    distance = frechet_distance_from_statistics(*(golden[name] for name in names))
    # pytorch-fid and torch-fidelity agree with each other to 1e-13.
    assert distance == pytest.approx(golden["fid"], rel=1e-11)


def test_stored_distance_with_fewer_images_than_features(golden):
    real, fake = (golden[name].astype(np.float64) for name in ("real_small", "fake_small"))
    distance = frechet_distance_from_statistics(
        *gaussian_statistics(real), *gaussian_statistics(fake)
    )
    # The peers scatter by 1e-7 here (square roots of rounding errors); the reference does not.
    assert distance == pytest.approx(golden["fid_small"], rel=5e-7)
    assert distance == pytest.approx(_by_data(real, fake), rel=1e-12)
    assert frechet_distance(real, fake) == pytest.approx(_by_data(real, fake), rel=1e-12)


def test_scipy_sqrtm():
    x, y = _features(0, 300, 12), _features(1, 200, 12)
    statistics = *gaussian_statistics(x), *gaussian_statistics(y)
    expected = pytest.approx(_by_sqrtm(*statistics), rel=1e-9)
    assert frechet_distance(x, y) == expected
    assert frechet_distance_from_statistics(*statistics) == expected


def test_tfgan():
    from compare_gan.metrics import tfgan

    x, y = _features(0, 400, 8, shift=1.0), _features(1, 300, 8)
    theirs = tfgan.load().eval.frechet_classifier_distance_from_activations(x, y)
    ours = frechet_distance(x, y)
    assert float(theirs) == pytest.approx(ours, rel=1e-11)


def test_commuting_covariances_have_a_closed_form():
    c1, c2 = np.diag([4.0, 9.0, 0.0]), np.diag([1.0, 0.0, 16.0])
    expected = 1 + 4 + 9 + (2 - 1) ** 2 + 9 + 16
    distance = frechet_distance_from_statistics([1, 2, 3], c1, [0, 0, 0], c2)
    assert distance == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("n", "d"), [(500, 10), (5, 10), (2, 3)])
def test_equal_sets_are_at_distance_zero(n, d):
    x = _features(0, n, d)
    mean, covariance = gaussian_statistics(x)
    bound = 1e-12 * np.trace(covariance)
    assert 0 <= frechet_distance(x, x) < bound
    assert 0 <= frechet_distance_from_statistics(mean, covariance, mean, covariance) < bound


def test_equal_images_have_the_distance_of_their_means():
    ones = np.ones([5, 3])
    assert frechet_distance(ones, 3 * ones) == pytest.approx(12.0, rel=1e-15)


@pytest.mark.parametrize("sizes", [(300, 200), (300, 10), (10, 200), (10, 8)])
@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1e-3), (1.0, 1e-7), (1.0, 0.0)])
def test_features_of_any_number_scale_and_rank(sizes, scales):
    """Covers ill-conditioned, constant and linearly dependent features, in both forms."""
    scale = np.resize(scales, 12)
    x, y = (_features(i, n, 12, shift=i) * scale for i, n in enumerate(sizes))
    y[:, 3] = y[:, 4]
    expected = _by_data(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-10)
    statistics = *gaussian_statistics(x), *gaussian_statistics(y)
    # A covariance resolves directions with a share above 1e-15, and so roots above 3e-8.
    assert frechet_distance_from_statistics(*statistics) == pytest.approx(expected, rel=1e-7)


def test_small_singular_values_keep_their_digits():
    """Squares would lose them here: the distance is a small difference of large traces."""
    x = _features(0, 60, 12) * np.resize([1.0, 1e-6], 12)
    y = x * (1 + 1e-4 * np.resize([0.0, 1.0], 12))
    assert frechet_distance(x, y) == pytest.approx(_by_data(x, y), abs=1e-13 * np.sum(x**2))


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000, 2500])
def test_the_division_into_batches_changes_no_bit(batch_size):
    x = _features(0, 2500, 5, shift=3.0).astype(np.float32)
    whole = gaussian_statistics(x)
    statistics = GaussianStatistics()
    for i in range(0, len(x), batch_size):
        statistics.update(ImageBatch(features=x[i : i + batch_size]))
    for value, expected in zip(statistics.result().values(), whole, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_the_order_has_no_effect_beyond_rounding():
    x, y = (_features(i, 2500, 6, shift=i).astype(np.float32) for i in range(2))
    orders = [np.argsort(x[:, 0]), np.random.default_rng(0).permutation(len(x))]
    values = [frechet_distance(x[order], y) for order in orders]
    assert values == pytest.approx([frechet_distance(x, y)] * 2, rel=1e-12)


def test_merged_statistics_are_those_of_the_whole(tmp_path):
    x = _features(0, 3000, 5) + np.repeat([0.0, 100.0, -50.0], 1000)[:, None]
    parts = []
    for i, rows in enumerate((x[:1100], x[1100:1101], x[1101:], x[:0])):
        part = GaussianStatistics()
        part.update(ImageBatch(features=rows))
        np.savez(tmp_path / f"{i}.npz", **part.state())  # As sent from another host.
        with np.load(tmp_path / f"{i}.npz", allow_pickle=False) as state:
            parts.append(GaussianStatistics.from_state(state))
    merged = GaussianStatistics()
    for part in parts:
        merged.merge(part)
    mean, covariance = merged.result().values()
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=1e-12)
    with pytest.raises(UserError, match="same width, received 5 and 2"):
        other = GaussianStatistics()
        other.update(ImageBatch(features=np.ones([3, 2])))
        merged.merge(other)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_statistics_are_those_of_numpy_for_any_batch_size(batch_size):
    # With means of 1000 standard deviations, sums of squares would lose six digits.
    x = (_features(0, 1000, 6) + 1000.0).astype(np.float32)
    statistics = GaussianStatistics()
    for i in range(0, len(x), batch_size):
        statistics.update(ImageBatch(features=x[i : i + batch_size]))
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
    with pytest.raises(
        UserError, match=f"real features must cover at least 2 images, received {n}"
    ):
        frechet_distance(np.zeros([n, 3]), np.zeros([5, 3]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value):
    x = _features(0, 10, 3)
    x[4, 1] = value
    with pytest.raises(UserError, match="must be finite"):
        gaussian_statistics(x)
    with pytest.raises(UserError, match="generated features must be finite"):
        frechet_distance(_features(0, 10, 3), x)
    with pytest.raises(UserError, match="must be finite"):
        frechet_distance_from_statistics(np.zeros(1), np.eye(1), np.array([value]), np.eye(1))
    with pytest.raises(UserError, match="must be finite"):
        frechet_distance_from_statistics(np.zeros(1), np.eye(1), np.zeros(1), np.array([[value]]))


def test_invalid_covariances_are_refused():
    zero = np.zeros(2)
    with pytest.raises(UserError, match="negative eigenvalues, received one of -1"):
        frechet_distance_from_statistics(zero, np.diag([1.0, -1.0]), zero, np.eye(2))
    with pytest.raises(UserError, match="must be symmetric"):
        frechet_distance_from_statistics(zero, np.array([[1.0, 0.5], [0.0, 1.0]]), zero, np.eye(2))
    with pytest.raises(UserError, match="square"):
        frechet_distance_from_statistics(zero, np.ones([2, 3]), zero, np.eye(2))
    with pytest.raises(UserError, match="same number of features"):
        frechet_distance_from_statistics(zero, np.eye(2), np.zeros(3), np.eye(3))
    with pytest.raises(UserError, match="complex"):
        frechet_distance_from_statistics(zero, np.eye(2) + 0j, zero, np.eye(2))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros([4, 3], np.complex64), "must be real numbers, received complex64"),
        (np.array([["a"], ["b"]]), "must be numbers, received <U1"),
        (np.zeros([4, 2, 2]), r"must be \[n, f\] with f at least 1, received shape \[4, 2, 2\]"),
        (np.zeros([4, 0]), "f at least 1"),
        (np.zeros([4, 2]), "same width, received 3 and 2"),
        (np.full([4, 3], -1e60), r"must stay below 1e\+50, .* received 1e\+60"),
    ],
)
def test_invalid_features_are_refused(features, message):
    with pytest.raises(UserError, match=message):
        frechet_distance(np.zeros([4, 3]), features)


def test_batches_of_other_widths_are_refused():
    statistics = GaussianStatistics()
    statistics.update(ImageBatch(features=np.zeros([4, 3])))
    with pytest.raises(UserError, match="same width, received 3 and 2"):
        statistics.update(ImageBatch(features=np.zeros([4, 2])))


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_covariance_that_overflows_is_refused():
    with pytest.raises(UserError, match="covariance overflows"):
        gaussian_statistics(1e200 * _features(0, 10, 3))
