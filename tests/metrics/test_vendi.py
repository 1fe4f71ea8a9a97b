"""Vendi score against closed forms and between its forms; stored values are in test_golden.py."""

import math

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import ImageBatch, Vendi, vendi_score, vendi_score_from_similarities

_ORDERS = (0, 0.5, 1, 2, math.inf)


@pytest.mark.parametrize("order", _ORDERS)
def test_distinct_and_equal_images(order):
    assert vendi_score(np.eye(6, 9), order) == pytest.approx(6, rel=1e-12)
    assert vendi_score(np.repeat(np.eye(3), 5, axis=0), order) == pytest.approx(3, rel=1e-12)
    assert vendi_score(np.outer(np.arange(1, 9), [1.0, 2.0, 3.0]), order) == pytest.approx(1)
    assert vendi_score([[5.0]], order) == 1


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize(("n", "width"), [(30, 8), (8, 30), (12, 12)])
def test_both_forms_agree(monkeypatch, order, n, width):
    monkeypatch.setattr("compare_gan.metrics.vendi._BLOCK", 7)
    x = np.random.default_rng(0).normal(size=(n, width))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = vendi_score_from_similarities(unit @ unit.T, order)
    assert vendi_score(x.astype(np.float64), order) == pytest.approx(expected, rel=1e-10)


def test_orders_near_1_tend_to_shannon():
    x = np.random.default_rng(0).normal(size=(30, 8))
    assert vendi_score(x, 1 + 1e-7) == pytest.approx(vendi_score(x), rel=1e-6)


def test_the_metric():
    x = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    metric = Vendi(2.0)
    statistics = metric.statistics(30)
    statistics.update(ImageBatch(features=x))
    assert metric.value(statistics.result()) == {"": vendi_score(x, 2)}
    assert metric.options() == {"order": 2.0} and not metric.uses_real


def test_invalid_input_is_refused():
    with pytest.raises(UserError, match="all zeros"):
        vendi_score(np.eye(3)[[0, 1, 2, 0]] * [1, 1, 0])
    with pytest.raises(UserError, match="features must cover at least 1 image,"):
        vendi_score(np.zeros([0, 3]))
    with pytest.raises(UserError, match="order must be at least 0, received -1"):
        vendi_score(np.eye(3), -1)
    with pytest.raises(UserError, match="square matrix"):
        vendi_score_from_similarities(np.ones([2, 3]))
    with pytest.raises(UserError, match=r"1 on the diagonal, .* off by 1"):
        vendi_score_from_similarities(2 * np.eye(3))
    with pytest.raises(UserError, match="not have negative eigenvalues"):
        vendi_score_from_similarities([[1.0, 2.0], [2.0, 1.0]])
