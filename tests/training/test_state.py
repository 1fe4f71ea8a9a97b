"""The state of a training: its variables, the moving average, generators for sampling."""

import gin
import numpy as np
import pytest

S3GAN = """
    options.gan_class = @S3GAN
    S3GAN.conditional = True
    S3GAN.rotated_batch_fraction = 1
    S3GAN.project_y = True
    S3GAN.use_predictor = True
    S3GAN.g_use_ema = True
    S3GAN.ema_decay = 0.75
    S3GAN.ema_start_step = 3
    G.batch_norm_fn = @batch_norm
    D.spectral_norm = True
"""


@pytest.fixture
def state(tiny):
    gin.parse_config(S3GAN)
    return tiny.make_state(seed=12)


def test_average_copies_the_weights_before_its_start_and_decays_from_it_on(state):
    random, expected = np.random.RandomState(0), None
    for step in range(6):
        weights = [random.normal(size=v.shape) for v in state.gan.generator_variables]
        for variable, weight in zip(state.gan.generator_variables, weights, strict=True):
            variable.assign(weight)
        state.step.assign(step)
        state.update_ema()
        if step < 3:
            for average, variable in zip(state.ema, state.gan.generator_variables, strict=True):
                np.testing.assert_array_equal(average, variable.value)
            expected = [v.value.numpy() for v in state.gan.generator_variables]
            continue
        expected = [0.75 * e + 0.25 * w for e, w in zip(expected, weights, strict=True)]
        for average, value in zip(state.ema, expected, strict=True):
            np.testing.assert_allclose(average, value, rtol=1e-5, atol=1e-6)


def test_no_average_by_default(tiny):
    gin.parse_config("options.gan_class = @ModularGAN")
    state = tiny.make_state(seed=0)
    state.update_ema()
    assert state.ema == [] and not any(name.startswith("ema/") for name in state.variables())


def test_names_are_complete(state):
    """Everything that a step changes; only learning rates follow from the config instead."""
    gan, named = state.gan, state.variables()
    networks = (gan.generator, gan.discriminator, *gan.heads.values())
    expected = [v for network in networks for v in network.variables]
    expected += [v for o in (state.g_optimizer, state.d_optimizer) for v in o.variables]
    learning_rates = {id(o._learning_rate) for o in (state.g_optimizer, state.d_optimizer)}
    expected = {id(v) for v in expected} - learning_rates
    expected |= {id(v) for v in (state.step, state.seed, *state.ema)}
    assert {id(v) for v in named.values()} == expected
    assert {id(v) for v in state.all_variables()} == (expected | learning_rates) - {id(state.seed)}
    assert int(named["seed"]) == 12 and int(named["step"]) == 0
    for name in (
        "generator/fc/kernel",
        "generator/bn/moving_mean",
        "discriminator/hidden/u_var",
        "heads/rotation/score_classify/kernel",
        "heads/class_prediction/predictor_linear/bias",
        "heads/projection/kernel",
        "ema/fc/kernel",
    ):
        assert name in named


def test_names_do_not_depend_on_earlier_models_of_the_process(state, tiny):
    """A run may be resumed or evaluated in the process that started it."""
    assert list(tiny.make_state(seed=0).variables()) == list(state.variables())


def test_equal_names_are_refused(state):
    state.gan.heads["rotation/score_classify"] = state.gan.heads["projection"]
    with pytest.raises(ValueError, match="named 'heads/rotation/score_classify/kernel'"):
        state.variables()


@pytest.mark.parametrize("use_ema", (True, False))
def test_sampling_generator_is_the_averaged_or_the_raw_one(state, tiny, use_ema):
    random = np.random.RandomState(1)
    for variable in state.gan.generator.variables:
        variable.assign(random.uniform(0.5, 1, size=variable.shape))
    for average in state.ema:
        average.assign(random.uniform(0.5, 1, size=average.shape))
    clone = state.make_sampling_generator()
    state.update_sampling_generator(clone, use_ema)
    sources = state.ema if use_ema else [v.value for v in state.gan.generator_variables]
    for variable, source in zip(clone.trainable_variables, sources, strict=True):
        np.testing.assert_array_equal(variable.value, source)
    # Moments are not averaged.
    moments = zip(
        clone.non_trainable_variables, state.gan.generator.non_trainable_variables, strict=True
    )
    for variable, source in moments:
        np.testing.assert_array_equal(variable.value, source.value)
    batch = tiny.make_batch()
    inputs = batch["z"][0], batch["fake_labels"][0]
    same = np.allclose(clone(inputs), state.gan.generator(inputs), atol=1e-6)
    assert same != use_ema
