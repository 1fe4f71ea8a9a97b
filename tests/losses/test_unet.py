"""The loss of U-Net discriminators is that of the images plus that of the pixels."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.losses import MultiHinge, UNetLoss, hinge, is_mean_over_images, rp_gan, sees_real

REAL, FAKE = (np.random.RandomState(i).normal(size=(3, 5)).astype(np.float32) for i in (0, 1))


def test_images_and_pixels_are_added():
    losses = UNetLoss(hinge, pixel_weight=0.5)(REAL, FAKE)
    real, fake = np.maximum(0, 1 - REAL), np.maximum(0, 1 + FAKE)

    def both(x):
        return x[:, 0].mean() + 0.5 * x[:, 1:].mean()

    expected = [both(real) + both(fake), both(real), both(fake), both(-FAKE)]
    # Means of at most 12 float32 numbers.
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_without_pixels_it_is_the_loss_itself():
    for loss in (hinge, rp_gan):
        found, expected = (each(REAL[:, :1], FAKE[:, :1]) for each in (UNetLoss(loss), loss))
        np.testing.assert_array_equal(found, expected)


def test_it_is_marked_like_its_loss():
    assert sees_real(UNetLoss(rp_gan)) and not sees_real(UNetLoss("hinge"))
    assert is_mean_over_images(UNetLoss("hinge")) and not is_mean_over_images(UNetLoss("ra_gan"))


def test_mistakes():
    with pytest.raises(UserError, match="Unknown loss 'hing'"):
        UNetLoss("hing")
    with pytest.raises(UserError, match=r"a function of logits alone, received MultiHinge\."):
        UNetLoss(MultiHinge())
    with pytest.raises(UserError, match=r"a function of logits alone, received MultiHinge\."):
        UNetLoss("multi_hinge")
    with pytest.raises(UserError, match=r"unet\.pixel_weight must be at least 0, received -1"):
        UNetLoss(pixel_weight=-1)
