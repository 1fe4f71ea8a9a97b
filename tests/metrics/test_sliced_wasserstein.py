"""The sliced Wasserstein distance against a computation in NumPy and against known cases."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    SlicedWasserstein,
    sliced_wasserstein_distance,
    tfgan,
)

_SIDE = 16


def _noise(num, seed, side=_SIDE):
    return np.random.default_rng(seed).integers(0, 256, [num, side, side, 1], dtype=np.uint8)


def _specks(num, seed):
    """Draws black images in which every fiftieth pixel is white."""
    return np.where(_noise(num, seed) < 5, 255, 0).astype(np.uint8)


def _patches(images, num, rng):
    """Cuts patches as TF-GAN does: 7 x 7, normalized to mean 0 and deviation 1, three channels."""
    images = images + rng.uniform(-0.5, 0.5, images.shape)
    places = rng.integers(0, _SIDE - 6, [num, 2])
    patches = [images[i % len(images), y : y + 7, x : x + 7, 0] for i, (y, x) in enumerate(places)]
    patches = np.repeat(np.reshape(patches, [num, -1]).astype(float), 3, axis=1)
    return (patches - patches.mean(1, keepdims=True)) / patches.std(1, keepdims=True)


def test_a_computation_in_numpy():
    real, fake = _noise(200, 0), _specks(200, 1)
    rng = np.random.default_rng(2)
    a, b = (_patches(images, 4000, rng) for images in (real, fake))
    directions = rng.normal(size=[147, 500])
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.abs(np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)).mean()
    distance, least = sliced_wasserstein_distance(real, fake, patches_per_image=20)[_SIDE]
    # Both are estimates that vary by 4 % from seed to seed.
    assert distance == pytest.approx(expected, rel=0.12)
    assert least < 0.6 * distance


def test_levels_and_repeatability():
    real, fake = _noise(20, 0, side=32), _noise(20, 1, side=32)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (sliced_wasserstein_distance(real, fake, seed=3) for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert list(first) == [32, 16]
    assert first == second


def test_patches_of_one_colour_need_noise():
    real, fake = np.zeros([2, 4, _SIDE, _SIDE, 3], np.uint8)
    with pytest.raises(UserError, match="single colour: set dequantize = True"):
        sliced_wasserstein_distance(real, fake, dequantize=False)
    distance, least = sliced_wasserstein_distance(real, fake)[_SIDE]
    assert 0 < distance < 2 * least
    assert sliced_wasserstein_distance(real, fake, seed=1)[_SIDE] != (distance, least)


def test_images_in_0_to_1_are_refused():
    real, fake = (_noise(2, seed).astype(np.float32) for seed in range(2))
    options = {"patches_per_image": 2}
    for name, pair in (("real", (real / 255, fake)), ("fake", (real, fake / 255))):
        message = rf"The {name} images must be in \[0, 255\], received floats in \[0, 1\]"
        with pytest.raises(UserError, match=message):
            sliced_wasserstein_distance(*pair, **options)
    # Bytes may be as dark, and an image can be black in either range.
    dark, black = (real > 127).astype(np.uint8), np.zeros_like(real)
    assert sliced_wasserstein_distance(dark, black, **options)[_SIDE][0] > 0


def test_the_metric_compares_equally_many_images():
    metric = SlicedWasserstein(num_images=9, patches_per_image=8, seed=5)
    results = []
    for images in (_noise(12, 0, side=32), _noise(7, 1, side=32)):
        statistics = metric.statistics(len(images))
        statistics.update(ImageBatch(images))
        results.append(statistics.result())
    real, fake = (result["images"][:7] for result in results)
    levels = sliced_wasserstein_distance(real, fake, patches_per_image=8, seed=5)
    assert metric.value(*results) == {
        "": pytest.approx((levels[32][0] + levels[16][0]) / 2),
        "32": levels[32][0],
        "16": levels[16][0],
        "real": pytest.approx((levels[32][1] + levels[16][1]) / 2),
    }
    assert metric.options()["num_images"] == 9


def test_unsuitable_images_are_refused(monkeypatch):
    metric = SlicedWasserstein()
    assert metric.inapplicable(None, None) is None
    for shape in ((16, 16, 1), (28, 28, 1), (48, 48, 3), (256, 256, 3)):
        assert metric.inapplicable_to(shape) is None
    for shape in ((16, 32, 3), (6, 6, 3), (33, 33, 3), (16, 16, 2)):
        assert "these are" in metric.inapplicable_to(shape)
    with pytest.raises(UserError, match="these are 16x32x3"):
        sliced_wasserstein_distance(*np.zeros([2, 1, 16, 32, 3]))
    with pytest.raises(UserError, match=r"\[1, 16, 16, 3\] and \[2, 16, 16, 3\]"):
        sliced_wasserstein_distance(np.zeros([1, 16, 16, 3]), np.zeros([2, 16, 16, 3]))

    def fail():
        raise UserError("TF-GAN cannot be imported (no module).")

    monkeypatch.setattr(tfgan, "load", fail)
    assert metric.inapplicable(None, None) == "TF-GAN cannot be imported (no module)"
