"""The optimizers of `tf.train` against those of TensorFlow 1, which TensorFlow 2 still has."""

import inspect

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.training import optimizers

START = np.array([[1.0, -2.0, 0.5], [0.3, 4.0, -0.7]], np.float32)
TARGET = np.array([[0.5, 1.0, -1.0], [2.0, 3.0, 0.1]], np.float32)
# With TensorFlow 1's defaults, and with every parameter changed.
CASES = {
    "AdamOptimizer": ({}, dict(beta1=0.5, beta2=0.9, epsilon=1e-3)),
    "GradientDescentOptimizer": ({},),
    "MomentumOptimizer": (dict(momentum=0.9), dict(momentum=0.7, use_nesterov=True)),
    "RMSPropOptimizer": (
        {},
        dict(decay=0.7, momentum=0.5, epsilon=1e-3),
        dict(decay=0.7, momentum=0.5, epsilon=1e-3, centered=True),
    ),
    "AdagradOptimizer": ({}, dict(initial_accumulator_value=0.3)),
    "AdadeltaOptimizer": ({}, dict(rho=0.7, epsilon=1e-3)),
    "FtrlOptimizer": (
        {},
        dict(
            learning_rate_power=-0.6, initial_accumulator_value=0.3,
            l1_regularization_strength=0.02, l2_regularization_strength=0.05,
            l2_shrinkage_regularization_strength=0.03,
        ),
    ),
}  # fmt: skip
# Arguments that are no hyperparameters, and a parameter without effect unless another value is set.
NOT_OURS = {"self", "use_locking", "name", "accum_name", "linear_name", "beta"}
NOT_OURS |= {"use_own_namescope_for_non_slot_vars"}


def _tensorflow_1(name):
    return getattr(tf.compat.v1.train, name)


def _gradient(w):
    """The gradient of sum((w - target)^4) / 4: it changes with w, so that errors add up."""
    return (w - TARGET) ** 3


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name in CASES for options in CASES[name]]
)
def test_three_steps_are_tensorflow_1s(name, options):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        w1 = tf.compat.v1.get_variable("w", initializer=START, use_resource=True)
        optimizer = _tensorflow_1(name)(0.01, **options)
        train = optimizer.apply_gradients([(_gradient(w1), w1)])
        session.run(tf.compat.v1.global_variables_initializer())
        expected = []
        for _ in range(3):
            session.run(train)
            expected.append(session.run(w1))

    w2 = tf.Variable(START)
    ours = registry.get("optimizer", f"tf.train.{name}")(0.01, **options)
    ours.build([w2])
    for step in expected:
        ours.apply([_gradient(w2)], [w2])
        # Weights of about 1, in float32 with a precision of 1.2e-7.
        np.testing.assert_allclose(w2.numpy(), step, rtol=1e-6)
    assert np.abs(w2.numpy() - START).max() > 1e-5


def test_adam_computes_once_what_all_variables_of_a_dtype_have_in_common():
    variables = [tf.Variable(START) for _ in range(3)] + [tf.Variable(START.astype(np.float64))]
    ours = optimizers.adam(0.01)
    ours.build(variables)

    @tf.function
    def update():
        ours.apply([_gradient(tf.cast(v, tf.float32)) for v in variables], variables)

    nodes = update.get_concrete_function().graph.as_graph_def().node
    # Two powers for each of the two dtypes, and one in each of the four gradients.
    assert sum(node.op == "Pow" for node in nodes) == 2 * 2 + 4
    for _ in range(2):
        update()
    # The powers are those of each update: two updates are two steps of TensorFlow 1, see above.
    alone = tf.Variable(START)
    again = optimizers.adam(0.01)
    again.build([alone])
    for _ in range(2):
        again.apply([_gradient(alone)], [alone])
    for variable in variables[:3]:
        np.testing.assert_array_equal(variable, alone)
    np.testing.assert_allclose(variables[3], alone, rtol=1e-6)


def test_an_update_of_adam_outside_of_apply_has_its_own_learning_rate():
    variable = tf.Variable(START)
    ours = optimizers.adam(0.01)
    ours.build([variable])
    for rate in (0.0, 0.5):
        before = variable.numpy()
        ours.update_step(_gradient(variable), variable, tf.constant(rate))
        assert np.array_equal(variable, before) == (rate == 0.0)


@pytest.mark.parametrize("name", CASES)
def test_parameters_and_defaults_are_tensorflow_1s(name):
    theirs = inspect.signature(_tensorflow_1(name).__init__).parameters
    ours = inspect.signature(registry.get("optimizer", name)).parameters
    assert set(ours) == set(theirs) - NOT_OURS
    for key, parameter in theirs.items():
        if key in ours and parameter.default is not parameter.empty:
            assert ours[key].default == parameter.default, key


def test_every_optimizer_is_tested_and_found_under_both_names():
    names = registry.names("optimizer")
    assert set(CASES) == set(names)
    for name in names:
        assert registry.get("optimizer", name) is registry.get("optimizer", f"tf.train.{name}")


def test_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'AdamOptimizer'"):
        registry.get("optimizer", "AdamOptimiser")


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    (
        ("AdamOptimizer", "beta1", 2.0),
        ("AdamOptimizer", "beta2", 1.0),
        ("AdamOptimizer", "epsilon", -1e-8),
        ("MomentumOptimizer", "momentum", 1.5),
        ("RMSPropOptimizer", "decay", -0.1),
        ("RMSPropOptimizer", "momentum", 1),
        ("AdagradOptimizer", "initial_accumulator_value", -1),
        ("AdadeltaOptimizer", "rho", 1),
        ("FtrlOptimizer", "l2_regularization_strength", -0.1),
        ("FtrlOptimizer", "learning_rate_power", 0.5),
    ),
)
def test_values_out_of_range_are_refused(name, parameter, value):
    message = rf"tf\.train\.{name}\.{parameter} must be at (least|most) 0.*, received {value}\."
    with pytest.raises(UserError, match=message):
        registry.get("optimizer", name)(**{parameter: value})


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
    state = tiny.make_state(seed=0)
    for optimizer, learning_rate in ((state.g_optimizer, 0.25), (state.d_optimizer, 0.5)):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.875)
        assert float(optimizer.learning_rate) == learning_rate


def test_each_network_may_have_its_own_optimizer(tiny):
    gin.parse_config("""
        options.gan_class = @ModularGAN
        ModularGAN.g_optimizer_fn = "RMSPropOptimizer"
        ModularGAN.d_optimizer_fn = @tf.train.MomentumOptimizer
        ModularGAN.g_lr = 0.25
    """)
    state = tiny.make_state(seed=0)
    assert type(state.g_optimizer) is type(optimizers.rmsprop())
    assert type(state.d_optimizer) is type(optimizers.momentum())
    assert float(state.d_optimizer.learning_rate) == 0.25


def test_adam_is_the_default(tiny):
    gin.parse_config("options.gan_class = @ModularGAN")
    state = tiny.make_state(seed=0)
    for optimizer in (state.g_optimizer, state.d_optimizer):
        assert type(optimizer) is type(optimizers.adam())
        assert optimizer.epsilon == 1e-8
        np.testing.assert_allclose(optimizer.learning_rate, 0.0002)
