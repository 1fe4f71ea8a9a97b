"""Fractal dimension against recorded numbers of the 2019 library and for known sets."""

import os

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import FractalDimension, ImageBatch, fractal_dimension

_GOLDEN = os.path.join(os.path.dirname(__file__), "..", "data", "metrics_2019_golden.npz")


@pytest.fixture(scope="module")
def golden():
    with np.load(_GOLDEN, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize(("name", "key"), [("points", "value"), ("line", "line")])
def test_recorded_dimensions(name, key, golden, assert_golden):
    points = golden[f"in/fractal_{name}"]
    indices = np.random.RandomState(0).randint(len(points), size=100)
    if name == "points":
        np.testing.assert_array_equal(indices, golden["in/fractal_seed_indices"])
    value = fractal_dimension(points, seed_indices=indices)
    # Both are float64 throughout.
    key = f"fractal_dimension/{key}"
    assert_golden("metric", key, value, golden[key], rtol=1e-12)


def test_sets_of_known_dimension():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, [4000, 2])
    circle = np.concatenate([np.cos(angle[:, :1]), np.sin(angle[:, :1])], axis=1)
    torus = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    # Curvature and the number of points cause errors of a few per cent.
    assert fractal_dimension(circle) == pytest.approx(1.0, abs=0.08)
    assert fractal_dimension(torus) == pytest.approx(2.0, abs=0.15)


def test_scale_and_shape_have_no_effect_and_the_seed_has():
    points = np.random.default_rng(0).normal(size=[300, 2, 2])
    value = fractal_dimension(points, 50)
    assert fractal_dimension(1e3 * points.reshape(300, 4), 50) == pytest.approx(value, rel=1e-9)
    assert fractal_dimension(points, 50, seed=1) != value


def test_the_metric_scores_both_sets():
    rng = np.random.default_rng(0)
    metric = FractalDimension(num_seeds=20, seed=3)
    sets = [rng.normal(size=[200, d]) @ np.eye(d, 5) for d in (4, 2)]
    results = []
    for points in sets:
        statistics = metric.statistics(200)
        statistics.update(ImageBatch(features=points))
        results.append(statistics.result())
    values = metric.value(*results)
    assert values == {
        "real": fractal_dimension(sets[0], 20, seed=3),
        "": fractal_dimension(sets[1], 20, seed=3),
    }
    assert values[""] < values["real"]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.ones([5, 2]), "received 5 points with fewer"),
        (np.zeros([0, 2]), "received 0 points with fewer"),
        (np.arange(2.0)[:, None], "received 2 points with fewer"),
        (np.arange(-1.0, 2.0)[:, None], "needs more points, received 3"),
        (np.array([[np.inf], [0.0]]), "must be finite"),
    ],
)
def test_sets_without_a_dimension_are_refused(points, message):
    with pytest.raises(UserError, match=message):
        fractal_dimension(points)
