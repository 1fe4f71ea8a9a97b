"""Penalties on gradients at the images of a discriminator step share its forward.

Expected values are those of penalties that compute a forward of their own, as their direct callers
do: `_alone` hides the shared gradients from them.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan.augmentations import DiffAugment
from compare_gan.gans import S3GAN, LatentOptimization, ModularGAN
from compare_gan.gans.examples import Half
from compare_gan.gans.image_gradients import requested_gradients, with_gradients
from compare_gan.layers import BatchNorm
from compare_gan.penalties import R1, R1R2, R2, Penalty, wgangp_penalty

# Float32's rounding, summed over tiny networks, in another order.
CLOSE = {"rtol": 2e-5, "atol": 1e-6}


def _alone(penalty_class):
    """The penalty with the term that it had before: from forwards of its own."""
    if penalty_class is R1R2:

        def term(self, discriminator, discriminator_of_fakes, x, x_fake):
            return R1R2.discriminator_term(self, discriminator, discriminator_of_fakes, x, x_fake)
    elif penalty_class is R1:

        def term(self, discriminator, x):
            return R1.discriminator_term(self, discriminator, x)
    else:

        def term(self, discriminator_of_fakes, x_fake):
            return R2.discriminator_term(self, discriminator_of_fakes, x_fake)

    return type(f"{penalty_class.__name__}Alone", (penalty_class,), {"discriminator_term": term})


def _rows_seen(gan):
    """The number of rows of each forward of the discriminator from now on."""
    seen, call = [], gan.discriminator.call
    gan.discriminator.call = lambda inputs, training: (
        seen.append(inputs[0].shape[0]) or call(inputs, training)
    )
    return seen


def _loss_and_gradients(gan, batch):
    batch = gan.optimized(batch)
    with tf.GradientTape() as tape:
        terms = gan.discriminator_loss(batch, gan.fakes(batch))
    return terms, tape.gradient(terms.total, [v.value for v in gan.discriminator_variables])


def _assert_equal(gan, expected_gan, batch):
    terms, gradients = _loss_and_gradients(gan, batch)
    expected, expected_gradients = _loss_and_gradients(expected_gan, batch)
    for name, value in expected.parts.items():
        np.testing.assert_allclose(terms.parts[name], value, **CLOSE, err_msg=name)
    np.testing.assert_allclose(terms.total, expected.total, **CLOSE)
    for found, value in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(found, value, **CLOSE)


PROJECTION = {"conditional": True, "discriminator": {"project_y": True}}
# Eight images of each half, of which S3GAN rotates one: three rows more.
S3 = {
    "conditional": True,
    "project_y": True,
    "use_predictor": True,
    "rotated_batch_fraction": 2,
    "discriminator": {"project_y": True},
}


@pytest.mark.parametrize(
    ("penalties", "gan_class", "options", "rows", "rows_alone"),
    (
        ([R1], ModularGAN, {}, [8, 8], [16, 8]),
        ([R2], ModularGAN, PROJECTION, [8, 8], [16, 8]),
        ([R1R2], ModularGAN, PROJECTION, [16], [16, 8, 8]),
        ([R1, R2], ModularGAN, {}, [16], [16, 8, 8]),
        ([R1R2, R1], ModularGAN, {}, [16], [16, 8, 8, 8]),
        ([R1R2], ModularGAN, {"deprecated_split_disc_calls": True}, [8, 8], [8, 8, 8, 8]),
        ([R1], S3GAN, S3, [11, 8], [19, 8]),
        ([R1R2], S3GAN, S3, [3, 16], [19, 8, 8]),
    ),
)
def test_loss_and_gradients_are_those_of_a_forward_of_its_own(
    dummy, penalties, gan_class, options, rows, rows_alone
):
    augmentations = [DiffAugment("color,translation")]
    make = functools.partial(dummy.make_gan, gan_class, augmentations=augmentations, **options)
    gan = make(penalties=[each(gamma=0.7) for each in penalties])
    expected = make(penalties=[_alone(each)(gamma=0.7) for each in penalties])
    seen, seen_alone = _rows_seen(gan), _rows_seen(expected)
    _assert_equal(gan, expected, dummy.make_batch(unlabelled=[1, 5]))
    assert (seen, seen_alone) == (rows, rows_alone)


@pytest.mark.parametrize(
    ("options", "rows"),
    (
        ({"discriminator": {"batch_norm_fn": BatchNorm}}, [16, 8, 8]),
        ({"latent_optimization": LatentOptimization(rate=1.0)}, [8, 8, 8, 8]),
    ),
)
def test_forwards_of_its_own_where_the_gradient_would_be_another(dummy, options, rows):
    """Batch norm mixes examples; optimized latents would learn from the penalty at fakes."""
    gan = dummy.make_gan(ModularGAN, penalties=[R1R2(gamma=0.7)], **options)
    expected = dummy.make_gan(ModularGAN, penalties=[_alone(R1R2)(gamma=0.7)], **options)
    seen, batch = _rows_seen(gan), dummy.make_batch()
    _assert_equal(gan, expected, batch)
    assert seen == rows


def test_other_penalties_have_their_own_forward_beside_it(dummy):
    gan = dummy.make_gan(ModularGAN, penalties=[R1R2(gamma=0.7), wgangp_penalty])
    expected = dummy.make_gan(ModularGAN, penalties=[_alone(R1R2)(gamma=0.7), wgangp_penalty])
    seen = _rows_seen(gan)
    _assert_equal(gan, expected, dummy.make_batch())
    assert seen == [16, 8]


def test_lazy_penalties_share_only_with_those_of_each_step(dummy):
    lazy = dummy.make_gan(ModularGAN, penalties=[R1(gamma=0.7, interval=2)])
    seen = _rows_seen(lazy)
    _loss_and_gradients(lazy, dummy.make_batch())
    assert seen == [16, 8]
    both = dummy.make_gan(ModularGAN, penalties=[R1(gamma=0.7, interval=2), R1R2(gamma=0.1)])
    seen = _rows_seen(both)
    terms, _ = _loss_and_gradients(both, dummy.make_batch())
    assert seen == [16]
    alone = dummy.make_gan(ModularGAN, penalties=[R1(gamma=0.7)])
    expected, _ = _loss_and_gradients(alone, dummy.make_batch())
    np.testing.assert_allclose(terms.parts["r1"], 2 * expected.parts["r1"], **CLOSE)


# Drops features: the masks of a forward depend on its rows and on the forwards before.
DROPOUT = {"batch_norm_fn": functools.partial(keras.layers.Dropout, 0.5)}


@pytest.mark.parametrize("penalty", (R1, R1R2))
@pytest.mark.parametrize("options", ({"spectral_norm": True}, DROPOUT))
def test_losses_and_state_are_those_of_one_forward_of_both_halves(dummy, penalty, options):
    """Spectral norm makes one power iteration; dropout draws one mask for each image."""
    networks = {"discriminator": options}
    gan = dummy.make_gan(ModularGAN, penalties=[penalty(gamma=0.7)], **networks)
    expected = dummy.make_gan(ModularGAN, **networks)
    batch = dummy.make_batch()
    terms, _ = _loss_and_gradients(gan, batch)
    without, _ = _loss_and_gradients(expected, batch)
    for name in ("d_loss", "d_loss_real", "d_loss_fake"):
        np.testing.assert_allclose(terms.parts[name], without.parts[name], **CLOSE)
    _assert_same_variables(gan, expected)


def _assert_same_variables(gan, expected):
    for network in ("generator", "discriminator"):
        pairs = (getattr(each, network).variables for each in (gan, expected))
        for found, value in zip(*pairs, strict=True):
            np.testing.assert_allclose(found, value, **CLOSE, err_msg=found.path)


def test_a_penalty_may_request_the_gradients(dummy):
    asked = []

    class Curious(Penalty):
        name = "curious"

        def discriminator_term(self, x, x_fake, real_gradients, fake_gradients):
            asked.append((real_gradients, fake_gradients))
            return ops.mean(real_gradients) - ops.mean(fake_gradients)

        def generator_term(self, real_gradients, fake_gradients):
            asked.append((real_gradients, fake_gradients))
            return 0.0

    gan, batch = dummy.make_gan(ModularGAN, penalties=[Curious()]), dummy.make_batch()
    fakes = gan.fakes(batch)
    gan.discriminator_loss(batch, fakes)
    gan.generator_loss(batch)
    for gradient, images in zip(asked[0], (batch["images"], fakes), strict=True):
        images = tf.convert_to_tensor(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = gan.discriminate(images, None).logits
        np.testing.assert_allclose(gradient, tape.gradient(logits, images), **CLOSE)
    assert asked[1] == (None, None)
    requested = functools.partial(requested_gradients, discriminator=gan.discriminator)
    assert requested(gan.penalties, apart=False, with_tasks=True) == (True, True)
    assert requested(gan.penalties, apart=True, with_tasks=False) == (True, True)
    assert requested(gan.penalties, apart=True, with_tasks=True) == (False, False)
    assert requested([R1(), R2(interval=2)], apart=False, with_tasks=True) == (True, False)


def test_logits_of_pixels_are_not_differentiated():
    x, x_fake = ops.ones((2, 1, 1, 1)), ops.ones((3, 1, 1, 1))

    def forward(*images):
        rows = [ops.reshape(each, (-1, 1)) for each in images]
        logits = [ops.concatenate([2.0 * each, 5.0 * each], axis=1) for each in rows]
        return [Half(each, each, None, {}) for each in logits]

    (real, _), (real_gradients, fake_gradients) = with_gradients(
        forward, [x, x_fake], (False, True)
    )
    assert real_gradients is None
    np.testing.assert_array_equal(fake_gradients, np.full((3, 1, 1, 1), 2.0))
    np.testing.assert_array_equal(real.logits, [[2.0, 5.0]] * 2)


# The generator's step.


@pytest.mark.parametrize("options", ({}, {"spectral_norm": True}, DROPOUT))
def test_the_generator_gets_no_gradient_through_real_images(dummy, options):
    """Loss, gradient and state are those of one forward of both halves."""
    networks = {"discriminator": options}
    gan, joint = (dummy.make_gan(ModularGAN, loss="rp_gan", **networks) for _ in range(2))
    batch = dummy.make_batch()
    variables = [v.value for v in gan.generator_variables]
    with tf.GradientTape() as tape:
        loss = gan.generator_loss(batch).total
    with tf.GradientTape() as joint_tape:
        fakes = joint.generator((batch["z"], None), training=True)
        logits = joint.discriminate(ops.concatenate([batch["images"], fakes]), None).logits
        expected = joint.loss(logits[:8], logits[8:]).g_loss
    np.testing.assert_allclose(loss, expected, **CLOSE)
    gradients = joint_tape.gradient(expected, [v.value for v in joint.generator_variables])
    for found, value in zip(tape.gradient(loss, variables), gradients, strict=True):
        np.testing.assert_allclose(found, value, **CLOSE)
    _assert_same_variables(gan, joint)
