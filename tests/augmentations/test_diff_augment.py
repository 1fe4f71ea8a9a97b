"""DiffAugment against the authors' program, closed forms and its own random draws."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.augmentations import DiffAugment
from compare_gan.errors import UserError
from compare_gan.training.objective import DiffAugmentOptions

POLICIES = (
    "brightness",
    "saturation",
    "contrast",
    "translation",
    "cutout",
    "color",
    "color,translation",
    "translation,cutout",
    "color,cutout",
    "color,translation,cutout",
)


def _recorded_draws(golden):
    """By operation, the draws that `uniform` must return to reproduce the recorded ones."""
    draws = {name: [golden[f"diff_augment/in/{name}"]] for name in DiffAugment("color").operations}
    rows, columns = golden["diff_augment/in/max_translation_rows_cols"]
    draws["translation"] = [
        _unit(golden["diff_augment/in/translation_rows"], -rows, rows),
        _unit(golden["diff_augment/in/translation_cols"], -columns, columns),
    ]
    size = golden["diff_augment/in/x01"].shape[1]
    draws["cutout"] = [
        _unit(golden[f"diff_augment/in/cutout_{name}"], 0, size - box % 2)
        for name, box in zip(
            ("row", "col"), golden["diff_augment/in/cutout_size_rows_cols"], strict=True
        )
    ]
    return draws


def _unit(integers, least, most):
    """The middle of the interval in [0, 1) whose draws become these integers."""
    return (integers - least + 0.5) / (most - least + 1)


def _uniform(policy, golden):
    draws = _recorded_draws(golden)
    queue = [each for name in DiffAugment(policy).operations for each in draws[name]]
    return lambda shape: tf.constant(queue.pop(0).reshape(shape), tf.float32)


@pytest.mark.parametrize("policy", POLICIES)
def test_images_are_those_of_the_authors(assert_golden, modern_golden, policy):
    augment = DiffAugment(policy)
    x = modern_golden["diff_augment/in/x01"]
    key = f"diff_augment/{policy.replace(',', '+')}/out_pm1_as_01"
    found = augment(x, _uniform(policy, modern_golden))
    # float32, and the authors' program works on [-1, 1], where rounding is twice as large: 1e-6.
    assert_golden("modern augmentations", key, found, modern_golden[key], rtol=1e-6)


def test_borders_and_boxes_may_be_black(assert_golden, modern_golden):
    """As in the authors' fork of Compare GAN, which runs the formulas on images in [0, 1]."""
    policy = "translation,cutout"
    [augment] = DiffAugmentOptions(policy).arguments()["augmentations"]
    x = modern_golden["diff_augment/in/x01"]
    key = "diff_augment/translation+cutout/out_run_on_01"
    found = augment(x, _uniform(policy, modern_golden))
    assert_golden("modern augmentations", key, found, modern_golden[key], rtol=1e-6)


@pytest.mark.parametrize("policy", ("saturation", "contrast", "color,translation,cutout"))
def test_gradients_are_those_of_the_authors(assert_golden, modern_golden, policy):
    augment, x = DiffAugment(policy), tf.constant(modern_golden["diff_augment/in/x01"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = augment(x, _uniform(policy, modern_golden))
        total = tf.reduce_sum(out * modern_golden["diff_augment/in/grad_coef"])
    # In [0, 1] both the images and the change of the sum are half as large: the slope is equal.
    key = f"diff_augment/{policy.replace(',', '+')}/grad_x_pm1"
    found = tape.gradient(total, x)
    assert_golden("modern augmentations", key, found, modern_golden[key], rtol=2e-6)


def test_grey_images_have_no_saturation_and_the_other_operations_work():
    random = np.random.RandomState(0)
    x = random.uniform(size=(3, 8, 8, 1)).astype(np.float32)
    draw = lambda shape: random.uniform(size=shape).astype(np.float32)  # noqa: E731
    np.testing.assert_array_equal(DiffAugment("saturation")(x, draw), x)
    out = DiffAugment()(x, draw)
    assert out.shape == x.shape and np.all(np.isfinite(out))


def test_shifts_and_boxes_that_are_not_square():
    """A shift uncovers at most 1 of 8 rows and 2 of 16 columns; the box is 4 rows by 8 columns."""
    x = np.ones((1, 8, 16, 1), np.float32)
    out = DiffAugment("translation")(x, lambda shape: tf.fill(shape, 0.999)).numpy()
    np.testing.assert_array_equal(out[0, 7, :, 0], 0.5)
    np.testing.assert_array_equal(out[0, :, 14:, 0], 0.5)
    np.testing.assert_array_equal(out[0, :7, :14, 0], 1.0)
    out = DiffAugment("cutout")(x, lambda shape: tf.fill(shape, 0.5)).numpy()
    assert np.sum(out == 0.5) == 4 * 8


def test_draws_follow_the_order_of_the_policy():
    x = np.float32([[[[0.2]], [[0.6]]]])
    brighter = lambda shape: tf.fill(shape, 0.75)  # noqa: E731
    # Brightness +0.125, contrast × 1.25 around the mean: only brightness changes the mean.
    for policy in ("brightness,contrast", "contrast,brightness"):
        out = DiffAugment(policy)(x, brighter).numpy().ravel()
        np.testing.assert_allclose(out, [0.4 + 0.125 - 0.25, 0.4 + 0.125 + 0.25], rtol=1e-6)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    (
        ("colour", "Unknown operation of diff_augment.policy 'colour'. Did you mean 'color'"),
        ("", r"diff_augment\.policy must name operations .* received ''"),
        (3, r"diff_augment\.policy must name operations .* received 3"),
    ),
)
def test_wrong_policies_are_refused(policy, sentence):
    with pytest.raises(UserError, match=sentence):
        DiffAugment(policy)
