"""SSGAN on the dummy networks against NumPy."""

import itertools
import operator

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import losses
from compare_gan.errors import UserError
from compare_gan.gans import SSGAN, ModularGAN
from compare_gan.training.optimization import OptimizationOptions


def _combinations():
    """Quick are those that differ in one value at most from the first one."""
    modes, conditional = ("rotation_gan", "rotation_only", "none"), (True, False)
    first, *others = itertools.product(modes, conditional, ("wgangp", None, "l2"))
    quick = [sum(map(operator.ne, first, values)) == 1 for values in others]
    marks = [[] if is_quick else [pytest.mark.slow] for is_quick in quick]
    return [first, *(pytest.param(*v, marks=m) for v, m in zip(others, marks, strict=True))]


@pytest.mark.parametrize(("self_supervision", "conditional", "penalty"), _combinations())
def test_losses_are_numpys(dummy, self_supervision, conditional, penalty):
    gan = dummy.make_gan(
        SSGAN,
        self_supervision=self_supervision,
        rotated_batch_size=8,
        weight_rotation_loss_d=0.7,
        weight_rotation_loss_g=0.3,
        conditional=conditional,
        penalty=penalty and f"{penalty}_penalty",
        lamba=10.0,
    )
    batch = dummy.make_batch()
    n = 0 if self_supervision == "none" else 2
    reference = dummy.Reference(gan, batch, num_rotated=n, penalty=penalty)
    fakes = gan.fakes(batch)
    # Sums of a few dozen float32 products, against float64.
    np.testing.assert_allclose(
        gan.discriminator_loss(batch, fakes).total,
        reference.discriminator_total(fakes.numpy()),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        gan.generator_loss(batch).total, reference.generator_total(), rtol=1e-5, atol=1e-6
    )


def test_rotated_images_have_the_labels_of_their_originals(dummy):
    gan = dummy.make_gan(SSGAN, rotated_batch_size=8, conditional=True)
    batch, seen, call = dummy.make_batch(), [], gan.discriminator.call
    gan.discriminator.call = lambda inputs, training: seen.append(inputs) or call(inputs, training)
    gan.discriminator_loss(batch, gan.fakes(batch))
    gan.generator_loss(batch)
    [(_, in_discriminator_step), (_, in_generator_step)] = seen
    real, fake = (
        np.concatenate([batch[k], *[batch[k][3::4]] * 3]) for k in ("labels", "fake_labels")
    )
    np.testing.assert_array_equal(
        in_discriminator_step, np.concatenate([real, batch["fake_labels"]])
    )
    np.testing.assert_array_equal(in_generator_step, fake)


def test_without_adversarial_loss_only_features_and_rotation_head_learn(dummy):
    gan = dummy.make_gan(SSGAN, self_supervision="rotation_only", rotated_batch_size=4)
    batch = dummy.make_batch()
    with tf.GradientTape() as tape:
        total = gan.discriminator_loss(batch, gan.fakes(batch)).total
    variables = gan.discriminator_variables
    gradients = tape.gradient(total, [v.value for v in variables])
    moved = {v.path for v, g in zip(variables, gradients, strict=True) if np.any(g)}
    assert moved == {
        f"discriminator{name}/{weight}"
        for name in ("/hidden", "_rotation/score_classify")
        for weight in ("kernel", "bias")
    }


def test_heads_are_spectrally_normalized_where_the_discriminator_is(dummy):
    for spectral_norm in (False, True):
        gan = dummy.make_gan(
            SSGAN, discriminator={"spectral_norm": spectral_norm}, rotated_batch_size=4
        )
        assert gan.heads["rotation"].spectral_norm == spectral_norm


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({}, "rotated_batch_size must be a multiple of 4 .* received None"),
        ({"rotated_batch_size": 6}, "must be a multiple of 4 .* received 6"),
        ({"rotated_batch_size": 4, "self_supervision": "rotation"}, "Unknown SSGAN.self_superv"),
        ({"rotated_batch_sise": 4}, "SSGAN has no parameter .* Did you mean 'rotated_batch_size'"),
        ({"rotated_batch_size": 4, "g_learning_rate": 1}, "SSGAN has no parameter 'g_learning_r"),
    ),
)
def test_contradictions_are_reported(dummy, options, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(SSGAN, **options)


def test_images_that_are_not_square_are_refused(dummy):
    with pytest.raises(UserError, match="needs square images, received 4x6"):
        SSGAN((4, 6, 1), None, dummy.Architecture(), rotated_batch_size=4)
    SSGAN((4, 6, 1), None, dummy.Architecture(), self_supervision="none")


def test_unsuitable_batch_sizes_are_refused(dummy, monkeypatch):
    gan = dummy.make_gan(SSGAN, rotated_batch_size=32)
    gan.check_batch_size(8)
    with pytest.raises(UserError, match="of which 8 are originals: more than the batch size, 4"):
        gan.check_batch_size(4)
    monkeypatch.setattr("compare_gan.gans.ssgan.num_shares", lambda: 4)
    gan.check_batch_size(2)
    monkeypatch.setattr("compare_gan.gans.ssgan.num_shares", lambda: 3)
    with pytest.raises(UserError, match="is 32, but on 3 replicas it must be a multiple of 12"):
        gan.check_batch_size(8)
    dummy.make_gan(SSGAN, self_supervision="none").check_batch_size(1)


def test_gin_scopes_of_base_and_class(dummy):
    gin.parse_config("""
        ModularGAN.g_lr = 0.25
        ModularGAN.d_lr = 0.5
        SSGAN.d_lr = 0.125
        SSGAN.rotated_batch_size = 8
        ModularGAN.loss = @hinge
        SSGAN.penalties = [@r1()]
    """)
    gan = dummy.make_gan(SSGAN)
    assert gan.rotated_batch_size == 8 and gan.loss is losses.hinge
    assert [penalty.name for penalty in gan.penalties] == ["r1"]
    options = OptimizationOptions.of(gan)
    assert (options.g_lr, options.d_lr, options.scope) == (0.25, 0.125, "SSGAN")
    assert OptimizationOptions.of(dummy.make_gan(ModularGAN)).d_lr == 0.5
