import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import transforms

_SEED = tf.constant([1, 2], tf.int64)


def _ramp(height, width):
    """Brightness grows from left to right by one per pixel, and from top to bottom by two."""
    image = np.arange(width)[None, :] + 2 * np.arange(height)[:, None]
    return tf.constant(image[..., None].astype(np.uint8))


def test_middle_square_of_wide_and_of_tall_images():
    wide = transforms.middle_square(4)(_ramp(4, 10), _SEED).numpy()
    np.testing.assert_array_equal(wide, _ramp(4, 10)[:, 3:7])
    high = transforms.middle_square(4)(_ramp(9, 4), _SEED).numpy()
    np.testing.assert_array_equal(high, _ramp(9, 4)[3:7])


def test_resizing_averages():
    """Halving a linear ramp gives the ramp at the middles of 2x2 pixels, away from the edges."""
    result = transforms.resize(_ramp(20, 20), 10).numpy()[..., 0].astype(float)
    i, j = np.mgrid[1:9, 1:9]
    expected = (2 * j + 0.5) + 2 * (2 * i + 0.5)
    np.testing.assert_allclose(result[1:9, 1:9], expected, atol=0.5)  # Rounded to whole numbers.


def test_distorted_crops_keep_half_of_the_area_at_least():
    """The scale of a crop shows in the slope of the ramp: crop side / size per pixel."""
    transform = transforms.imagenet_transform(20, "distorted")
    sides = []
    for number in range(60):
        result = transform(_ramp(40, 40), tf.constant([0, number], tf.int64)).numpy()[..., 0]
        slope = (result[10, 18].astype(float) - result[10, 2]) / 16
        sides.append(slope * 20)
    # Sides from sqrt(0.5)·40 = 28.3 to 40; rounding moves a slope by at most 1/16, a side by 1.25.
    assert 28.3 - 1.25 < min(sides) < 31
    assert 37 < max(sides) < 40 + 1.25


def test_random_crops_reach_both_ends():
    transform = transforms.imagenet_transform(4, "random")
    starts = {
        int(transform(_ramp(4, 7), tf.constant([0, number], tf.int64))[0, 0, 0])
        for number in range(60)
    }
    assert starts == {0, 1, 2, 3}


@pytest.mark.parametrize("method", ["distorted", "random", "middle", "none"])
def test_all_crops_have_the_requested_size(method):
    result = transforms.imagenet_transform(8, method)(_ramp(30, 17), _SEED)
    assert result.shape == (8, 8, 1)
    assert result.dtype == tf.uint8


@pytest.mark.parametrize(
    ("method", "random"),
    [("distorted", True), ("random", True), ("middle", False), ("none", False)],
)
def test_crops_depend_only_on_the_seed(method, random):
    """All pixels stay in the image's range, 50 to 200: no border is added, nothing overshoots."""
    image = np.random.default_rng(0).integers(50, 201, [40, 25, 3], np.uint8)
    transform = transforms.imagenet_transform(16, method)

    def crop(*seed):
        return transform(tf.constant(image), tf.constant(seed, tf.int64)).numpy()

    crops = [crop(1, number) for number in range(4)]
    for number, first in enumerate(crops):
        tf.random.set_seed(number)
        np.testing.assert_array_equal(crop(1, number), first)
        assert first.min() >= 50 and first.max() <= 200
    different = [not np.array_equal(crops[0], other) for other in crops[1:]]
    assert all(different) if random else not any(different)
