"""Training in half precision against float32, and the loss scale of float16."""

import functools

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan import registry
from compare_gan.engine.precision import mixed_precision
from compare_gan.engine.tensorflow import make_train_loop
from compare_gan.sampling import Sampler
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

# The loss scale, which float16 has in addition, is tested below with smaller networks.
HALVES = ("bfloat16", pytest.param("float16", marks=pytest.mark.slow))
CONFIG = """
    options.gan_class = @S3GAN
    S3GAN.conditional = True
    S3GAN.rotated_batch_fraction = 1
    S3GAN.project_y = True
    S3GAN.use_predictor = True
    S3GAN.g_use_ema = True
    S3GAN.ema_start_step = 0
    S3GAN.ema_decay = 0.5
    G.batch_norm_fn = @conditional_batch_norm
    G.spectral_norm = True
    D.spectral_norm = True
    weights.initializer = 'orthogonal'
    resnet_biggan.Generator.ch = 4
    resnet_biggan.Discriminator.ch = 4
    loss.fn = @hinge
"""
_IMAGE_SHAPE, _CLASSES, _Z_DIM = (32, 32, 3), 3, 16


def _batch(seed):
    """A discriminator's and a generator's batch; images without noise, which D would not see."""
    random = np.random.RandomState(seed)
    coarse = random.uniform(size=(2, 4, 4, 4, 3)).repeat(8, axis=2).repeat(8, axis=3)
    labels = np.eye(_CLASSES, dtype=np.float32)[random.randint(_CLASSES, size=(2, 2, 4))]
    return {
        "images": coarse.astype(np.float32),
        "labels": labels[0],
        "fake_labels": labels[1],
        "z": random.normal(size=(2, 4, _Z_DIM)).astype(np.float32),
        "seed": random.randint(100, size=(2, 2)).astype(np.int32),
    }


@functools.cache
def _trained(precision):
    """BigGAN with attention after a step as S3GAN: the state, and the values of the step."""
    registry.load("architecture")
    registry.load("normalization")
    gin.parse_config(CONFIG)
    keras.utils.set_random_seed(0)
    options = Options(
        architecture="resnet_biggan_arch", batch_size=4, training_steps=9, z_dim=_Z_DIM
    )
    with mixed_precision(precision):
        state = TrainState(
            options.make_gan(_IMAGE_SHAPE, _CLASSES), seed=0, optimization=options.optimization
        )
    for network in (state.gan.generator, state.gan.discriminator):
        for attention in network.attention.values():
            attention.sigma.assign(0.5)
    if precision == "float16":
        state.d_optimizer.dynamic_scale.assign(2.0**8)  # So that the first updates are done.
    step = TrainStep(state)
    values = step({k: tf.constant(v) for k, v in _batch(0).items()})
    return state, dict(zip(step.names, values.numpy(), strict=True))


@pytest.mark.parametrize("precision", HALVES)
def test_losses_are_close_to_those_of_float32(precision):
    state, values = _trained(precision)
    _, expected = _trained(None)
    assert state.gan.generator.compute_dtype == state.gan.discriminator.compute_dtype == precision
    assert keras.config.dtype_policy().name == "float32"
    for name, value in expected.items():
        assert np.all(np.isfinite(values[name])), name
        # bfloat16 keeps 8 bits, float16 11: means over the batch were off by a tenth of one
        # rounding, 4e-4 and 1e-4, gradient norms (Adam makes more of it) by a few.
        tolerance = 2**-8 if precision == "bfloat16" else 2**-11
        if name.startswith("loss/"):
            np.testing.assert_allclose(values[name], value, atol=tolerance, err_msg=name)
        elif name == "gradient_norm/discriminator":
            np.testing.assert_allclose(values[name], value, rtol=20 * tolerance, err_msg=name)


@pytest.mark.parametrize("precision", HALVES)
def test_all_variables_are_float32(precision):
    state, _ = _trained(precision)
    assert len(state.ema) == len(state.gan.generator_variables)
    for name, variable in state.variables().items():
        counts = ("step", "seed", "iteration", "loss_scale_steps")
        assert variable.dtype == "float32" or name.endswith(counts), name
        assert np.all(np.isfinite(variable.numpy())), name


@pytest.mark.parametrize("precision", HALVES)
def test_losses_see_float32(precision):
    state, _ = _trained(precision)
    gin.parse_config(CONFIG)
    batch = {name: value[0] for name, value in _batch(0).items()}
    fakes = state.gan.fakes(batch)
    assert fakes.dtype == precision
    scores = state.gan.discriminate(batch["images"], batch["labels"])
    for value in (scores.logits, scores.features, *scores.predictions.values()):
        assert value.dtype == tf.float32
    terms = state.gan.discriminator_loss(batch, fakes)
    for value in (terms.total, *terms.parts.values(), *terms.measures.values()):
        assert value.dtype == tf.float32


@pytest.mark.parametrize("precision", HALVES)
def test_images_become_bytes_from_float32(precision, eagerly):
    """256 levels, where bfloat16 has 128 from ½ to 1; what samples are drawn with is float32."""
    state, _ = _trained(precision)
    gin.parse_config(CONFIG)
    batch = {name: value[0] for name, value in _batch(0).items()}
    clone = state.make_sampling_generator()
    assert clone.compute_dtype == "float32"
    state.update_sampling_generator(clone, use_ema=False)
    labels = np.argmax(batch["fake_labels"], axis=1)
    exact, half = (
        Sampler(generator, batch["z"].shape[1], state.gan.image_shape, num_classes=_CLASSES)
        .generate(batch["z"], labels)
        .astype(int)
        for generator in (clone, state.gan.generator)
    )
    assert exact.std() > 1
    np.testing.assert_allclose(half, exact, atol=16 if precision == "bfloat16" else 4)


TINY = """
    options.gan_class = @S3GAN
    S3GAN.conditional = True
    S3GAN.self_supervision = 'none'
    S3GAN.project_y = True
    D.spectral_norm = True
"""


def _new_state(tiny):
    gin.parse_config(TINY)
    with mixed_precision("float16"):
        return tiny.make_state(disc_iters=1)


@functools.cache
def _state_and_start(tiny):
    state = _new_state(tiny)
    return state, {name: variable.numpy() for name, variable in state.variables().items()}


def _tiny_state(tiny):
    """As new, but always the same one: its steps are traced only once."""
    gin.parse_config(TINY)
    state, start = _state_and_start(tiny)
    for name, variable in state.variables().items():
        variable.assign(start[name])
    return state


@functools.cache
def _compiled(state, jit_compile):
    step = TrainStep(state)
    return step, make_train_loop(step, tf.distribute.get_strategy(), jit_compile)


def _loop(tiny, state, num_steps, jit_compile=False, change=lambda batch: batch):
    batches = [change(tiny.make_batch(disc_iters=1, seed=seed)) for seed in range(num_steps)]
    stacked = {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
    step, loop = _compiled(state, jit_compile)
    history = loop(iter(tf.data.Dataset.from_tensor_slices(stacked)), tf.constant(num_steps))
    return dict(zip(step.names, history.numpy().T, strict=True))


def _trained_values(state):
    """The variables that an update changes: weights and optimizer slots, not statistics."""
    return {
        name: variable.numpy()
        for name, variable in state.variables().items()
        if not name.endswith(("u_var", "step", "loss_scale", "loss_scale_steps"))
    }


@pytest.mark.parametrize("jit_compile", (False, pytest.param(True, marks=pytest.mark.slow)))
def test_updates_that_overflow_are_skipped_and_halve_the_scale(tiny, jit_compile):
    state = _tiny_state(tiny)
    before = _trained_values(state)
    # Beyond what a gradient in float16 can hold.
    for optimizer in (state.g_optimizer, state.d_optimizer):
        optimizer.dynamic_scale.assign(2.0**40)
        optimizer.step_counter.assign(7)
    # Both steps were done: this is not treated as divergence.
    history = _loop(tiny, state, 2, jit_compile)
    for name, value in _trained_values(state).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    for network, optimizer in (
        ("generator", state.g_optimizer),
        ("discriminator", state.d_optimizer),
    ):
        assert float(optimizer.dynamic_scale) == 2.0**38 and int(optimizer.step_counter) == 0
        np.testing.assert_array_equal(history[f"loss_scale/{network}"], [2.0**40, 2.0**39])
        np.testing.assert_array_equal(history[f"gradient_norm/{network}"], [0, 0])


def test_training_continues_at_a_scale_that_fits(tiny):
    state = _tiny_state(tiny)
    before = _trained_values(state)
    for optimizer in (state.g_optimizer, state.d_optimizer):
        optimizer.dynamic_scale.assign(2.0**24)
    history = _loop(tiny, state, 20)
    for network, optimizer in (
        ("generator", state.g_optimizer),
        ("discriminator", state.d_optimizer),
    ):
        scales, norms = history[f"loss_scale/{network}"], history[f"gradient_norm/{network}"]
        overflowed = norms[:-1] == 0
        assert overflowed[0] and not overflowed[-1]
        np.testing.assert_array_equal(scales[1:] / scales[:-1], np.where(overflowed, 0.5, 1))
        assert int(optimizer.iterations) == np.sum(norms > 0)
    for name, value in _trained_values(state).items():
        if name.startswith(("generator", "discriminator")):
            assert not np.array_equal(value, before[name]), name


def test_gradient_norms_are_reported_without_the_scale(tiny):
    norms = []
    for scale in (1.0, 2.0**10):
        state = _tiny_state(tiny)
        for optimizer in (state.g_optimizer, state.d_optimizer):
            optimizer.dynamic_scale.assign(scale)
        history = _loop(tiny, state, 1)
        norms.append([history[f"gradient_norm/{n}"][0] for n in ("generator", "discriminator")])
    # At a scale of 1 small gradients lose digits in float16, which is what the scale is for.
    np.testing.assert_allclose(*norms, rtol=5e-3)


def test_the_scale_doubles_after_two_thousand_updates(tiny):
    state = _tiny_state(tiny)
    state.d_optimizer.step_counter.assign(1998)
    history = _loop(tiny, state, 3)
    np.testing.assert_array_equal(history["loss_scale/discriminator"], [2.0**15, 2.0**15, 2.0**16])
    np.testing.assert_array_equal(history["loss_scale/generator"], [2.0**15] * 3)


def test_gradients_that_no_scale_makes_finite_are_divergence(tiny):
    """Those of a finite loss: 0 · ∞ from a root of 0. The scale gets to 1 first."""
    state = _new_state(tiny)
    generator_loss = state.gan.generator_loss

    def broken(batch, step):
        terms = generator_loss(batch, step)
        return terms._replace(total=terms.total + ops.sqrt(0.0 * terms.total))

    state.gan.generator_loss = broken
    start = {name: variable.numpy() for name, variable in state.variables().items()}
    for scale, steps in ((4.0, 3), (1.0, 1)):
        for name, variable in state.variables().items():
            variable.assign(start[name])
        state.g_optimizer.dynamic_scale.assign(scale)
        history = _loop(tiny, state, 5)
        assert len(history["loss/generator"]) == steps
        assert np.all(np.isfinite(history["loss/generator"]))
        assert np.all(history["gradient_norm/generator"][:-1] == 0)
        assert np.isnan(history["gradient_norm/generator"][-1])


def test_losses_that_are_not_finite_are_divergence(tiny):
    def broken(batch):
        return batch | {"images": np.full_like(batch["images"], np.inf)}

    history = _loop(tiny, _tiny_state(tiny), 3, change=broken)
    assert len(history["loss/discriminator"]) == 1


def test_a_run_resumes_with_its_loss_scale(tmp_path, make_trainer, simple_steps, eagerly):
    bindings = (*simple_steps, "run_config.mixed_precision = 'float16'")
    trainer = make_trainer(tmp_path, *bindings, "options.training_steps = 3")
    trainer.run.write_description(trainer.experiment.dataset, trainer.experiment.config_text)
    trainer.state.d_optimizer.dynamic_scale.assign(2.0**9)
    trainer.train()
    resumed = make_trainer(tmp_path, *bindings)
    assert resumed.step == 3
    assert float(resumed.state.d_optimizer.dynamic_scale) == 2.0**9
    assert float(resumed.state.g_optimizer.dynamic_scale) == 2.0**15
    assert int(resumed.state.d_optimizer.step_counter) == 3
    resumed.train()
    model = RunDir(str(tmp_path)).load()  # Into a state without loss scales.
    assert model.step == 6 and model.sampler.network.compute_dtype == "float32"
