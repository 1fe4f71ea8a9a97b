"""Whole steps on two logical CPUs: every number is that of one replica with the whole batch.

TensorFlow needs to know the CPUs before anything else happens, so `tests/test_two_replicas.py`
runs this file in a process of its own.
"""

import contextlib

import eager
import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import ArraySource, Dataset
from compare_gan.engine.precision import mixed_precision
from compare_gan.labels.backbone import BackboneOptions, make_backbone
from compare_gan.labels.pretext import PretextOptions, PretextTask
from compare_gan.training.step import TrainStep

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

# Plain gradient descent: the change of the weights is the gradient.
COMMON = """
    ModularGAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer
    ModularGAN.g_lr = 1.0
    ModularGAN.conditional = True
    ModularGAN.g_use_ema = True
    ModularGAN.ema_start_step = 0
    ModularGAN.ema_decay = 0.5
    G.batch_norm_fn = @conditional_batch_norm
    standardize_batch.decay = 0.5
"""
CASES = {
    "s3gan_batch_norm_dragan": """
        options.gan_class = @S3GAN
        S3GAN.rotated_batch_fraction = 1
        S3GAN.project_y = True
        S3GAN.use_predictor = True
        S3GAN.use_soft_pred = True
        D.batch_norm_fn = @batch_norm
        penalty.fn = @dragan_penalty
    """,
    "s3gan_spectral_norm_wgangp": """
        options.gan_class = @S3GAN
        S3GAN.rotated_batch_fraction = 1
        S3GAN.project_y = True
        S3GAN.use_predictor = True
        D.spectral_norm = True
        penalty.fn = @wgangp_penalty
    """,
    "ssgan_ra_gan_l2": """
        options.gan_class = @SSGAN
        SSGAN.loss = @ra_gan
        SSGAN.rotated_batch_size = 16
        penalty.fn = @l2_penalty
    """,
    "modern_parts": """
        options.gan_class = @S3GAN
        S3GAN.rotated_batch_fraction = 1
        S3GAN.project_y = True
        S3GAN.use_predictor = True
        S3GAN.loss = @hinge
        S3GAN.penalties = [@r1(), @lecam(), @path_length()]
        S3GAN.augmentations = [@diff_augment(), @ada(), @apa()]
        ada.policy = "noise,cutout"
        apa.p = 0.5
        S3GAN.tasks = [@contra_gan()]
        D.spectral_norm = True
        r1.gamma = @cosine_decay()
        r1.interval = 2
        lecam.start_step = 2
        path_length.interval = 1
        S3GAN.g_lr = @cosine_decay()
    """,
}
# The quick ones: batch norm, terms that compare all images, and the modern parts.
QUICK = ("s3gan_batch_norm_dragan", "ssgan_ra_gan_l2", "modern_parts")
# Compiled, where conditionals are those of graphs: lazy terms, and terms that compare all images.
# This large epsilon makes Adam's step proportional to the gradient: otherwise rounding in zero
# gradients would become whole steps.
COMPILED_CASES = {
    "adam_top_k_lazy": """
        options.gan_class = @ModularGAN
        ModularGAN.top_k = 0.4
        ModularGAN.penalties = [@max_gp(), @mode_seeking(), @r1(), @lecam()]
        ModularGAN.g_optimizer_fn = @tf.train.AdamOptimizer
        D.spectral_norm = True
        r1.gamma = @cosine_decay()
        r1.interval = 2
        lecam.start_step = 2
        tf.train.AdamOptimizer.epsilon = 1.0
    """,
    "latent_optimization": """
        options.gan_class = @ModularGAN
        ModularGAN.latent_optimization = @latent_optimization()
    """,
}


@pytest.fixture(name="strategy")
def _strategy(mirrored):
    return mirrored


def _half(batch, index):
    return {
        name: tf.constant(value if name == "seed" else np.split(value, 2, axis=1)[index])
        for name, value in batch.items()
    }


def _train(tiny, strategy, compiled=False, precision=None):
    """The values of one step and all variables after it."""
    with strategy.scope(), mixed_precision(precision):
        state = tiny.make_state(disc_iters=1)
        state.gan.check_batch_size(8 // strategy.num_replicas_in_sync)
        state.step.assign(4)  # Where lazy penalties are due and LeCam acts.
    # Unequally many labels on the replicas: one on the first, three on the second.
    batch = tiny.make_batch(disc_iters=1, unlabelled=[0, 1, 2, 6])
    if strategy.num_replicas_in_sync == 2:
        halves = [_half(batch, index) for index in range(2)]
        batch = strategy.experimental_distribute_values_from_function(
            lambda context: halves[context.replica_id_in_sync_group]
        )
    step = TrainStep(state)

    def run():
        return strategy.run(step, args=(batch,))

    values = (tf.function(run, autograph=False) if compiled else run)()
    values = strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None).numpy()
    variables = {
        name: variable.value
        for name, variable in state.variables().items()
        if isinstance(variable, keras.Variable)  # The seed has one copy, in the host's memory.
    }
    return dict(zip(step.names, values, strict=True)), variables


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case in QUICK else [pytest.mark.slow])
        for case in CASES | COMPILED_CASES
    ],
)
def test_a_step_is_that_of_one_replica(tiny, strategy, case):
    """Most run eagerly: tracing takes longer."""
    gin.parse_config(COMMON + (CASES | COMPILED_CASES)[case])
    expected_values, expected = _train(tiny, tf.distribute.get_strategy())
    found_values, found = _train(tiny, strategy, compiled=case in COMPILED_CASES)
    for name, value in expected_values.items():
        # The value is the mean norm of the replicas' gradients, not the norm of their mean.
        if not name.startswith("gradient_norm/"):
            np.testing.assert_allclose(
                found_values[name], value, rtol=1e-5, atol=1e-5, err_msg=name
            )
    assert list(expected) == list(found)
    for name, variable in expected.items():
        copies = [v.numpy() for v in strategy.experimental_local_results(found[name])]
        np.testing.assert_array_equal(copies[0], copies[1], err_msg=name)
        np.testing.assert_allclose(copies[0], variable, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow  # `labels/test_pretext.py` shares batches; the layers have their own tests.
def test_the_pretext_task_is_that_of_one_replica(strategy, tmp_path):
    """Batch norm's moments are of all images, whatever replica sees them."""
    images = np.random.default_rng(0).integers(0, 256, [24, 8, 8, 1], np.uint8)
    source = ArraySource.from_arrays({"train": (images, np.arange(24) % 3)}, num_classes=3)
    options = PretextOptions(training_steps=2, batch_size=8, labeled_batch_size=4)
    found = []
    for where, running in (
        (tf.distribute.get_strategy(), eager.eagerly()),
        (strategy, contextlib.nullcontext()),
    ):
        with where.scope():
            size = BackboneOptions(width=4, units=(1,))
            backbone = make_backbone(size, (8, 8, 1), 3, synchronized=where is strategy)
        task = PretextTask(backbone, Dataset("noise", source), options, True, 5, where)
        with running:
            task.train(str(tmp_path / str(len(found))))
        found.append([v.numpy() for v in backbone.variables])
    for name, one, two in zip(backbone.variables, *found, strict=True):
        # Two steps of AdamW of at most 0.003 each; other moments would turn many of them round.
        np.testing.assert_allclose(two, one, atol=1e-4, err_msg=name.path)


def test_gradients_that_overflow_on_one_replica_are_skipped_on_all(tiny, strategy, monkeypatch):
    """All replicas hold equal variables afterwards, and each scale is halved once."""
    gin.parse_config(COMMON + "options.gan_class = @ModularGAN\nD.spectral_norm = True")
    make_batch = tiny.make_batch

    def too_bright(**options):
        batch = make_batch(**options)
        batch["images"][:, 6] = 1e30  # On the second replica.
        return batch

    monkeypatch.setattr(tiny, "make_batch", too_bright)
    _, found = _train(tiny, strategy, compiled=True, precision="float16")
    monkeypatch.undo()
    copies = {
        name: [v.numpy() for v in strategy.experimental_local_results(variable)]
        for name, variable in found.items()
    }
    for name, (first, second) in copies.items():
        np.testing.assert_array_equal(first, second, err_msg=name)
        assert np.all(np.isfinite(first)), name
    assert copies["d_optimizer/loss_scale"][0] == 2.0**14
    assert copies["g_optimizer/loss_scale"][0] == 2.0**15
    assert copies["d_optimizer/iteration"][0] == 0 and copies["g_optimizer/iteration"][0] == 1
    assert copies["g_optimizer/loss_scale_steps"][0] == 1
