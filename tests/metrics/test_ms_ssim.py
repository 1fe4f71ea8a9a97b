"""MS-SSIM against recorded numbers of the 2019 library and against TensorFlow."""

import os

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import ImageBatch, MultiscaleSsim, ms_ssim, ms_ssim_score

_GOLDEN = os.path.join(os.path.dirname(__file__), "..", "data", "metrics_2019_golden.npz")
_FIRST, _SECOND = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)


@pytest.fixture(scope="module")
def golden():
    with np.load(_GOLDEN, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize(("name", "side"), [("64", 64), ("50crop", 50), ("32crop", 32)])
def test_recorded_pairs(name, side, golden, assert_golden):
    images = golden["in/images64"][:, :side, :side]
    # Recorded in float32, where a variance is the difference of two numbers up to 255².
    pairs = ms_ssim(images[_FIRST], images[_SECOND])
    assert_golden("metric", f"ms_ssim/pairs_{name}", pairs, golden[f"ms_ssim/pairs_{name}"])
    score = pairs[_FIRST < _SECOND].mean()
    assert_golden("metric", f"ms_ssim/score_{name}", score, golden[f"ms_ssim/score_{name}"])


def test_recorded_pairs_without_weights(golden, assert_golden):
    images = golden["in/images64"]
    pairs = ms_ssim(images[_FIRST], images[_SECOND], weights=np.ones(5))
    key = "ms_ssim/unweighted_pairs_64"
    assert_golden("metric", key, pairs, golden[key])


def _pairs(shape, noise=40.0):
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 255, shape)
    return first, np.clip(first + noise * rng.normal(size=shape), 0, 255)


def test_tensorflow_for_images_that_it_supports():
    import tensorflow as tf

    first, second = _pairs([2, 187, 178, 3])
    theirs = tf.image.ssim_multiscale(first.astype(np.float32), second.astype(np.float32), 255.0)
    # TensorFlow computes in float32.
    np.testing.assert_allclose(ms_ssim(first, second), theirs, rtol=1e-5)


def test_bounds():
    first, second = _pairs([3, 16, 29, 1])
    np.testing.assert_allclose(ms_ssim(first, first), 1.0, rtol=1e-12)
    assert (ms_ssim(first, second) < 0.99).all()
    assert ms_ssim(first, 255 - first).max() == 0.0  # Structure is reversed, which counts as 0.


def test_pairs_are_within_classes_and_classes_have_equal_weight():
    first, second = _pairs([3, 16, 16, 1])
    images = np.concatenate([first[:1], first[:1], first[1:2], second[1:2], first[2:]])
    one = ms_ssim(first[1:2], second[1:2])[0]
    labels = [7, 7, 3, 3, 5]
    assert ms_ssim_score(images, labels) == pytest.approx((1 + one) / 2, rel=1e-12)
    many = np.concatenate([images, first[:1], first[:1]]), [*labels, 7, 7]
    assert ms_ssim_score(*many) == pytest.approx((1 + one) / 2, rel=1e-12)


def test_pairs_are_disjoint_and_depend_on_the_seed(monkeypatch):
    images = np.arange(20.0)[:, None, None, None] * np.ones([1, 16, 16, 1])
    seen = []

    def record(first, second):
        seen.append(np.concatenate([first[:, 0, 0, 0], second[:, 0, 0, 0]]))
        return np.ones(len(first))

    monkeypatch.setitem(ms_ssim_score.__globals__, "_ms_ssim_in_blocks", record)
    for seed in (0, 0, 1):
        ms_ssim_score(images, pairs_per_class=8, seed=seed)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert len(set(seen[0])) == len(seen[0]) == 16


@pytest.mark.parametrize("labels", [None, np.arange(30) % 2])
def test_the_metric_scores_the_first_images_of_each_class(labels):
    images = _pairs([30, 16, 16, 1])[0].astype(np.uint8)
    metric = MultiscaleSsim(pairs_per_class=4, seed=2)
    statistics = metric.statistics(30)
    for rows in (slice(0, 7), slice(7, 30)):
        statistics.update(ImageBatch(images[rows], None if labels is None else labels[rows]))
    kept = images[:8] if labels is None else np.concatenate([images[0:16:2], images[1:16:2]])
    expected = ms_ssim_score(kept, None if labels is None else np.repeat([0, 1], 8), 4, seed=2)
    result = statistics.result()
    np.testing.assert_array_equal(result["images"], kept)
    assert metric.value(result) == {"": pytest.approx(expected, rel=1e-12)}


def test_unsuitable_images_are_refused():
    with pytest.raises(UserError, match="at least 16x16 pixels, these have 15x40"):
        ms_ssim(*_pairs([1, 15, 40, 1]))
    assert "at least 16x16 pixels" in MultiscaleSsim().inapplicable_to((8, 8, 3))
    assert MultiscaleSsim().inapplicable_to((16, 16, 3)) is None
    with pytest.raises(UserError, match=r"\[1, 16, 16, 1\] and \[2, 16, 16, 1\]"):
        ms_ssim(np.zeros([1, 16, 16, 1]), np.zeros([2, 16, 16, 1]))
    with pytest.raises(UserError, match="must be finite"):
        ms_ssim(np.full([1, 16, 16, 1], np.nan), np.zeros([1, 16, 16, 1]))
    with pytest.raises(UserError, match=r"images \[n, H, W, C\], received shape \[2, 16, 16\]"):
        ms_ssim_score(np.zeros([2, 16, 16]))
    with pytest.raises(UserError, match="received 2 images without a pair"):
        ms_ssim_score(np.zeros([2, 16, 16, 1]), [0, 1])
    with pytest.raises(UserError, match="received none"):
        MultiscaleSsim().statistics(0).result()


def test_images_in_0_to_1_are_refused():
    first, second = _pairs([2, 16, 16, 1])
    for pair in ((first / 255, second), (first, np.float32(second / 255)), (first, 0 * second + 1)):
        with pytest.raises(UserError, match=r"must be in \[0, 255\], received floats in \[0, 1\]"):
            ms_ssim(*pair)
    with pytest.raises(UserError, match=r"received floats in \[0, 1\]"):
        ms_ssim_score(first / 255)
    # Bytes may be as dark; an image, or a class within a set, can be black in either range.
    dark = (first > 127).astype(np.uint8)
    np.testing.assert_array_equal(ms_ssim(dark, 0 * dark), ms_ssim(dark, 0.0 * dark))
    np.testing.assert_allclose(ms_ssim(first / 255 + 1, first / 255 + 1), 1.0, rtol=1e-12)
    assert ms_ssim_score(np.concatenate([first, first / 255]), [0, 0, 1, 1]) > 0
