"""Penalties against the numbers of the 2019 library, finite differences and closed forms."""

import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import penalties, registry
from compare_gan.errors import UserError
from compare_gan.registry import call_with_requested

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "data" / "gans_golden.npz", allow_pickle=False)
DRAWS = {"wgangp_penalty": "wgangp_alpha", "dragan_penalty": "dragan_uniform"}


class _Discriminator:
    """The golden section's network: convolution, leaky ReLU, dense."""

    def __init__(self):
        names = ("conv_kernel", "conv_bias", "fc_kernel", "fc_bias")
        self.variables = [tf.Variable(GOLDEN[f"penalty/in/{name}"]) for name in names]

    def __call__(self, x):
        conv_kernel, conv_bias, fc_kernel, fc_bias = self.variables
        x = tf.nn.leaky_relu(tf.nn.conv2d(x, conv_kernel, 2, "SAME") + conv_bias, 0.2)
        return tf.reshape(x, [x.shape[0], -1]) @ fc_kernel + fc_bias


def _golden_penalty(name, discriminator):
    return call_with_requested(
        registry.get("penalty", name),
        discriminator=discriminator,
        x=tf.constant(GOLDEN["penalty/in/x"]),
        x_fake=tf.constant(GOLDEN["penalty/in/x_fake"]),
        y=None,
        uniform=lambda shape: tf.ensure_shape(GOLDEN[f"penalty/in/{DRAWS[name]}"], shape),
        kernels=discriminator.variables[0::2],
    )


def test_this_discriminator_is_that_of_the_recorded_numbers(assert_golden):
    key = "penalty/in/logits_on_x"
    assert_golden("penalty", key, _Discriminator()(GOLDEN["penalty/in/x"]), GOLDEN[key])


@pytest.mark.parametrize("name", ("no_penalty", "wgangp_penalty", "dragan_penalty", "l2_penalty"))
def test_values_are_those_of_the_2019_library(assert_golden, name):
    key = f"penalty/{name}/value"
    assert_golden("penalty", key, _golden_penalty(name, _Discriminator()), GOLDEN[key])


@pytest.mark.parametrize("name", ("wgangp_penalty", "dragan_penalty", "l2_penalty"))
def test_gradients_by_weights_are_those_of_the_2019_library(assert_golden, name):
    """Second-order gradients for the gradient penalties."""
    discriminator = _Discriminator()
    with tf.GradientTape() as tape:
        value = _golden_penalty(name, discriminator)
    gradients = tape.gradient(
        value, discriminator.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    paths = ("c1/kernel", "c1/bias", "fc/kernel", "fc/bias")
    for path, gradient in zip(paths, gradients, strict=True):
        key = f"penalty/{name}/grad/discriminator/{path}"
        assert_golden("penalty", key, gradient, GOLDEN[key])


def _smooth(weights):
    """A smooth float64 discriminator of 2 x 2 x 1 images, and its gradient norm in NumPy."""
    w1, w2 = weights

    def discriminator(x):
        return tf.tanh(tf.reshape(x, [-1, 4]) @ w1) @ w2

    return discriminator


@pytest.mark.parametrize("name", ("wgangp_penalty", "dragan_penalty"))
def test_gradient_penalties_against_finite_differences(name):
    random = np.random.RandomState(3)
    w1, w2 = tf.constant(random.normal(size=(4, 3))), tf.constant(random.normal(size=(3, 1)))
    x, x_fake = random.uniform(0.2, 0.8, size=(2, 5, 2, 2, 1))
    draws = random.uniform(size=(5, 1, 1, 1) if name == "wgangp_penalty" else x.shape)
    if name == "wgangp_penalty":
        points = x + draws * (x_fake - x)
    else:
        points = np.clip(x + x.std() * (draws - 0.5), 0, 1)
    discriminator, h = _smooth((w1, w2)), 1e-5
    slopes = np.zeros((5, 4))
    for i in range(4):
        step = h * np.eye(4)[i].reshape(2, 2, 1)
        slopes[:, i] = (discriminator(points + step) - discriminator(points - step))[:, 0] / (2 * h)
    expected = np.square(np.sqrt(1e-4 + np.square(slopes).sum(axis=1)) - 1).mean()

    def penalty(kernel):
        return call_with_requested(
            registry.get("penalty", name),
            discriminator=_smooth((kernel, w2)),
            x=tf.constant(x),
            x_fake=tf.constant(x_fake),
            uniform=lambda shape: tf.ensure_shape(tf.constant(draws), shape),
        )

    # The penalty is returned in float32: 1e-5 relative.
    np.testing.assert_allclose(penalty(w1), expected, rtol=1e-5)

    # And its own gradient (second order) along one random direction, by central differences with
    # a step large enough for float32 values.
    direction, h = tf.constant(random.normal(size=(4, 3))), 1e-2
    with tf.GradientTape() as tape:
        tape.watch(w1)
        value = penalty(w1)
    slope = tf.reduce_sum(tape.gradient(value, w1) * direction)
    numeric = (penalty(w1 + h * direction) - penalty(w1 - h * direction)) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=2e-3)


def test_flat_discriminator_has_finite_gradients():
    w = tf.Variable(tf.zeros([4, 1]))
    with tf.GradientTape() as tape:
        value = penalties.wgangp_penalty(
            lambda x: tf.reshape(x, [-1, 4]) @ w, tf.zeros([2, 2, 2, 1]), tf.ones([2, 2, 2, 1])
        )
    np.testing.assert_allclose(value, (np.sqrt(1e-4) - 1) ** 2, rtol=1e-5)
    assert np.all(np.isfinite(tape.gradient(value, w)))


def test_wgangp_stays_on_the_segments_and_draws_one_number_for_each():
    seen = []

    def discriminator(x):
        seen.append(x)
        return tf.reduce_sum(x, axis=(1, 2, 3))[:, None]

    penalties.wgangp_penalty(discriminator, tf.zeros([6, 3, 3, 1]), tf.ones([6, 3, 3, 1]))
    points = seen[0].numpy()
    assert np.all((points >= 0) & (points <= 1))
    np.testing.assert_array_equal(points, np.broadcast_to(points[:, :1, :1], points.shape))
    assert len(np.unique(points)) == 6


def test_dragan_noise_is_half_a_standard_deviation_and_clipped():
    seen, x = [], np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 4, 4, 1)
    for draw in (0.0, 1.0):
        penalties.dragan_penalty(
            lambda images: seen.append(images) or tf.reduce_sum(images, axis=(1, 2, 3))[:, None],
            tf.constant(x),
            uniform=lambda shape, draw=draw: tf.fill(shape, draw),
        )
    for points, sign in zip(seen, (-1, 1), strict=True):
        expected = np.clip(x + sign * x.std() / 2, 0, 1)
        np.testing.assert_allclose(points, expected, atol=1e-6)


def test_l2_is_the_mean_over_kernels_of_half_the_squared_norm():
    value = penalties.l2_penalty([tf.constant([3.0, 4.0]), tf.constant([[1.0]])])
    assert float(value) == (12.5 + 0.5) / 2


def test_a_custom_penalty_receives_arguments_by_name():
    value = call_with_requested(lambda x_fake, y: (x_fake, y), x=1, x_fake=2, y=3)
    assert value == (2, 3)
    fixed = functools.partial(lambda x, y: (x, y), y=4)
    assert call_with_requested(fixed, x=1, y=3) == (1, 4)


def test_all_are_registered_and_unknown_names_are_reported():
    assert {"no_penalty", *DRAWS, "l2_penalty"} <= set(registry.names("penalty"))
    with pytest.raises(UserError, match="Did you mean 'wgangp_penalty'"):
        registry.get("penalty", "wgan_gp_penalty")


class _Term(penalties.Penalty):
    name = "term"

    def discriminator_term(self, x):
        return 0.0


class _Bare(_Term):
    def __init__(self):
        self.decay = 0.9


class _Nameless(_Term):
    name = None


class _Early(_Term):
    def __init__(self):
        self.average = self.add_variable("average")
        super().__init__()


class _Twice(_Term):
    def build(self):
        self.first = self.add_variable("average")
        self.second = self.add_variable("average")


@pytest.mark.parametrize(
    ("penalty", "sentence"),
    (
        (_Bare, r"'term' has no weight: its __init__ must call super\(\).__init__\(weight, inter"),
        (_Nameless, "_Nameless needs a class attribute `name`"),
        (_Early, "_Early calls add_variable outside of build"),
        (_Twice, "_Twice has two variables of the name 'average'"),
    ),
)
def test_a_class_that_is_not_complete_is_refused(penalty, sentence):
    with pytest.raises(UserError, match=sentence):
        made = penalty()
        made.check()
        made.prepared_copy()
