"""A training step compiled by XLA against the same step as a plain graph."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

pytestmark = pytest.mark.slow

# By architecture: width, side of the image, what else is to be compiled. That with attention also
# with op determinism, for which XLA lacks some gradients.
CASES = {
    "sndcgan": (2, 8, "penalty.fn = @wgangp_penalty\nG.batch_norm_fn = @batch_norm"),
    "resnet_cifar": (
        4,
        32,
        """
        options.gan_class = @S3GAN
        S3GAN.rotated_batch_fraction = 1
        S3GAN.project_y = True
        S3GAN.use_predictor = True
        S3GAN.experimental_joint_gen_for_disc = True
        G.batch_norm_fn = @batch_norm
        """,
    ),
    "resnet_biggan": (
        2,
        32,
        """
        ModularGAN.g_use_ema = True
        G.batch_norm_fn = @conditional_batch_norm
        G.spectral_norm = True
        loss.fn = @hinge
        """,
    ),
}
_CLASSES, _Z_DIM = 3, 8


@pytest.mark.parametrize("family", CASES)
def test_a_compiled_step_is_the_same(family):
    ch, side, config = CASES[family]
    if family == "resnet_biggan":
        tf.config.experimental.enable_op_determinism()
    for kind in ("architecture", "gan", "loss", "normalization", "optimizer", "penalty"):
        registry.load(kind)
    # Gradient descent: Adam's first step is a sign, which turns rounding into whole steps.
    gin.parse_config(
        f"""
        options.gan_class = @ModularGAN
        ModularGAN.conditional = True
        ModularGAN.g_lr = 0.1
        ModularGAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer
        D.spectral_norm = True
        weights.initializer = 'orthogonal'
        {family}.Generator.ch = {ch}
        {family}.Discriminator.ch = {ch}
        {config}
        """
    )
    options = Options(architecture=f"{family}_arch", batch_size=4, training_steps=1, z_dim=_Z_DIM)
    keras.utils.set_random_seed(0)
    state = TrainState(
        options.make_gan((side, side, 3), _CLASSES), seed=0, optimization=options.optimization
    )
    for attention in getattr(state.gan.discriminator, "attention", {}).values():
        attention.sigma.assign(0.5)
    start = {name: variable.numpy() for name, variable in state.variables().items()}
    step, histories, states = TrainStep(state), [], []
    for function in (step, tf.function(step, jit_compile=True, autograph=False)):
        for name, variable in state.variables().items():
            variable.assign(start[name])
        histories.append(function(_batch(side)).numpy())
        states.append({name: variable.numpy() for name, variable in state.variables().items()})
    for name, value, compiled in zip(step.names, *histories, strict=True):
        # Other orders of summing in two networks, forward and backward.
        np.testing.assert_allclose(compiled, value, rtol=1e-4, atol=1e-6, err_msg=name)
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    changed = [name for name in start if not np.array_equal(start[name], states[1][name])]
    assert len(changed) > len(start) / 2


def _batch(side):
    random = np.random.RandomState(0)
    labels = np.eye(_CLASSES, dtype=np.float32)[random.randint(_CLASSES, size=(2, 2, 4))]
    batch = {
        "images": random.randint(256, size=(2, 4, side, side, 3)).astype(np.uint8),
        "labels": labels[0],
        "fake_labels": labels[1],
        "z": random.normal(size=(2, 4, _Z_DIM)).astype(np.float32),
        "seed": random.randint(100, size=(2, 2)).astype(np.int32),
    }
    return {name: tf.constant(value) for name, value in batch.items()}
