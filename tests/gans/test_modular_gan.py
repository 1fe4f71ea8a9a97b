"""ModularGAN on the dummy networks against NumPy."""

import functools

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import losses
from compare_gan.errors import UserError
from compare_gan.gans import SSGAN, ModularGAN
from compare_gan.gans.batch_view import Stream
from compare_gan.gans.noise import Noise
from compare_gan.losses import Losses

# Sums of a few dozen float32 products, against float64.
CLOSE = {"rtol": 2e-6, "atol": 2e-6}


def _gradients(loss_fn, variables):
    with tf.GradientTape() as tape:
        total = loss_fn().total
    return tape.gradient(total, [v.value for v in variables])


@pytest.mark.parametrize("conditional", (False, True))
@pytest.mark.parametrize("split", (False, True))
# Without batch norm where the reference computes the penalty's slope in closed form.
@pytest.mark.parametrize(
    ("norm", "penalty"), ((False, None), (False, "wgangp"), (False, "l2"), (True, None))
)
def test_losses_are_numpys(dummy, conditional, norm, split, penalty):
    gan = dummy.make_gan(
        ModularGAN,
        discriminator={"batch_norm_fn": dummy.BatchNorm} if norm else {},
        conditional=conditional,
        deprecated_split_disc_calls=split,
        penalty=penalty and f"{penalty}_penalty",
        lamba=10.0,
    )
    batch = dummy.make_batch(unlabelled=[2])
    reference = dummy.Reference(gan, batch, penalty=penalty)
    fakes = gan.fakes(batch)
    np.testing.assert_allclose(fakes, reference.generate(), **CLOSE)
    d = gan.discriminator_loss(batch, fakes)
    np.testing.assert_allclose(d.total, reference.discriminator_total(fakes.numpy()), rtol=1e-5)
    assert set(d.parts) == {"d_loss", "d_loss_real", "d_loss_fake", "penalty"}
    g = gan.generator_loss(batch)
    np.testing.assert_allclose(g.total, reference.generator_total(), **CLOSE)
    assert set(g.parts) == {"g_loss"}


def test_penalty_is_weighted_in_the_total_and_not_in_the_parts(dummy):
    gan = dummy.make_gan(ModularGAN, penalty="l2_penalty", lamba=3)
    batch = dummy.make_batch()
    terms = gan.discriminator_loss(batch, gan.fakes(batch))
    expected = terms.parts["d_loss"] + 3 * terms.parts["penalty"]
    np.testing.assert_allclose(terms.total, expected, **CLOSE)
    np.testing.assert_allclose(terms.parts["penalty"], dummy.Reference(gan, batch)._l2(), **CLOSE)


@pytest.mark.parametrize("name", ("wgangp", "dragan"))
def test_penalties_draw_by_the_seed_of_the_batch(dummy, name):
    gan, batch = dummy.make_gan(ModularGAN, penalty=f"{name}_penalty"), dummy.make_batch()
    fakes = gan.fakes(batch)

    def penalty(seed):
        return float(gan.discriminator_loss(batch | {"seed": seed}, fakes).parts["penalty"])

    assert penalty(np.array([1, 2])) == penalty(np.array([1, 2])) != penalty(np.array([1, 3]))


@pytest.mark.parametrize(
    ("penalty", "iterations"),
    (("no_penalty", 1), ("l2_penalty", 1), ("wgangp_penalty", 2), ("dragan_penalty", 2)),
)
def test_the_forward_of_a_gradient_penalty_iterates_spectral_norm_once_more(
    dummy, penalty, iterations
):
    """As in the 2019 library."""
    gan = dummy.make_gan(ModularGAN, discriminator={"spectral_norm": True}, penalty=penalty)
    batch = dummy.make_batch()
    hidden = gan.discriminator.hidden
    kernel, u = hidden.kernel.value.numpy(), hidden.u_var.value.numpy()
    gan.discriminator_loss(batch, gan.fakes(batch))
    for _ in range(iterations):
        v = kernel.T @ u
        u = kernel @ (v / np.linalg.norm(v))
        u /= np.linalg.norm(u)
    # One iteration more or less differs by over 0.01.
    np.testing.assert_allclose(hidden.u_var.value, u, **CLOSE)


def test_discriminator_loss_gives_the_generator_no_gradient(dummy):
    gan, batch = dummy.make_gan(ModularGAN), dummy.make_batch()

    def loss():
        return gan.discriminator_loss(batch, gan.fakes(batch))

    assert _gradients(loss, gan.generator_variables) == [None] * len(gan.generator_variables)
    assert all(g is not None for g in _gradients(loss, gan.discriminator_variables))


def test_generator_runs_once_for_each_update(dummy):
    gan, batch = dummy.make_gan(ModularGAN), dummy.make_batch()
    gan.generator.calls = gan.discriminator.calls = 0
    fakes = gan.fakes(batch)
    assert (gan.generator.calls, gan.discriminator.calls) == (1, 0)
    gan.discriminator_loss(batch, fakes)
    assert (gan.generator.calls, gan.discriminator.calls) == (1, 1)
    gan.generator_loss(batch)
    assert (gan.generator.calls, gan.discriminator.calls) == (2, 2)


@pytest.mark.parametrize("conditional", (False, True))
def test_joint_fakes_are_the_separate_ones(dummy, conditional):
    gan = dummy.make_gan(ModularGAN, conditional=conditional)
    batches = [dummy.make_batch(seed=seed) for seed in range(3)]
    gan.generator.calls = 0
    joint = gan.joint_fakes(batches)
    assert gan.generator.calls == 1
    for fakes, batch in zip(joint, batches, strict=True):
        np.testing.assert_allclose(fakes, gan.fakes(batch), **CLOSE)


def test_joint_fakes_share_their_batch_moments_and_move_the_averages_once(dummy):
    gan = dummy.make_gan(ModularGAN, generator={"batch_norm_fn": dummy.BatchNorm})
    batches = [dummy.make_batch(seed=seed) for seed in range(2)]
    kernel, bias = (v.value.numpy() for v in gan.generator.fc.trainable_variables)
    x = np.concatenate([batch["z"] for batch in batches]) @ kernel + bias
    joint = tf.concat(gan.joint_fakes(batches), axis=0)
    norm = gan.generator.norm
    gamma, beta = norm.gamma.value.numpy(), norm.beta.value.numpy()
    normed = gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) + beta
    expected = (1 / (1 + np.exp(-normed))).reshape(joint.shape)
    np.testing.assert_allclose(joint, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(norm.moving_mean.value, 0.001 * x.mean(axis=0), rtol=1e-4, atol=1e-7)


def test_real_images_join_the_generator_step_only_where_batch_norm_mixes_examples(dummy):
    for norm, rows in ((None, 8), (dummy.BatchNorm, 16)):
        gan = dummy.make_gan(ModularGAN, discriminator={"batch_norm_fn": norm})
        seen, call = [], gan.discriminator.call
        gan.discriminator.call = lambda inputs, training, call=call, seen=seen: (
            seen.append(inputs[0].shape[0]) or call(inputs, training)
        )
        gan.generator_loss(dummy.make_batch())
        assert seen == [rows]


@pytest.mark.parametrize("joint", (False, True))
def test_a_generator_draws_what_follows_from_the_seed_of_each_batch(dummy, joint):
    class Noisy(dummy.Generator):
        def call(self, inputs, training=None, draws=None):
            images = super().call(inputs, training)
            return images if draws is None else images + draws.normal(images.shape)

    generator = Noisy(dummy.IMAGE_SHAPE)
    discriminator = dummy.Discriminator(dummy.IMAGE_SHAPE)
    gan = ModularGAN(
        dummy.IMAGE_SHAPE,
        None,
        z_dim=dummy.Z_DIM,
        generator=generator,
        discriminator=discriminator,
    )
    batches = [dummy.make_batch(seed=seed) for seed in range(2)]
    fakes = gan.joint_fakes(batches) if joint else [gan.fakes(batch) for batch in batches]
    for fake, batch in zip(fakes, batches, strict=True):
        noise = Noise(batch["seed"], Stream.GENERATOR).normal(fake.shape)
        np.testing.assert_allclose(fake, generator((batch["z"], None)) + noise, **CLOSE)
    expected = losses.non_saturating(fakes[1], discriminator((fakes[1], None))[0]).g_loss
    np.testing.assert_allclose(gan.generator_loss(batches[1]).total, expected, **CLOSE)
    available = gan._view(batches[1], 0).available()
    again = available["synthesize"](available["styles"](batches[1]["z"], None), None)
    np.testing.assert_allclose(again, fakes[1], **CLOSE)


class _Comparing(keras.layers.Layer):
    """The identity, which says that it compares examples."""

    needs_halves_apart = True

    def call(self, inputs, training=None):
        return inputs


def test_halves_are_apart_where_the_discriminator_needs_them_so(dummy):
    for norm, rows in ((None, [16, 8]), (_Comparing, [8, 8, 8])):
        gan = dummy.make_gan(ModularGAN, discriminator={"batch_norm_fn": norm})
        seen, call = [], gan.discriminator.call
        gan.discriminator.call = lambda inputs, training, call=call, seen=seen: (
            seen.append(inputs[0].shape[0]) or call(inputs, training)
        )
        gan.discriminator_loss(dummy.make_batch(), gan.fakes(dummy.make_batch()))
        gan.generator_loss(dummy.make_batch())
        assert seen == rows


def test_rotated_fakes_join_the_discriminator_step_only_where_they_change_statistics(dummy):
    batch = dummy.make_batch()
    for norm, task_reads, rows in (
        (None, False, 8 + 3 * 2 + 8),
        (None, True, 2 * (8 + 3 * 2)),
        (dummy.BatchNorm, False, 2 * (8 + 3 * 2)),
    ):
        gan = dummy.make_gan(SSGAN, discriminator={"batch_norm_fn": norm}, rotated_batch_size=8)
        gan.tasks[0].learns_from_fakes = task_reads
        seen, call = [], gan.discriminator.call
        gan.discriminator.call = lambda inputs, training, call=call, seen=seen: (
            seen.append(inputs[0].shape[0]) or call(inputs, training)
        )
        gan.discriminator_loss(batch, gan.fakes(batch))
        assert seen == [rows]


def test_a_loss_that_needs_real_logits_receives_them_in_the_generator_step(dummy):
    def relativistic(d_real_logits, d_fake_logits):
        g_loss = tf.reduce_mean(tf.nn.softplus(d_real_logits - d_fake_logits))
        return Losses(-g_loss, -g_loss, -g_loss, g_loss)

    gan = dummy.make_gan(ModularGAN, loss=relativistic)
    assert np.isnan(gan.generator_loss(dummy.make_batch()).total)


@pytest.mark.parametrize(
    ("num_classes", "options", "sentence"),
    (
        (None, {"conditional": True}, "ModularGAN.conditional is True, but the data set has no"),
        (3, {"disc_iters": 0}, r"disc_iters and z_dim of at least 1, received 0 and 5"),
    ),
)
def test_contradictions_are_reported(dummy, num_classes, options, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(ModularGAN, num_classes=num_classes, **options)


def test_an_unknown_architecture_is_reported_with_the_nearest_name(dummy):
    with pytest.raises(UserError, match="Did you mean 'dummy_arch'"):
        ModularGAN(dummy.IMAGE_SHAPE, None, "dumy_arch")


def test_fit_label_distribution_needs_labels_to_have_an_effect(dummy):
    make = functools.partial(dummy.make_gan, ModularGAN, fit_label_distribution=True)
    assert make(conditional=True).fit_label_distribution
    assert not make(conditional=False).fit_label_distribution


def test_a_second_generator_is_equal_but_separate(dummy):
    gan = dummy.make_gan(ModularGAN, conditional=True)
    other = gan.make_generator()
    assert [v.path for v in other.variables] == [v.path for v in gan.generator.variables]
    assert not np.allclose(other.fc.kernel, gan.generator.fc.kernel)


def test_gin_sets_every_parameter(dummy):
    gin.parse_config("""
        ModularGAN.g_lr = 0.25
        ModularGAN.conditional = True
        ModularGAN.loss = @hinge
        ModularGAN.penalties = [@r1(), @l2_penalty, "lecam"]
        ModularGAN.augmentations = [@diff_augment()]
        ModularGAN.tasks = ["class_prediction", @rotation()]
        r1.gamma = 0.5
        r1.interval = 4
        diff_augment.policy = "translation"
        rotation.num_rotated = 2
    """)
    gan = dummy.make_gan(ModularGAN)
    assert gan.conditional and gan.loss is losses.hinge
    assert [p.name for p in gan.penalties] == ["r1", "penalty", "lecam"]
    assert [(p.weight, p.interval) for p in gan.penalties] == [(0.5, 4), (1.0, 1), (0.3, 1)]
    assert [a.operations for a in gan.augmentations] == [["translation"]]
    assert list(gan.heads) == ["class_prediction", "rotation"]
    assert not hasattr(gan, "g_lr")  # It belongs to the trainer.
