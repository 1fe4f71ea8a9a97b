"""The objective that is passed to a GAN: losses, penalties, augmentations, networks."""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan import losses
from compare_gan.augmentations import APA, Augmentation, DiffAugment
from compare_gan.backend import gradient, other_rows
from compare_gan.errors import UserError
from compare_gan.gans import S3GAN, SSGAN, ModularGAN
from compare_gan.gans.tasks import ClassPredictionTask, RotationTask
from compare_gan.penalties import (
    AVAILABLE,
    R1,
    FunctionPenalty,
    LeCam,
    ModeSeeking,
    Penalty,
    l2_penalty,
    wgangp_penalty,
)
from compare_gan.schedules import CosineDecay

CLOSE = {"rtol": 2e-6, "atol": 2e-6}
CLASSES = (
    (ModularGAN, {}),
    (SSGAN, {"rotated_batch_size": 4}),
    (S3GAN, {"rotated_batch_fraction": 2, "conditional": True, "project_y": True}),
)


def _watch(gan):
    """Records the images of each forward pass of the discriminator from now on."""
    seen, call = [], gan.discriminator.call
    gan.discriminator.call = lambda inputs, training: (
        seen.append(inputs[0]) or call(inputs, training)
    )
    return seen


# Losses.


@pytest.mark.parametrize("split", (False, True))
@pytest.mark.parametrize(("gan_class", "options"), CLASSES)
def test_a_relativistic_loss_is_shown_real_images_in_the_generator_step(
    dummy, gan_class, options, split
):
    options = options | {"deprecated_split_disc_calls": split}
    gan = dummy.make_gan(gan_class, loss="rp_gan", **options)
    other = dummy.make_gan(gan_class, **options)
    batch = dummy.make_batch()
    seen, without = _watch(gan), _watch(other)
    g = gan.generator_loss(batch)
    other.generator_loss(batch)
    rows = [images.shape[0] for images in without]  # Fakes, and those that the task rotates.
    # The generated images, through which gradients flow, are in a forward of their own.
    assert [i.shape[0] for i in seen] == [8, *rows]
    np.testing.assert_array_equal(seen[0][:8], batch["images"])
    logits = [gan.discriminate(*half).logits for half in (
        (batch["images"], gan.labels(batch)), (gan.fakes(batch), gan._fake_labels(batch)),
    )]  # fmt: skip
    np.testing.assert_allclose(g.parts["g_loss"], losses.rp_gan(*logits).g_loss, **CLOSE)


def test_a_custom_loss_can_declare_it_too(dummy):
    def relativistic(d_real_logits, d_fake_logits, scale):
        g_loss = scale * ops.mean(d_real_logits - d_fake_logits)
        return losses.Losses(-g_loss, -g_loss, -g_loss, g_loss)

    batch, loss = dummy.make_batch(), functools.partial(relativistic, scale=2.0)
    assert np.isnan(dummy.make_gan(ModularGAN, loss=loss).generator_loss(batch).total)
    losses.generator_sees_real(relativistic)
    assert np.isfinite(dummy.make_gan(ModularGAN, loss=loss).generator_loss(batch).total)


# Penalties.


@pytest.mark.parametrize(("gan_class", "options"), CLASSES)
def test_any_callable_is_a_loss_or_a_penalty(dummy, gan_class, options):
    class Loss:
        def __call__(self, d_real_logits, d_fake_logits):
            return losses.hinge(d_real_logits, d_fake_logits)

    penalty = functools.partial(wgangp_penalty, uniform=lambda shape: ops.full(shape, 0.5))
    batch = dummy.make_batch()
    gan = dummy.make_gan(
        gan_class,
        loss=functools.partial(Loss()),
        penalties=[penalty, FunctionPenalty(l2_penalty, weight=3, name="decay")],
        **options,
    )
    fakes = gan.fakes(batch)
    parts = gan.discriminator_loss(batch, fakes).parts
    points = 0.5 * (batch["images"] + fakes)
    y = gan.labels(batch)
    expected = wgangp_penalty(lambda x: gan.discriminate(x, y).logits, points, points)
    np.testing.assert_allclose(parts["penalty"], expected, rtol=1e-5)
    assert parts["decay"] > 0


def test_weights_of_several_penalties_and_names_of_functions(dummy):
    gan, batch = (
        dummy.make_gan(ModularGAN, penalties=[wgangp_penalty, l2_penalty, R1(gamma=3)]),
        dummy.make_batch(),
    )
    terms = gan.discriminator_loss(batch, gan.fakes(batch))
    parts = terms.parts
    total = parts["d_loss"] + parts["wgangp_penalty"] + parts["l2_penalty"] + 3 * parts["r1"]
    np.testing.assert_allclose(terms.total, total, rtol=1e-6)


def test_a_term_receives_all_that_it_asks_for_in_both_losses(dummy):
    asked = {}

    class Curious(Penalty):
        name = "curious"

    def term(network):
        names = ", ".join(AVAILABLE)
        scope = {"asked": asked}
        exec(f"def f(self, {names}): asked['{network}'] = dict(locals()); return 0.0", scope)
        return scope["f"]

    for network in ("discriminator", "generator"):
        setattr(Curious, f"{network}_term", term(network))
    gan = dummy.make_gan(ModularGAN, penalties=[Curious()], conditional=True)
    batch = dummy.make_batch()
    fakes = gan.fakes(batch)
    d = gan.discriminator_loss(batch, fakes, step=7)
    g = gan.generator_loss(batch, step=7)
    assert "curious_discriminator" in d.parts and "curious_generator" in g.parts
    for network, values in asked.items():
        assert values["step"] == 7
        for name, key in (("x", "images"), ("y", "labels"), ("fake_y", "fake_labels"), ("z", "z")):
            assert values[name] is batch[key]
        np.testing.assert_allclose(values["x_fake"], fakes, **CLOSE)
        np.testing.assert_allclose(values["generator"](batch["z"]), fakes, **CLOSE)
        real = network == "discriminator"
        half = ("x", "real_logits") if real else ("x_fake", "fake_logits")
        found = values["discriminator"](values[half[0]])
        np.testing.assert_allclose(found, values[half[1]], **CLOSE)
        found = values["discriminator_of_fakes"](values["x_fake"])
        np.testing.assert_allclose(found, values["fake_logits"], **CLOSE)
        assert values["features"].shape == (8, 6)
        assert np.isfinite(values["real_logits"]).all() == real
        kernels = {v.path for v in getattr(gan, f"{network}_variables") if v.name == "kernel"}
        assert {v.path for v in values["kernels"]} == kernels
        draws = values["uniform"]((8, 100)), values["normal"]((8, 100))
        assert np.min(draws[0]) >= 0 and np.max(draws[0]) < 1
        # 800 draws: the standard errors are 0.035 and 0.025.
        assert abs(np.mean(draws[1])) < 0.15 and abs(np.std(draws[1]) - 1) < 0.12


def test_a_penalty_checks_the_size_of_batches_before_training(dummy):
    gan = dummy.make_gan(ModularGAN, penalties=[R1(), ModeSeeking()])
    gan.check_batch_size(2)
    with pytest.raises(UserError, match="'mode_seeking' needs batches of at least 2, received 1"):
        gan.check_batch_size(1)


def test_r2_of_a_conditional_gan_is_its_finite_difference(dummy):
    """With the labels of the generated images, which differ from those of the real ones."""

    class R2(Penalty):
        name = "r2"

        def discriminator_term(self, discriminator_of_fakes, x_fake):
            slopes = gradient(discriminator_of_fakes, x_fake)
            return 0.5 * ops.mean(ops.sum(ops.square(slopes), axis=(1, 2, 3)))

    networks = {"discriminator": {"project_y": True}}
    gan = dummy.make_gan(ModularGAN, penalties=[R2()], conditional=True, **networks)
    batch = dummy.make_batch()
    fakes, y = gan.fakes(batch).numpy(), batch["fake_labels"]
    assert np.any(y != batch["labels"])
    delta, squared = 1e-2, np.zeros(len(fakes))
    for pixel in range(fakes[0].size):
        shift = np.zeros(fakes[0].size, np.float32)
        shift[pixel] = delta
        shift = shift.reshape(fakes[0].shape)
        upper, lower = (gan.discriminate(fakes + s, y).logits[:, 0] for s in (shift, -shift))
        squared += ((np.array(upper) - np.array(lower)) / (2 * delta)) ** 2
    value = gan.discriminator_loss(batch, fakes).parts["r2"]
    np.testing.assert_allclose(value, 0.5 * squared.mean(), rtol=1e-3)


@pytest.mark.parametrize(
    ("penalty", "sentence"),
    (
        (lambda imags: 0.0, "requests the unknown value 'imags'. Known: "),
        (lambda x_fak: 0.0, "requests the unknown value 'x_fak'. Did you mean 'x_fake'"),
        (3, "A penalty must be a function, a Penalty or a registered name, received 3"),
        ("r2d2", "Unknown penalty 'r2d2'"),
        ([R1(), R1()], "Two parts of the kind 'penalty' are named 'r1'"),
        (FunctionPenalty(l2_penalty, name="d_loss"), "'d_loss' would be logged as 'loss/d_loss'"),
        (FunctionPenalty(l2_penalty, name="generator"), "logged as 'loss/generator', which is"),
        (type("Empty", (Penalty,), {"name": "empty"}), "'empty' joins no loss"),
    ),
)
def test_wrong_penalties_are_refused(dummy, penalty, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(ModularGAN, penalties=penalty)


def test_one_penalty_with_memory_configures_several_gans(dummy):
    given = LeCam(decay=0.5, start_step=0)
    gans = [dummy.make_gan(ModularGAN, penalties=[given]) for _ in range(2)]
    for gan in gans:
        [penalty] = gan.penalties
        assert penalty.decay == 0.5 and len(penalty.variables) == 2
        assert {id(v) for v in penalty.variables} < {id(v) for v in gan.variables}
        assert list(gan.memories) == ["penalties/lecam"]
    batch = dummy.make_batch()
    gans[0].discriminator_loss(batch, gans[0].fakes(batch), step=1)
    averages = [float(gan.penalties[0].real_average.numpy()) for gan in gans]
    assert averages[0] != 0.0 and averages[1] == 0.0
    assert given.variables == []


# Lazy penalties.


class _Counting(R1):
    """R1 that counts its computations, in the compiled step too."""

    name = "counting"

    def build(self):
        self.count = tf.Variable(0, dtype=tf.int64)
        self.average = self.add_variable("average")

    def discriminator_term(self, discriminator, x):
        self.count.assign_add(1)
        self.average.assign(self.average + 1.0)
        return super().discriminator_term(discriminator, x)


@pytest.mark.parametrize("jit_compile", (False, pytest.param(True, marks=pytest.mark.slow)))
@pytest.mark.parametrize("spectral_norm", (False, True))
def test_a_lazy_penalty_is_the_full_one_in_every_kth_update(dummy, jit_compile, spectral_norm):
    """Value and second-order gradient, scaled by k; nothing at all in between."""
    if jit_compile and spectral_norm:
        pytest.skip("XLA takes seconds to compile each.")
    networks = {"discriminator": {"spectral_norm": spectral_norm}}
    gan = dummy.make_gan(
        ModularGAN, penalties=[_Counting(gamma=0.5, interval=3)], disc_iters=2, **networks
    )
    [lazy] = gan.penalties
    whole = dummy.make_gan(ModularGAN, penalties=[R1(gamma=0.5)], disc_iters=2, **networks)
    batch = {k: tf.constant(v) for k, v in dummy.make_batch().items()}
    fakes = gan.fakes(batch)

    def losses_of(gan, step, iteration):
        with tf.GradientTape() as tape:
            terms = gan.discriminator_loss(batch, fakes, step, iteration)
        return terms, tape.gradient(terms.total, [v.value for v in gan.discriminator_variables])

    @functools.partial(tf.function, jit_compile=jit_compile, autograph=False)
    def compiled(step):
        return [losses_of(gan, step, i) for i in range(2)]

    expected, expected_gradients = losses_of(whole, 0, 0)
    with tf.GradientTape() as tape:
        plain = whole.discriminator_loss(batch, fakes).parts["d_loss"]
    without = tape.gradient(plain, [v.value for v in whole.discriminator_variables])
    due = []
    for step in range(6):
        for i, (terms, gradients) in enumerate(compiled(tf.constant(step, tf.int64))):
            due.append((2 * step + i) % 3 == 0)
            assert (terms.parts["counting"] > 0) == due[-1]
            if spectral_norm:  # Each forward pass changes the estimate of the norm.
                continue
            # The loss without the penalty, and k times the penalty.
            factor = 3.0 if due[-1] else 0.0
            value = factor * expected.parts["r1"]
            np.testing.assert_allclose(terms.parts["counting"], value, rtol=1e-5)
            total = expected.parts["d_loss"] + 0.5 * value
            np.testing.assert_allclose(terms.total, total, rtol=1e-5)
            for found, a, b in zip(gradients, expected_gradients, without, strict=True):
                np.testing.assert_allclose(found, b + factor * (a - b), rtol=2e-4, atol=1e-6)
    assert due == [True, False, False] * 4
    assert int(lazy.count) == 4 and float(lazy.average.numpy()) == 4.0


def test_a_lazy_penalty_of_the_generator_counts_its_steps(dummy):
    class Spread(Penalty):
        name = "spread"

        def generator_term(self, x_fake):
            return ops.mean(x_fake)

    gan = dummy.make_gan(ModularGAN, penalties=[Spread(weight=2, interval=4)], disc_iters=3)
    batch = dummy.make_batch()
    mean = np.mean(gan.fakes(batch))
    for step in range(9):
        terms = gan.generator_loss(batch, step)
        value = 4 * mean if step % 4 == 0 else 0.0
        np.testing.assert_allclose(terms.parts["spread"], value, rtol=1e-6)
        np.testing.assert_allclose(terms.total, terms.parts["g_loss"] + 2 * value, rtol=1e-6)
        assert "spread" not in gan.discriminator_loss(batch, gan.fakes(batch), step).parts


def test_lazy_penalties_and_batch_norm_over_replicas_are_refused(dummy, monkeypatch):
    monkeypatch.setattr("compare_gan.gans.modular_gan.num_replicas", lambda: 2)
    norm = {"batch_norm_fn": dummy.BatchNorm}
    gan = dummy.make_gan(ModularGAN, discriminator=norm, penalties=[R1(interval=2)])
    with pytest.raises(UserError, match=r"r1\.interval must be 1 on 2 replicas: .* batch norm"):
        gan.check_batch_size(4)
    dummy.make_gan(ModularGAN, discriminator=norm, penalties=[R1()]).check_batch_size(4)
    dummy.make_gan(ModularGAN, penalties=[R1(interval=2)]).check_batch_size(4)


@pytest.mark.parametrize("network", ("discriminator", "generator"))
def test_lazy_penalties_of_the_generator_and_batch_norm_over_replicas(dummy, monkeypatch, network):
    monkeypatch.setattr("compare_gan.gans.modular_gan.num_replicas", lambda: 2)
    functions = {
        "discriminator": lambda discriminator, x_fake: ops.mean(discriminator(x_fake)),
        "generator": lambda generator, z: ops.mean(generator(z)),
    }

    def gan_with(fn):
        penalty = type("Lazy", (Penalty,), {"name": "lazy", "generator_term": staticmethod(fn)})
        norm = {network: {"batch_norm_fn": dummy.BatchNorm}}
        return dummy.make_gan(ModularGAN, penalties=[penalty(interval=2)], **norm)

    with pytest.raises(UserError, match=rf"lazy\.interval must be 1 .* the {network} has batch"):
        gan_with(functions.pop(network)).check_batch_size(4)
    [other] = functions.values()
    gan_with(other).check_batch_size(4)
    gan_with(lambda x_fake: ops.mean(x_fake)).check_batch_size(4)  # No forward at all.


# Augmentations.


class _Fade(Augmentation):
    name = "fade"

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def build(self):
        self.updates = self.add_variable("updates")

    def __call__(self, images, uniform, normal, step):
        share = uniform((images.shape[0], 1, 1, 1)) + 0.1 * normal((images.shape[0], 1, 1, 1))
        return self.strength * share * images

    def update(self, real_logits, fake_logits, step):
        self.updates.assign(self.updates + 1.0)


def _shown_again(discriminator, x):
    """A penalty with a forward of its own."""
    return ops.mean(discriminator(x))


def test_an_augmentation_is_the_same_throughout_a_step(dummy):
    """It adapts after the penalties, which show images once more."""

    class Adaptive(_Fade):
        def __call__(self, images, uniform, normal, step):
            return (1.0 + self.updates) * images

    batch, fade = dummy.make_batch(), Adaptive()
    gan = dummy.make_gan(ModularGAN, augmentations=[fade], penalties=[_shown_again])
    seen = _watch(gan)
    gan.discriminator_loss(batch, gan.fakes(batch))
    np.testing.assert_array_equal(seen[0][:8], seen[1])


@pytest.mark.parametrize(("gan_class", "options"), CLASSES)
def test_every_image_is_augmented_in_both_steps(dummy, gan_class, options):
    gan = dummy.make_gan(
        gan_class, augmentations=[_Fade()], loss="rp_gan", penalties=[_shown_again], **options
    )
    batch = dummy.make_batch()
    fakes = gan.fakes(batch).numpy()
    seen = _watch(gan)
    gan.discriminator_loss(batch, fakes)
    gan.generator_loss(batch)
    d_images, again, g_real, g_fake = (np.array(each) for each in seen)
    tasks = gan.tasks
    extra = 3 * tasks[0].num_rotated(8) if tasks else 0

    def shares(shown, images):
        share = shown / images
        np.testing.assert_allclose(share, np.broadcast_to(share[:, :1, :1], share.shape), 1e-4)
        return share[:, 0, 0, 0]

    real, fake = shares(d_images[:8], batch["images"]), shares(d_images[8 + extra :][:8], fakes)
    # Each image has its own draw; the draws of a half stay the same throughout a step.
    assert len({*real.round(5), *fake.round(5)}) == 16
    np.testing.assert_allclose(shares(again, batch["images"]), real, rtol=1e-5)
    np.testing.assert_allclose(shares(g_real, batch["images"]), real, rtol=1e-5)
    np.testing.assert_allclose(shares(g_fake[:8], fakes), fake, rtol=1e-4)
    if tasks:  # Tasks receive augmented images.
        turned = tasks[0].extra_examples(d_images[:8], None)[0]
        np.testing.assert_array_equal(d_images[8 : 8 + extra], turned)
    other = batch | {"seed": np.array([5, 6], np.int32)}
    gan.discriminator_loss(other, fakes)
    assert not np.allclose(shares(np.array(seen[4][:8]), batch["images"]), real, rtol=1e-3)
    [updates] = gan.memories["augmentations/fade"]
    assert float(updates.numpy()) == 2.0  # One for each discriminator step.


@pytest.mark.parametrize(("gan_class", "options"), CLASSES)
def test_replaced_examples_are_those_of_the_whole_discriminator_step(dummy, gan_class, options):
    """Loss, penalties and rotation take generated images with their labels for real ones."""
    options = {"conditional": True, **options}
    gan = dummy.make_gan(gan_class, augmentations=[APA(p=1.0)], penalties=[R1()], **options)
    plain = dummy.make_gan(gan_class, penalties=[R1()], **options)
    batch = dummy.make_batch()
    fakes = plain.fakes(batch)
    expected = plain.discriminator_loss(
        batch | {"images": other_rows(fakes), "labels": other_rows(batch["fake_labels"])}, fakes
    )
    found = gan.discriminator_loss(batch, fakes)
    assert found.parts.keys() == expected.parts.keys()
    for name, value in expected.parts.items():
        np.testing.assert_allclose(found.parts[name], value, err_msg=name, **CLOSE)
    totals = [each.generator_loss(batch).total for each in (gan, plain)]
    np.testing.assert_allclose(*totals, **CLOSE)  # Real images are not shown there.


def test_pairs_of_replaced_examples_still_train_the_discriminator(dummy):
    """A pair of an image with itself would have no gradient."""
    gan = dummy.make_gan(ModularGAN, augmentations=[APA(p=1.0)], loss="rp_gan")
    batch = dummy.make_batch()
    fakes = gan.fakes(batch)
    with tf.GradientTape() as tape:
        total = gan.discriminator_loss(batch, fakes).total
    slopes = tape.gradient(total, [v.value for v in gan.discriminator_variables])
    assert max(np.abs(slope).max() for slope in slopes if slope is not None) > 1e-4


class _FirstThree(Augmentation):
    """Puts generated examples in the first three places."""

    name = "first_three"

    def replace_real(self, real, fake, uniform, step):
        return tuple(tf.concat([f[:3], r[3:]], axis=0) for r, f in zip(real, fake, strict=True))


@pytest.mark.parametrize(
    ("gan_class", "options"),
    (
        (ModularGAN, {"tasks": ["class_prediction"]}),
        (S3GAN, {"project_y": True, "use_predictor": True, "self_supervision": "none"}),
    ),
)
def test_generated_images_among_the_real_ones_have_no_label_for_tasks(dummy, gan_class, options):
    options = {"conditional": True, **options}
    gan, plain = (
        dummy.make_gan(gan_class, augmentations=augmentations, **options)
        for augmentations in ([_FirstThree()], [])
    )
    batch = dummy.make_batch()
    fakes = plain.fakes(batch)
    found = gan.discriminator_loss(batch, fakes)
    unlabelled = dummy.make_batch(unlabelled=(0, 1, 2))
    expected = plain.discriminator_loss(unlabelled, fakes)
    for key in ("parts", "measures"):
        loss, accuracy = (getattr(terms, key) for terms in (found, expected))
        name = "class_loss" if key == "parts" else "class_accuracy"
        np.testing.assert_allclose(loss[name], accuracy[name], **CLOSE)
    # The label of the generated image conditions the discriminator.
    images, labels = _FirstThree().replace_real(
        (batch["images"], batch["labels"]), (fakes, batch["fake_labels"]), None, 0
    )
    shown = plain.discriminator_loss(batch | {"images": images, "labels": labels}, fakes)
    np.testing.assert_allclose(found.parts["d_loss"], shown.parts["d_loss"], **CLOSE)
    assert abs(found.parts["class_loss"] - shown.parts["class_loss"]) > 0.01


def test_r1_differentiates_through_the_augmentation(dummy):
    """With images twice as bright, the slope before the augmentation is twice that after it."""

    class Double(Augmentation):
        name = "double"

        def __call__(self, images, uniform, normal, step):
            return 2.0 * images

    batch = dummy.make_batch()
    gan = dummy.make_gan(ModularGAN, augmentations=[Double()], penalties=[R1()])
    plain = dummy.make_gan(ModularGAN, penalties=[R1()])
    fakes = plain.fakes(batch)
    value = gan.discriminator_loss(batch, fakes).parts["r1"]
    brighter = batch | {"images": 2 * batch["images"]}
    expected = 4 * plain.discriminator_loss(brighter, fakes).parts["r1"]
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_the_generators_gradient_flows_through_the_augmentation(dummy):
    gan = dummy.make_gan(ModularGAN, augmentations=[DiffAugment()])
    with tf.GradientTape() as tape:
        total = gan.generator_loss(dummy.make_batch()).total
    for value in tape.gradient(total, [v.value for v in gan.generator_variables]):
        assert np.all(np.isfinite(value)) and np.any(value)


def test_draws_of_penalties_are_the_same_with_augmentations(dummy):
    """Otherwise adding an augmentation would change the rest of the run."""

    class Nothing(Augmentation):
        name = "nothing"

        def __call__(self, images, uniform, normal, step):
            uniform((images.shape[0],))
            return images

    batch, values = dummy.make_batch(), []
    for augmentations in ((), [Nothing()]):
        gan = dummy.make_gan(ModularGAN, penalty="wgangp_penalty", augmentations=augmentations)
        values.append(float(gan.discriminator_loss(batch, gan.fakes(batch)).parts["penalty"]))
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("augmentations", "sentence"),
    (
        ("dif_augment", "Unknown augmentation 'dif_augment'. Did you mean 'diff_augment'"),
        ([lambda x: x], "An augmentation must be an Augmentation or a registered name"),
        ([DiffAugment(), DiffAugment()], "kind 'augmentation' are named 'diff_augment'"),
    ),
)
def test_wrong_augmentations_are_refused(dummy, augmentations, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(ModularGAN, augmentations=augmentations)


# Schedules.


def test_weights_follow_schedules(dummy):
    decay = CosineDecay(1.0, 0.0, steps=4)
    gan = dummy.make_gan(
        S3GAN,
        penalties=[R1(gamma=decay)],
        weight_rotation_loss_d=decay,
        weight_rotation_loss_g=decay,
        rotated_batch_fraction=1,
    )
    batch = dummy.make_batch()
    for step, weight in ((0, 1.0), (2, 0.5), (4, 0.0)):
        d, g = (
            gan.discriminator_loss(batch, gan.fakes(batch), step),
            gan.generator_loss(batch, step),
        )
        expected = d.parts["d_loss"] + weight * (d.parts["r1"] + d.parts["rotation_loss_real"])
        np.testing.assert_allclose(d.total, expected, rtol=1e-6)
        expected = g.parts["g_loss"] + weight * g.parts["rotation_loss_fake"]
        np.testing.assert_allclose(g.total, expected, rtol=1e-6)


# Tasks.


def test_tasks_are_added_to_those_of_the_class(dummy):
    """SSGAN is ModularGAN with a rotation task."""
    batch = dummy.make_batch()
    ssgan = dummy.make_gan(SSGAN, rotated_batch_size=8)
    gan = dummy.make_gan(ModularGAN, tasks=[RotationTask(2)])
    for terms in (
        [each.discriminator_loss(batch, each.fakes(batch)) for each in (ssgan, gan)],
        [each.generator_loss(batch) for each in (ssgan, gan)],
    ):
        first, second = (
            {k: float(v) for k, v in (each.parts | each.measures | {"total": each.total}).items()}
            for each in terms
        )
        assert first == second
    both = dummy.make_gan(SSGAN, rotated_batch_size=8, tasks=["class_prediction"], conditional=True)
    assert list(both.heads) == ["rotation", "class_prediction"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"tasks": ["class_prediction"]}, "'class_prediction' needs a conditional GAN"),
        (
            {"tasks": [ClassPredictionTask(num_classes=5)], "conditional": True},
            r"class_prediction\.num_classes is 5, but the data has 3 classes",
        ),
        ({"tasks": ["rotations"]}, "Unknown task 'rotations'. Did you mean 'rotation'"),
        ({"tasks": [RotationTask(2), RotationTask(4)]}, "kind 'task' are named 'rotation'"),
    ),
)
def test_wrong_tasks_are_refused(dummy, options, sentence):
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(ModularGAN, **options)


def test_batches_too_small_for_a_task_are_refused(dummy):
    gan = dummy.make_gan(ModularGAN, tasks=[RotationTask(16)])
    gan.check_batch_size(16)
    with pytest.raises(UserError, match=r"rotation\.num_rotated is 16: more than the batch size"):
        gan.check_batch_size(8)


# Networks.


def test_any_networks_that_fulfil_the_contract_can_be_passed(dummy):
    @keras.saving.register_keras_serializable("test_objective")
    class Generator(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(16, activation="sigmoid")

        def call(self, inputs, training=None):
            return ops.reshape(self.dense(inputs[0]), (-1, *dummy.IMAGE_SHAPE))

    class Discriminator(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.hidden, self.fc = keras.layers.Dense(6), keras.layers.Dense(1)

        def call(self, inputs, training=None):
            h = ops.tanh(self.hidden(ops.reshape(inputs[0], (-1, 16))))
            return self.fc(h), h

    generator, discriminator = Generator(), Discriminator()
    gan = S3GAN(
        dummy.IMAGE_SHAPE, 3, z_dim=dummy.Z_DIM, rotated_batch_fraction=2,
        generator=generator, discriminator=discriminator, penalties=[R1()],
    )  # fmt: skip
    assert gan.generator is generator and gan.discriminator is discriminator
    batch = dummy.make_batch()
    assert np.isfinite(gan.discriminator_loss(batch, gan.fakes(batch)).total)
    assert np.isfinite(gan.generator_loss(batch).total)
    clone = gan.make_generator()
    assert type(clone) is Generator and [v.shape for v in clone.variables] == [(5, 16), (16,)]
    assert not np.allclose(clone.variables[0], generator.variables[0])
    with pytest.raises(UserError, match="needs an architecture, unless generator and discrim"):
        S3GAN(dummy.IMAGE_SHAPE, 3, rotated_batch_fraction=2, generator=generator)


def test_a_passed_discriminator_with_its_own_projection_is_refused(dummy):
    own = dummy.make_gan(ModularGAN, conditional=True)
    with pytest.raises(UserError, match="must have project_y = False, received True"):
        S3GAN(
            dummy.IMAGE_SHAPE, 3, z_dim=dummy.Z_DIM, rotated_batch_fraction=2, conditional=True,
            project_y=True, generator=own.generator, discriminator=own.discriminator,
        )  # fmt: skip


def test_architectures_made_of_partials_work_for_all_classes(dummy):
    class Partials:
        Generator = functools.partial(dummy.Architecture().Generator)
        Discriminator = functools.partial(dummy.Architecture().Discriminator)

    for gan_class, options in CLASSES:
        gan = gan_class(dummy.IMAGE_SHAPE, 3, Partials(), z_dim=dummy.Z_DIM, **options)
        assert np.isfinite(gan.generator_loss(dummy.make_batch()).total)


def test_heads_are_all_made_before_one_is_built(dummy, monkeypatch):
    """Both draw seeds: another order would start a run of equal seed at other weights."""
    order = []
    for task in (RotationTask, ClassPredictionTask):
        make, name = task.make_head, task.name

        def make_head(self, *args, make=make, name=name, **kwargs):
            head = make(self, *args, **kwargs)
            build = head.build
            head.build = lambda shape: order.append(f"build {name}") or build(shape)
            order.append(f"make {name}")
            return head

        make_head.__signature__ = inspect.signature(make)
        monkeypatch.setattr(task, "make_head", make_head)
    dummy.make_gan(ModularGAN, conditional=True, tasks=["rotation", "class_prediction"])
    names = ("rotation", "class_prediction")
    assert order == [*(f"make {n}" for n in names), *(f"build {n}" for n in names)]
