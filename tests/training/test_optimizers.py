"""The optimizers of `tf.train` against TensorFlow 1's formulas in NumPy."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.training import optimizers
from compare_gan.training.state import TrainState

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.random.RandomState(0).normal(size=(5, 3))


def _course(optimizer):
    """The weights after each of the gradients."""
    w, course = tf.Variable(START, dtype=tf.float32), []
    optimizer.build([w])
    for gradient in GRADIENTS:
        optimizer.apply([tf.constant(gradient, tf.float32)], [w])
        course.append(w.numpy())
    return course


def _adam(lr=0.1, b1=0.5, b2=0.99, eps=1e-2):
    w, m, v = START, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        yield w


def _gradient_descent(lr=0.1):
    return START - lr * np.cumsum(GRADIENTS, axis=0)


def _momentum(lr=0.1, momentum=0.8, nesterov=False):
    w, a = START, 0.0
    for g in GRADIENTS:
        a = momentum * a + g
        w = w - lr * (g + momentum * a if nesterov else a)
        yield w


def _rmsprop(lr=0.1, decay=0.8, momentum=0.5, eps=1e-2, centered=False):
    """Up to the start of the mean square: TensorFlow 1 had ones there."""
    w, ms, mg, mom = START, 0.0, 0.0, 0.0
    for g in GRADIENTS:
        ms, mg = decay * ms + (1 - decay) * g**2, decay * mg + (1 - decay) * g
        mom = momentum * mom + lr * g / np.sqrt(ms - (mg**2 if centered else 0) + eps)
        w = w - mom
        yield w


def _adagrad(lr=0.1, a=0.2):
    w = START
    for g in GRADIENTS:
        a = a + g**2
        w = w - lr * g / np.sqrt(a)
        yield w


def _adadelta(lr=0.1, rho=0.8, eps=1e-2):
    w, a, u = START, 0.0, 0.0
    for g in GRADIENTS:
        a = rho * a + (1 - rho) * g**2
        step = np.sqrt(u + eps) / np.sqrt(a + eps) * g
        u = rho * u + (1 - rho) * step**2
        w = w - lr * step
        yield w


CASES = {
    "AdamOptimizer": (dict(beta1=0.5, beta2=0.99, epsilon=1e-2), _adam()),
    "GradientDescentOptimizer": ({}, _gradient_descent()),
    "MomentumOptimizer": (dict(momentum=0.8), _momentum()),
    "MomentumOptimizer/nesterov": (
        dict(momentum=0.8, use_nesterov=True),
        _momentum(nesterov=True),
    ),
    "RMSPropOptimizer": (dict(decay=0.8, momentum=0.5, epsilon=1e-2), _rmsprop()),
    "RMSPropOptimizer/centered": (
        dict(decay=0.8, momentum=0.5, epsilon=1e-2, centered=True),
        _rmsprop(centered=True),
    ),
    "AdagradOptimizer": (dict(initial_accumulator_value=0.2), _adagrad()),
    "AdadeltaOptimizer": (dict(rho=0.8, epsilon=1e-2), _adadelta()),
}
CASES = {name: (options, list(course)) for name, (options, course) in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_updates_are_tensorflow_1s(case):
    options, expected = CASES[case]
    make = registry.get("optimizer", f"tf.train.{case.split('/')[0]}")
    # float32 against float64 over five updates.
    np.testing.assert_allclose(_course(make(0.1, **options)), expected, rtol=1e-5, atol=1e-6)


def test_every_one_is_tested_and_found_under_both_names():
    names = registry.names("optimizer")
    assert {case.split("/")[0] for case in CASES} == set(names)
    for name in names:
        assert registry.get("optimizer", name) is registry.get("optimizer", f"tf.train.{name}")


def test_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'AdamOptimizer'"):
        registry.get("optimizer", "AdamOptimiser")


def test_gin_parameters_reach_the_optimizers_of_any_gan(tiny):
    """As configs of the 2019 library have it; learning rates are the GAN's."""
    gin.parse_config("""
        options.gan_class = @S3GAN
        S3GAN.self_supervision = "none"
        S3GAN.d_lr = 0.5
        ModularGAN.g_lr = 0.25
        ModularGAN.g_optimizer_fn = @tf.train.AdamOptimizer
        tf.train.AdamOptimizer.beta1 = 0.5
        tf.train.AdamOptimizer.beta2 = 0.875
        tf.train.AdamOptimizer.learning_rate = 7
    """)
    state = TrainState(tiny.make_gan(), seed=0)
    for optimizer, learning_rate in ((state.g_optimizer, 0.25), (state.d_optimizer, 0.5)):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.875)
        assert float(optimizer.learning_rate) == learning_rate


def test_each_network_may_have_its_own(tiny):
    gin.parse_config("""
        options.gan_class = @ModularGAN
        ModularGAN.g_optimizer_fn = "RMSPropOptimizer"
        ModularGAN.d_optimizer_fn = @tf.train.MomentumOptimizer
        ModularGAN.g_lr = 0.25
    """)
    state = TrainState(tiny.make_gan(), seed=0)
    assert type(state.g_optimizer) is type(optimizers.rmsprop())
    assert type(state.d_optimizer) is type(optimizers.momentum())
    assert float(state.d_optimizer.learning_rate) == 0.25


def test_adam_is_the_default(tiny):
    gin.parse_config("options.gan_class = @ModularGAN")
    state = TrainState(tiny.make_gan(), seed=0)
    for optimizer in (state.g_optimizer, state.d_optimizer):
        assert type(optimizer) is type(optimizers.adam())
        assert optimizer.epsilon == 1e-8
        np.testing.assert_allclose(optimizer.learning_rate, 0.0002)
