"""Jacobians against closed forms and reverse mode, conditioning against recorded numbers."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.architectures import sndcgan
from compare_gan.errors import UserError
from compare_gan.metrics import (
    JacobianConditioning,
    conditioning,
    generator_jacobians,
    metric_tensors,
)
from compare_gan.sampling import Sampler

_GOLDEN = os.path.join(os.path.dirname(__file__), "..", "data", "metrics_2019_golden.npz")


@pytest.fixture(scope="module")
def golden():
    with np.load(_GOLDEN, allow_pickle=False) as file:
        return dict(file)


def test_recorded_conditioning(golden, assert_golden):
    tensors = metric_tensors(golden["in/jacobian"])
    for name, of in (("metric_tensor", tensors), ("mean_metric_tensor", tensors.mean(0)[None])):
        for key, value in conditioning(of).items():
            # Recorded in float32, unsorted.
            recorded = golden[f"jacobian/{name}/{key}"]
            recorded = np.sort(recorded, axis=1) if key == "eigenvalues" else recorded
            assert_golden("metric", f"jacobian/{name}/{key}", value, recorded)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_recorded_jacobians_of_a_small_network(batch_size, golden, make_sampler, assert_golden):
    first, second = golden["in/jac_W1"], golden["in/jac_W2"]
    sampler = make_sampler(lambda z, y: tf.reshape(tf.tanh(z @ first) @ second, [-1, 3, 2, 1]), 4)
    jacobians = np.stack(list(generator_jacobians(sampler, golden["in/jac_z"], None, batch_size)))
    key = "jacobian/of_tanh_mlp"
    assert_golden("metric", key, jacobians, golden[key])


def test_a_convolutional_generator_by_reverse_mode():
    keras.utils.set_random_seed(0)
    generator = sndcgan.Generator((8, 8, 3))
    z = np.random.default_rng(0).uniform(-1, 1, [2, 5]).astype(np.float32)
    generator((z, None), training=True)  # Builds it, and updates the moments of its normalization.
    for variable in generator.trainable_variables:
        variable.assign(3 * variable)  # Otherwise images hardly depend on z.
    sampler = Sampler(generator, 5, (8, 8, 3))
    jacobians = np.stack(list(generator_jacobians(sampler, z, None, 4)))
    latents = tf.constant(z)
    weights = tf.random.stateless_normal([4, 2, 8, 8, 3], [1, 2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latents)
        sums = [tf.reduce_sum(w * sampler(latents)) for w in tf.unstack(weights)]
    for w, total in zip(weights.numpy().reshape(4, 2, -1), sums, strict=True):
        expected = tape.gradient(total, latents).numpy()
        assert np.abs(expected).max() > 0.1
        # Float32 sums of up to 8192 products in two different orders.
        np.testing.assert_allclose(
            np.einsum("np,npd->nd", w, jacobians), expected, atol=1e-5 * np.abs(expected).max()
        )


def _images(z):
    return tf.reshape(0.5 + 0.1 * z, [-1, 2, 2, 1])


def test_the_metric_of_a_linear_generator(make_sampler):
    scales = np.array([1.0, 2.0, 5.0, 10.0], np.float32)
    sampler = make_sampler(lambda z, y: _images(scales * z), 4)
    values = JacobianConditioning(num_samples=3, batch_size=3).value(sampler)
    squares = (0.1 * scales.astype(float)) ** 2
    # The Jacobians hold numbers such as 0.2 in float32.
    assert values[""] == pytest.approx(np.log(100), rel=1e-6)
    assert values["logdet"] == pytest.approx(np.log(squares).sum(), rel=1e-6)
    assert (values["of_mean"], values["logdet_of_mean"]) == (
        pytest.approx(values[""], rel=1e-12),
        pytest.approx(values["logdet"], rel=1e-12),
    )


def test_classes_take_turns_and_tensors_are_averaged(make_sampler):
    # The first half of z moves the image three times as far in class 0, the second in class 1.
    def images(z, y):
        return _images(z * tf.repeat(1 + 2 * y, 2, axis=1))

    values = JacobianConditioning(num_samples=4).value(make_sampler(images, 4, num_classes=2))
    assert values[""] == pytest.approx(np.log(9), rel=1e-6)
    assert values["of_mean"] == pytest.approx(0.0, abs=1e-6)


def test_a_direction_without_effect_has_the_float32_limit(make_sampler):
    sampler = make_sampler(lambda z, y: _images(z * [1.0, 1.0, 1.0, 0.0]), 4)
    assert JacobianConditioning(2).value(sampler)[""] == pytest.approx(46 * np.log(2), rel=1e-6)
    assert conditioning(np.diag([1.0, 0.0])[None])["log_condition_number"] == np.inf


def test_singular_and_non_finite_jacobians_are_refused(make_sampler):
    with pytest.raises(UserError, match="must depend on its latent"):
        JacobianConditioning(2).value(make_sampler(lambda z, y: _images(0 * z), 4))
    with pytest.raises(UserError, match="must be finite"):
        conditioning(np.full([1, 2, 2], np.nan))
    with pytest.raises(UserError, match="num_samples must be a positive integer"):
        JacobianConditioning(0)
