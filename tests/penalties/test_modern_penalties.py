"""Penalties on slopes, mode seeking, orthogonal regularization: closed forms, golden numbers."""

import numpy as np
import pytest
import tensorflow as tf
from golden_networks import Discriminator

from compare_gan.errors import UserError
from compare_gan.penalties import WGANLP, MaxGP, ModeSeeking, Orthogonal


def test_max_gp_equals_that_of_studiogan(assert_golden, modern_golden):
    discriminator = Discriminator.of_penalties(modern_golden)
    x, x_fake = (
        tf.constant(modern_golden[f"penalty/in/{name}"].astype(np.float64))
        for name in ("x", "x_fake")
    )
    # It draws the share of the real image.
    shares = modern_golden["penalty/in/alpha"].astype(np.float64)
    with tf.GradientTape() as tape:
        value = MaxGP().discriminator_term(
            discriminator, x, x_fake, lambda shape: tf.reshape(1 - shares, shape)
        )
    # Squared slopes are summed in float32, also of inputs in float64.
    key = "penalty/maxgp_studiogan/value"
    assert_golden("modern penalties", key, value, modern_golden[key], rtol=1e-6)
    for path, found in discriminator.gradients(tape, value).items():
        key = f"penalty/maxgp_studiogan/grad/{path}"
        assert_golden("modern penalties", key, found, modern_golden[key], rtol=1e-6)


def test_slopes_in_closed_form_with_gradients():
    """D(x) is the sum of a x² / 2, whose gradient is a x; norms on both sides of 1, and of 0."""
    random = np.random.RandomState(0)
    x, x_fake = random.uniform(size=(2, 5, 2, 1, 1))
    x[0] = x_fake[0] = 0.0
    draws, a = random.uniform(size=(5, 1, 1, 1)), tf.Variable([[[1.5]], [[0.5]]], dtype=tf.float64)

    def values(a):
        points = x + draws * (x_fake - x)
        norms = np.sqrt(np.square(points * a).sum(axis=(1, 2, 3)))
        assert norms.min() < 1 < norms.max()
        return np.square(np.maximum(norms - 1, 0)).mean(), np.square(norms).max()

    for i, penalty in enumerate((WGANLP(), MaxGP())):
        with tf.GradientTape() as tape:
            value = penalty.discriminator_term(
                lambda x: tf.reduce_sum(a * x * x / 2, axis=(1, 2)),
                tf.constant(x),
                tf.constant(x_fake),
                lambda shape: tf.reshape(draws, shape),
            )
        np.testing.assert_allclose(value, values(a.numpy())[i], rtol=1e-6)
        for j, found in enumerate(np.ravel(tape.gradient(value, a))):
            shift = 1e-5 * np.eye(2)[j].reshape(2, 1, 1)
            upper, lower = (values(a.numpy() + sign * shift)[i] for sign in (1, -1))
            # float32 terms.
            np.testing.assert_allclose(found, (upper - lower) / 2e-5, rtol=1e-5)


@pytest.mark.parametrize(("b", "partners"), ((4, [1, 0, 3, 2]), (3, [1, 0, 0])))
def test_mode_seeking_is_the_ratio_of_mean_distances(b, partners):
    random = np.random.RandomState(1)
    z, kernel = random.normal(size=(b, 3)), random.normal(size=(3, 4))

    def generator(z):
        return tf.reshape(tf.tanh(z @ kernel), [-1, 2, 2, 1])

    images = np.tanh(z @ kernel)
    distance = np.abs(images - images[partners]).mean() / np.abs(z - z[partners]).mean()
    value = ModeSeeking().generator_term(generator, generator(z), tf.constant(z))
    np.testing.assert_allclose(value, 1 / (distance + 1e-5), rtol=1e-6)


def test_mode_seeking_is_finite_without_any_difference_and_needs_two_latents():
    z = tf.constant([[0.0], [1.0]])
    same = tf.zeros([2, 1, 1, 1])
    value = ModeSeeking().generator_term(lambda z: same, same, z)
    np.testing.assert_allclose(value, 1e5, rtol=1e-6)
    with pytest.raises(UserError, match="'mode_seeking' needs batches of at least 2, received 1"):
        ModeSeeking().generator_term(lambda z: same[:1], same[:1], z[:1])


def test_orthogonal_is_its_formula():
    random = np.random.RandomState(2)
    # The last one has more units than inputs.
    kernels = [random.normal(size=shape) for shape in ((5, 3), (3, 3, 2, 4), (2, 7))]
    expected = 0.0
    for kernel in kernels:
        w = kernel.reshape(-1, kernel.shape[-1])
        products = w.T @ w
        expected += np.square(products * (1 - np.eye(len(products)))).sum()
    value = Orthogonal().generator_term([tf.constant(kernel) for kernel in kernels])
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
    value = Orthogonal().generator_term([tf.constant(3 * rotation)])
    np.testing.assert_allclose(value, 0.0, atol=1e-10)


def test_orthogonal_of_a_wide_kernel_needs_the_memory_of_its_inputs():
    """WᵀW of 300,000 units would take 360 GB; the columns are the axes in turn."""
    wide = np.tile(np.eye(3, dtype=np.float32), 100_000)
    value = Orthogonal().generator_term([wide])
    np.testing.assert_allclose(value, 3 * 1e5**2 - 3e5, rtol=1e-6)


def test_orthogonal_joins_the_loss_of_the_chosen_networks():
    def joined(penalty):
        return [n for n in ("discriminator", "generator") if penalty.term(n) is not None]

    assert joined(Orthogonal()) == ["generator"]
    assert joined(Orthogonal(network="discriminator")) == ["discriminator"]
    assert joined(Orthogonal(network="both")) == ["discriminator", "generator"]
    with pytest.raises(UserError, match=r"orthogonal\.network 'boht'. Did you mean 'both'"):
        Orthogonal(network="boht")


def test_published_settings_are_the_defaults():
    assert (Orthogonal().weight, WGANLP().weight) == (1e-4, 10)
    assert ModeSeeking().weight * 2 == 1  # For images in [-1, 1].
