"""ADA against the authors' program and closed forms."""

import os

import numpy as np
import pytest
import tensorflow as tf
from ada_draws import recorded_draws

from compare_gan.augmentations import ADA
from compare_gan.augmentations.ada import corruption, geometry
from compare_gan.errors import UserError

# Of each recorded case, the policy.
CASES = {
    **{
        name: name
        for name in (
            "xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "brightness",
            "contrast", "lumaflip", "hue", "saturation", "noise", "cutout",
        )
    },
    "imgfilter": "filter",
    "bgc_p0.8": "color,geometry,blit",
    "bgc_p1.0": "blit,geometry,color",
    "r3gan_p0.55": "blit,geometry,color:0.5,cutout",
}  # fmt: skip


@pytest.fixture(name="golden", scope="module")
def _golden():
    path = os.path.join(os.path.dirname(__file__), "..", "data", "augmentations_golden.npz")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _augmented(golden, case, images):
    augment = ADA(CASES[case], p=float(golden[f"ada/{case}/p"]))
    return augment(images, *recorded_draws(golden, f"ada/{case}/draw/", augment.strengths))


@pytest.mark.parametrize("case", CASES)
def test_images_are_those_of_the_authors(assert_golden, golden, case):
    x = golden.get(f"ada/{case}/in/x01", golden["ada/in/x01"])
    found = 2 * _augmented(golden, case, x) - 1
    # float32 in both: rounding of positions moves a sample by 1e-6 of the image.
    assert_golden(
        "modern augmentations", f"ada/{case}", found, golden[f"ada/{case}/out_pm1"], rtol=5e-6
    )


def test_gradients_are_those_of_the_authors(assert_golden, golden):
    x = tf.constant(golden["ada/in/x01"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = _augmented(golden, "bgc_p0.8", x)
        total = tf.reduce_sum(out * golden["ada/in/grad_coef"])
    # Images and result are scaled alike, so the slope is that for [-1, 1]. Rounding of positions as
    # above, through some ten products.
    key = "ada/bgc_p0.8/grad_x_pm1"
    assert_golden("modern augmentations", key, tape.gradient(total, x), golden[key], rtol=1e-5)


def test_the_gradient_of_a_squared_slope():
    """As for R1: with D = <w, T(x)> and T(x) = A x + b, the slope of ½|Aᵀw|² in w is A Aᵀ w."""
    random = np.random.RandomState(0)
    x, w = (tf.constant(random.uniform(size=(2, 6, 5, 3)), tf.float32) for _ in range(2))
    draws = {"uniform": random.uniform(size=200), "normal": random.normal(size=200)}
    functions = [
        lambda shape, own=own: tf.constant(own[: np.prod(shape)].reshape(shape), tf.float32)
        for own in draws.values()
    ]
    augment = ADA("blit,geometry,color", p=1.0)

    def slope(weights):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(weights * augment(x, *functions))
        return tape.gradient(total, x)

    with tf.GradientTape() as tape:
        tape.watch(w)
        squared = 0.5 * tf.reduce_sum(slope(w) ** 2)
    found = tape.gradient(squared, w)
    zero = augment(tf.zeros_like(x), *functions)
    expected = augment(slope(w), *functions) - zero
    # float32, sums of some hundred products.
    np.testing.assert_allclose(found, expected, atol=5e-6, rtol=1e-5)


def test_a_shift_by_pixels_in_images_that_are_not_square():
    """Two pixels to the right and one up; the wavelet reproduces pixels, borders are mirrored."""
    x = np.random.RandomState(0).uniform(size=(1, 8, 16, 3)).astype(np.float32)
    draws = np.float32([[0.0, 1.0, 0.0]])  # The gate, then the shares of width and height.
    out = ADA("xint", p=1.0)(x, lambda shape: draws.reshape(shape), tf.random.normal)
    padded = np.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")
    # Rounding of sums over 12 taps.
    np.testing.assert_allclose(out, padded[:, 2:10, :16], atol=2e-6)


def test_a_gray_image_is_a_colour_image_of_equal_channels():
    policy, b = "brightness,contrast,lumaflip,scale,cutout", 3
    random = np.random.RandomState(1)
    x = random.uniform(size=(b, 8, 8, 1)).astype(np.float32)
    uniforms, normals = random.uniform(size=(b, 20)), random.normal(size=(b, 20))
    uniform = lambda shape: tf.constant(uniforms[:, : shape[1]], tf.float32)  # noqa: E731
    normal = lambda shape: tf.constant(normals[:, : shape[1]], tf.float32)  # noqa: E731
    gray = ADA(policy + ",hue", p=0.9)(x, uniform, normal)
    colour = ADA(policy, p=0.9)(np.repeat(x, 3, axis=3), uniform, normal)
    # The shares of the channels in the luma add up to 1 in float32.
    np.testing.assert_allclose(np.repeat(gray, 3, axis=3), colour, atol=1e-6)
    assert not np.allclose(gray, x, atol=0.1)
    hue = ADA("hue", p=1.0)(x, uniform, normal)
    np.testing.assert_array_equal(hue, x)


def test_nothing_changes_at_probability_zero():
    x = np.random.RandomState(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    augment = ADA("blit,geometry,color,filter,noise,cutout", p=lambda step: 0.0 * step)
    out = augment(x, tf.random.uniform, tf.random.normal, step=3)
    # The wavelet's filters, in float32.
    np.testing.assert_allclose(out, x, atol=2e-6)


def test_bands_add_up_and_have_the_published_filter(golden):
    """All bands unscaled are the image; and the rest of a band of small images stays finite."""
    assert corruption._band_filters().shape == (4, 43)
    # Filters published in float32.
    np.testing.assert_allclose(corruption._band_matrices(7).sum(0), np.eye(7), atol=1e-7)
    np.testing.assert_allclose(geometry._FILTER, golden["ada/Hz_geom"], atol=1e-7)


def _logits(mean_sign, size=1000):
    """Logits [size, 1] with a mean sign, which is a multiple of 2 / size."""
    positive = round(size * (1 + mean_sign) / 2)
    return np.where(np.arange(size) < positive, 1.0, -1.0)[:, None].astype(np.float32)


def test_the_probability_follows_the_signs():
    """After each four steps by 1000 * 4 / 20000, up while their mean is above 0.6, in [0, 1]."""
    augment = ADA(images=20_000, interval=4).prepared_copy()
    assert [v.name for v in augment.variables] == ["p", "sum_of_signs", "num_steps"]
    signs = [*[0.7] * 4, *[0.9, 0.9, 0.9, -1.0], *[0.5, 0.5, 0.5, 0.96], *[1.0] * 24, *[-1.0] * 4]
    course = []
    for sign in signs:
        course.append(float(augment.probability(0)))
        augment.update(_logits(sign), _logits(0.0), 0)
    augment.update(_logits(0.0), _logits(0.0), 0)
    course.append(float(augment.probability(0)))
    # It moves with the step after each four.
    expected = [0, 0, *[0.2] * 4, *[0] * 4, *[0.2] * 4]
    np.testing.assert_allclose(course[3:17], expected, atol=1e-6)
    assert max(course) == 1.0 and course[-2] == 1.0
    np.testing.assert_allclose(course[-1], 0.8, atol=1e-6)


def test_the_probability_is_the_published_one(golden):
    """Its recorded course from 0.9 leaves [0, 1], so the changes are compared."""
    case = "ada/p_update/t0.6_b64_i4_k1_from0.9"
    published = np.diff(golden[f"{case}/p"])[:6]
    for mean, change in zip(golden[f"{case}/mean_sign_real"], published, strict=False):
        augment = ADA(images=1000, interval=4).prepared_copy()
        augment.adapted_p.assign(0.5)
        augment.sum_of_signs.assign(4 * mean)
        augment.num_steps.assign(4)
        augment.update(np.ones((64, 1), np.float32), None, 0)
        np.testing.assert_allclose(augment.probability(0), 0.5 + change, atol=1e-6)
    np.testing.assert_allclose(augment.measures(0)["p"], 0.5 + change, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"policy": "blit,colour"}, "transformation of ada.policy 'colour'. Did you mean 'color'"),
        ({"policy": ""}, r"ada\.policy must name transformations .* received ''"),
        (
            {"policy": "color:2"},
            r"ada\.policy has 'color:2': a factor must be a number in ",
        ),
        ({"policy": "color:a"}, r"ada\.policy has 'color:a': a factor must be a number"),
        ({"p": 1.5}, r"ada\.p .*1\.5"),
        ({"interval": 0}, r"ada\.interval"),
    ),
)
def test_wrong_options_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        ADA(**options)
