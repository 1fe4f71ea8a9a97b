"""Step options of ModularGAN (top-k, latent optimization) and losses that classify."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from golden_networks import Discriminator, weights_by_name

from compare_gan import losses
from compare_gan.errors import UserError
from compare_gan.gans import LatentOptimization, ModularGAN
from compare_gan.gans.adversarial import loss_of_the_best
from compare_gan.losses import MultiHinge
from compare_gan.penalties import R2, ZCR
from compare_gan.schedules import ExponentialDecay

# Top-k.


@pytest.mark.parametrize("name", ("hinge", "non_saturating"))
def test_the_loss_of_the_best_equals_that_of_studiogan(assert_golden, modern_golden, name):
    logits = tf.constant(modern_golden["topk/in/logits"].astype(np.float64)[:, None])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss_of_the_best(getattr(losses, name), logits * np.nan, logits, share=0.6)
    key = f"topk/k6/g_{name}"
    assert_golden("modern terms", key, value, modern_golden[key], rtol=1e-12)
    key = f"topk/k6/grad_g_{name}"
    found = tape.gradient(value, logits)[:, 0]
    assert_golden("modern terms", key, found, modern_golden[key], rtol=1e-12)


@pytest.mark.parametrize("case", ("b64", "b32"))
def test_the_number_of_images_falls_like_studiogans(modern_golden, case):
    """Counted by a loss whose gradient shows which images it is of."""
    batch, gamma, nu = (float(x) for x in modern_golden[f"topk/{case}/batch_gamma_nu"])
    decay = ExponentialDecay(1.0, nu, gamma, steps=10, staircase=True)
    logits = tf.constant(np.random.RandomState(0).permutation(int(batch))[:, None], tf.float32)

    def count(step):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss_of_the_best(losses.wasserstein, logits, logits, decay(step))
        return tf.math.count_nonzero(tape.gradient(value, logits))

    expected = modern_golden[f"topk/{case}/k_used_per_epoch"]
    for epoch in range(0, len(expected), 8):
        assert int(count(tf.constant(10 * epoch + 9))) == expected[epoch]


def test_pairs_of_a_relativistic_loss_stay_together():
    real, fake = np.random.RandomState(1).normal(size=(2, 5, 1))
    best = np.argsort(fake[:, 0])[-2:]
    value = loss_of_the_best(losses.rp_gan, tf.constant(real), tf.constant(fake), share=0.4)
    np.testing.assert_allclose(value, losses.rp_gan(real[best], fake[best]).g_loss, rtol=1e-12)


def test_the_logits_of_images_choose_and_those_of_pixels_follow():
    real, fake = np.random.RandomState(2).normal(size=(2, 6, 4))
    best = np.argsort(fake[:, 0])[-3:]
    value = loss_of_the_best(losses.hinge, tf.constant(real), tf.constant(fake), share=0.5)
    np.testing.assert_allclose(value, losses.hinge(real[best], fake[best]).g_loss, rtol=1e-12)


@pytest.mark.parametrize("share", (0, ExponentialDecay(steps=10)))
def test_a_share_of_zero_is_refused(dummy, share):
    with pytest.raises(UserError, match=r"ModularGAN.top_k must stay above 0"):
        dummy.make_gan(ModularGAN, top_k=share)


def test_the_generator_alone_learns_from_the_best(dummy):
    gan, batch = dummy.make_gan(ModularGAN, loss="hinge", top_k=lambda step: 1.0 - step / 8), (
        dummy.make_batch()
    )  # fmt: skip
    fakes = gan.fakes(batch)
    logits = np.sort(gan.discriminate(fakes, None).logits[:, 0])
    for step, k in ((0, 8), (5, 3), (8, 1)):
        found = gan.generator_loss(batch, step).parts["g_loss"]
        np.testing.assert_allclose(found, -logits[-k:].mean(), rtol=1e-5)
        d_loss = gan.discriminator_loss(batch, fakes, step).parts["d_loss_fake"]
        np.testing.assert_allclose(d_loss, np.maximum(0, 1 + logits).mean(), rtol=1e-5)


# Latent optimization.


class _Recorded:
    """The networks of the section, in float64, and LOGAN on its latents."""

    def __init__(self, golden):
        self.golden = golden
        self.discriminator = Discriminator.of_section(golden, "latent")
        weights = weights_by_name(golden, "latent")
        self.kernel, self.bias = (
            tf.Variable(weights[f"generator/fc/{name}"]) for name in ("kernel", "bias")
        )
        self.z = tf.constant(golden["latent/in/z"].astype(np.float64))

    def judge(self, z):
        images = (tf.tanh(z @ self.kernel + self.bias) + 1) / 2
        return self.discriminator(tf.reshape(images, [-1, 8, 8, 3]))

    def optimize(self, alpha, beta, rate):
        draws = self.golden["latent/in/drop_uniform"]
        return LatentOptimization(alpha, beta, rate, max_step=None, max_latent=1.0)(
            self.z, self.judge, lambda shape: tf.reshape(draws, shape), step=0
        )


@pytest.mark.parametrize(("alpha", "beta", "rate"), ((0.9, 0.1, 0.8), (0.5, 1, 1)))
def test_latent_optimization_equals_that_of_studiogan(
    assert_golden, modern_golden, alpha, beta, rate
):
    recorded = _Recorded(modern_golden)
    prefix = f"latent/logan/a{alpha}_b{beta}_r{rate}"
    check = functools.partial(assert_golden, "modern terms", rtol=1e-6)
    with tf.GradientTape(persistent=True) as tape:
        z, cost = recorded.optimize(alpha, beta, rate)
        logit = tf.reduce_mean(recorded.judge(z))
    check(f"{prefix}/z_new", z, modern_golden[f"{prefix}/z_new"])
    check(f"{prefix}/transport_cost", cost, modern_golden[f"{prefix}/transport_cost"])
    for path, found in recorded.discriminator.gradients(tape, cost).items():
        check(f"{prefix}/grad_cost/{path}", found, modern_golden[f"{prefix}/grad_cost/{path}"])
    key = f"{prefix}/grad_mean_logit_wrt_g_kernel"
    check(key, tape.gradient(logit, recorded.kernel), modern_golden[key])


def test_steps_are_limited():
    optimize = LatentOptimization(alpha=10.0, beta=1.0, rate=1.0, max_step=0.5)
    z, cost = optimize(tf.constant([[2.0, -2.0]]), lambda z: z[:, :1] / 2, np.zeros, step=0)
    np.testing.assert_allclose(z, [[2.5, -2.0]], rtol=1e-6)
    np.testing.assert_allclose(cost, 16.0, rtol=1e-6)  # Of the step of 10 * 0.5 / 1.25.


def _gan_with_latent_optimization(dummy, **options):
    given = LatentOptimization(alpha=lambda step: 2.0 * step, rate=0.5, cost_weight=0.3)
    return dummy.make_gan(ModularGAN, latent_optimization=given, conditional=True, **options)


def test_latents_move_up_the_logits_and_nothing_else_changes(dummy):
    gan = _gan_with_latent_optimization(dummy, generator={"batch_norm_fn": dummy.BatchNorm})
    batch = dummy.make_batch()
    before = [v.value.numpy() for v in gan.variables]
    with tf.GradientTape() as tape:
        z = tf.constant(batch["z"])
        tape.watch(z)
        images = gan.generator((z, batch["fake_labels"]), training=True)
        logits = gan.discriminate(images, batch["fake_labels"]).logits
    slopes = tape.gradient(logits, z).numpy()
    for variable, value in zip(gan.variables, before, strict=True):
        variable.assign(value)
    optimized = gan.optimized(batch, step=2)
    step = 4.0 * slopes / (0.1 + np.square(slopes).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        optimized["transport_cost"], np.square(step).sum(axis=1).mean(), rtol=2e-6
    )
    change = optimized["z"] - batch["z"]
    moved = np.any(change != 0, axis=1)
    assert 0 < moved.sum() < 8  # Half of them on average.
    # The change is a difference of latents of up to 2 in float32.
    np.testing.assert_allclose(change[moved], np.clip(step, -1, 1)[moved], rtol=2e-6, atol=5e-7)
    for variable, value in zip(gan.variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)
    plain = dummy.make_gan(ModularGAN)
    assert plain.optimized(batch) is batch


def test_both_networks_learn_through_the_latents(dummy):
    """The gradients of both losses are those of finite differences, in a random direction."""
    gan, batch = _gan_with_latent_optimization(dummy), dummy.make_batch()

    def discriminator_loss():
        optimized = gan.optimized(batch, step=1)
        return gan.discriminator_loss(optimized, gan.fakes(optimized), step=1)

    def generator_loss():
        return gan.generator_loss(gan.optimized(batch, step=1), step=1)

    for network, loss in (
        ("discriminator", discriminator_loss),
        ("generator", generator_loss),
    ):
        terms = loss()
        total = terms.parts[f"{network[0]}_loss"]
        total += 0.3 * terms.parts[f"transport_cost_{network}"]
        np.testing.assert_allclose(terms.total, total, rtol=1e-5)
        variables = getattr(gan, f"{network}_variables")
        with tf.GradientTape() as tape:
            total = loss().total
        gradients = tape.gradient(total, [v.value for v in variables])
        random = np.random.RandomState(4)
        direction = [random.normal(size=v.shape) for v in variables]
        slope = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
        start, values = [v.numpy() for v in variables], []
        for sign in (1, -1):
            for variable, value, d in zip(variables, start, direction, strict=True):
                variable.assign(value + sign * 1e-3 * d)
            values.append(float(loss().total))
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        # Rounding of float32 losses of about 2: 2e-7 / 1e-3, and some more in their sums.
        np.testing.assert_allclose((values[0] - values[1]) / 2e-3, slope, rtol=1e-3, atol=5e-4)


def test_a_penalty_may_have_a_weight_for_each_network(dummy):
    gan = dummy.make_gan(ModularGAN, penalties=[ZCR(weight_d=7.0, weight_g=3.0)])
    batch = dummy.make_batch()
    for terms, weight in (
        (gan.discriminator_loss(batch, gan.fakes(batch)), 7.0),
        (gan.generator_loss(batch), 3.0),
    ):
        [loss] = [name for name in ("d_loss", "g_loss") if name in terms.parts]
        [penalty] = [name for name in terms.parts if name.startswith("zcr")]
        total = terms.parts[loss] + weight * terms.parts[penalty]
        np.testing.assert_allclose(terms.total, total, rtol=1e-6)
        assert abs(terms.parts[penalty]) > 1e-6


def test_penalties_do_not_learn_through_the_latents(dummy):
    gan = _gan_with_latent_optimization(dummy, penalties=[R2(gamma=1.0)])
    batch = dummy.make_batch()
    optimized = gan.optimized(batch, step=1)
    fixed = {name: tf.stop_gradient(value) for name, value in optimized.items()}
    plain = _gan_with_latent_optimization(dummy, penalties=[R2(gamma=1.0)])
    gradients = []
    for each, inputs in ((gan, None), (plain, fixed)):
        with tf.GradientTape() as tape:
            inputs = inputs or each.optimized(batch, step=1)
            value = each.discriminator_loss(inputs, each.fakes(inputs), step=1).parts["r2"]
        variables = [v.value for v in each.discriminator_variables]
        gradients.append(tape.gradient(value, variables, unconnected_gradients="zero"))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# Losses that classify.


def test_a_loss_that_classifies_gets_a_head_labels_and_features(dummy):
    loss = MultiHinge(g_weight=0.5)
    networks = {"discriminator": {"project_y": False}}
    gan = dummy.make_gan(ModularGAN, loss=loss, conditional=True, **networks)
    assert list(gan.heads) == ["class_logits"]
    batch = dummy.make_batch(unlabelled=[2])
    fakes = gan.fakes(batch)
    halves = {"real": (batch["images"], "labels"), "fake": (fakes, "fake_labels")}
    arguments = {}
    for side, (images, labels) in halves.items():
        logits, features = gan.discriminator((images, batch[labels]))
        arguments |= {
            f"d_{side}_logits": logits,
            f"{side}_features": features,
            f"{side}_class_logits": gan.heads["class_logits"](features),
            f"{side}_labels": batch[labels],
        }
    expected = loss(**arguments)
    d, g = gan.discriminator_loss(batch, fakes), gan.generator_loss(batch)
    np.testing.assert_allclose(d.parts["d_loss_real"], expected.d_loss_real, rtol=1e-5)
    np.testing.assert_allclose(d.total, expected.d_loss, rtol=1e-5)
    np.testing.assert_allclose(g.total, expected.g_loss, rtol=1e-5)
    with tf.GradientTape() as tape:
        total = gan.discriminator_loss(batch, fakes).total
    for gradient in tape.gradient(total, [v.value for v in gan.discriminator_variables]):
        assert np.any(gradient)


def test_values_of_real_images_are_nan_where_the_generator_does_not_see_them(dummy):
    seen = {}

    def loss(d_real_logits, d_fake_logits, real_class_logits, real_labels, real_features):
        seen.update(locals())
        d_loss = sum(map(tf.reduce_mean, (real_class_logits, real_labels, real_features)))
        return losses.Losses(d_loss, d_loss, 0.0 * d_loss, tf.reduce_mean(d_fake_logits))

    gan, batch = dummy.make_gan(ModularGAN, loss=loss, conditional=True), dummy.make_batch()
    assert np.isfinite(gan.generator_loss(batch).total)
    shapes = {"real_class_logits": (8, 3), "real_labels": (8, 3), "real_features": (8, 6)}
    for name, shape in shapes.items():
        assert seen[name].shape == shape and np.isnan(seen[name]).all()
    gan.discriminator_loss(batch, gan.fakes(batch))
    assert all(np.isfinite(seen[name]).all() for name in shapes)


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"loss": "multi_hinge"}, "'multi_hinge' classifies images: it needs ModularGAN.conditi"),
        ({"loss": "ra_gan", "top_k": 0.5}, r"ModularGAN\.top_k must be 1 with the loss 'ra_gan'"),
        ({"top_k": 1.5}, r"ModularGAN\.top_k must be between 0 and 1, received 1\.5"),
        ({"latent_optimization": 0.9}, r"latent_optimization must be a LatentOptimization \(in"),
        (
            {"latent_optimization": LatentOptimization(), "experimental_joint_gen_for_disc": True},
            r"experimental_joint_gen_for_disc must be False with latent_optimization",
        ),
    ),
)
def test_contradictions_are_refused(dummy, options, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(ModularGAN, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"rate": 2}, r"latent_optimization\.rate must be .*received 2"),
        ({"beta": 0}, r"latent_optimization\.beta must be above 0, received 0"),
        ({"max_latent": -1}, r"latent_optimization\.max_latent must be at least 0, received -1"),
    ),
)
def test_options_of_latent_optimization_are_checked(options, sentence):
    with pytest.raises(UserError, match=sentence):
        LatentOptimization(**options)
