"""The CutMix consistency term: its mask, and its value for discriminators that are known."""

import numpy as np
import pytest
from keras import ops

from compare_gan.penalties import CutMix
from compare_gan.penalties.cutmix import collage_mask

RANDOM = np.random.RandomState(0)
X, X_FAKE = (RANDOM.uniform(size=(3, 4, 6, 1)).astype(np.float32) for _ in range(2))
# Share, centre and side of each image's collage.
DRAWS = np.float32([[0.25, 0.5, 0.5, 0.9], [0.25, 0.5, 0.5, 0.1], [1.0, 0.0, 0.0, 0.9]])
# A box of half the sides in the middle; all but it; the corner that the largest box covers.
MASK = np.zeros((3, 4, 6), bool)
MASK[0, 1:3, 2:4] = True
MASK[1] = ~MASK[0]
MASK[2, :2, :3] = True


def _uniform(shape):
    assert shape == DRAWS.shape
    return ops.convert_to_tensor(DRAWS)


def test_masks_are_boxes_and_the_rest_around_boxes():
    np.testing.assert_array_equal(collage_mask(3, 4, 6, _uniform), MASK)


def test_boxes_have_the_drawn_share_of_the_image():
    def uniform(shape):
        draws = np.random.RandomState(1).uniform(size=shape).astype(np.float32)
        draws[:, 1:3], draws[:, 3] = 0.5, 0.9
        return draws

    shares = collage_mask(4000, 32, 32, uniform)
    # Rounded to pixels: the mean of 4,000 uniform shares has a standard error of 0.005.
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)


def _term(score):
    return float(CutMix().discriminator_term(score, X, X_FAKE, score(X), score(X_FAKE), _uniform))


def test_a_judgement_of_each_pixel_by_itself_is_consistent():
    def score(x):
        whole = ops.mean(x, axis=(1, 2)) ** 2
        return ops.concatenate([whole, ops.reshape(ops.sin(x), (3, 24))], axis=1)

    assert _term(score) == pytest.approx(0, abs=1e-12)


def test_a_judgement_by_neighbours_is_penalized():
    def score(x):
        pixels = ops.roll(ops.convert_to_tensor(x), 1, axis=2)
        return ops.concatenate([pixels[:, 0, 0], ops.reshape(pixels, (3, 24))], axis=1)

    def collage(a, b):
        return np.where(MASK[..., None], a, b)

    expected = np.roll(collage(X, X_FAKE), 1, axis=2)
    expected -= collage(np.roll(X, 1, axis=2), np.roll(X_FAKE, 1, axis=2))
    assert _term(score) == pytest.approx(np.mean(expected**2), rel=1e-5)


def test_a_single_logit_is_compared_by_areas():
    def score(x):
        return ops.mean(ops.convert_to_tensor(x), axis=(1, 2)) ** 2

    means = [np.mean(x, axis=(1, 2)) ** 2 for x in (X, X_FAKE)]
    found = np.mean(np.where(MASK[..., None], X, X_FAKE), axis=(1, 2)) ** 2
    share = np.mean(MASK, axis=(1, 2))[:, None]
    expected = share * means[0] + (1 - share) * means[1]
    assert _term(score) == pytest.approx(np.mean((found - expected) ** 2), rel=1e-4)
