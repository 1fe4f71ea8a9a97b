"""Every augmentation, task, option, GAN and normalization takes one step with every architecture.

At tiny size, also with batch norm in three discriminators, and without labels.
The smallest architecture runs by default, the others are slow.
"""

import itertools

import numpy as np
import one_step
import pytest
import tiny_gans

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.gans import LatentOptimization, ModularGAN
from compare_gan.gans.examples import mixes_examples

_ADVERSARIAL = ("d_loss", "d_loss_real", "d_loss_fake", "g_loss")
# Terms of tasks that may be negative: differences, and likelihoods of continuous codes.
_ANY_SIGN = ("adc_gan_generator", "info_continuous_discriminator", "info_continuous_generator")
_ONLY_OF_DISCRIMINATOR = ("class_prediction",)
# The others are those of 2019, which other tests train with these architectures.
_MODERN = ("evo_norm_s0", "group_norm", "rms_norm")
# Their generators see the embedded labels in conditional batch norm alone.
_EMBED_FOR_NORMALIZATION = ("resnet_biggan_arch", "unet_biggan_arch")
# Normalizations that depend on the latent or on labels.
_ONLY_OF_GENERATOR = ("conditional_batch_norm", "self_modulated_batch_norm")


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("augmentation"))
def test_augmentation(variant, part):
    name, networks = part.split("/")[1], tiny_gans.networks(variant)
    options = tiny_gans.allowed_options(variant, part)
    gan = tiny_gans.make_gan(networks, **options)
    one_step.assert_trained(gan, one_step.take(gan))

    plain = one_step.logits(networks)
    if name != "none":
        augmented = one_step.logits(networks, **options)
        assert (augmented.real[:, 0] != plain.real[:, 0]).all()
        if name == "apa":  # All images are generated ones, those of neighbours, with their labels.
            expected = augmented.fake[[1, 0, 3, 2]]
            np.testing.assert_allclose(augmented.real, expected, rtol=1e-4, atol=1e-5)
        else:
            assert (augmented.fake[:, 0] != plain.fake[:, 0]).all()
            generators = augmented.fake_of_generator, plain.fake_of_generator
            assert (generators[0][:, 0] != generators[1][:, 0]).all()
    if name in tiny_gans.SWITCHED_OFF:
        off = one_step.logits(networks, augmentations=[tiny_gans.SWITCHED_OFF[name]()])
        for expected, actual in zip(plain, off, strict=True):
            # ADA interpolates also where it does not move a pixel.
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


class _TasksAlone(ModularGAN):
    adversarial_weight = 0.0


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("task"))
def test_task(variant, part):
    name, networks = part.split("/")[1], tiny_gans.networks(variant)
    options = tiny_gans.allowed_options(variant, part)
    gan = tiny_gans.make_gan(networks, _TasksAlone, **options)
    step = one_step.take(gan)
    assert np.isfinite(list(step.values.values())).all(), step.values
    others = {*_ADVERSARIAL, "discriminator", "generator", "penalty"}
    names = {n.removeprefix("loss/") for n in step.values if n.startswith("loss/")} - others
    assert names
    for term in names:
        value = step.values[f"loss/{term}"]
        assert abs(value) < 100 and (value > 0 or term in _ANY_SIGN), (term, value)

    # The gradient reaches the head and the first layer of a network.
    heads = {p for h in gan.heads.values() for p in one_step.kernels_of(h.trainable_variables)}
    first = {
        n: next(iter(one_step.kernels_of(getattr(gan, n).trainable_variables)))
        for n in ("discriminator", "generator")
    }
    assert heads and heads | {first["discriminator"]} <= step.moved
    helps = name not in _ONLY_OF_DISCRIMINATOR
    assert (first["generator"] in step.moved) == helps
    assert (step.values["gradient_norm/generator"] > 0) == helps


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("option"))
def test_option_of_the_step(variant, part):
    name, networks = part.split("/")[1], tiny_gans.networks(variant)
    options = tiny_gans.allowed_options(variant, part)
    gan = tiny_gans.make_gan(networks, **options)
    step = one_step.take(gan)
    one_step.assert_trained(gan, step)

    plain = one_step.logits(networks)
    if name == "top_k":
        best = np.argsort(plain.fake_of_generator[:, 0])[tiny_gans.BATCH // 2 :]
        expected = np.logaddexp(0, -plain.fake_of_generator[best]).mean()
        gan = tiny_gans.make_gan(networks, **options)
        found = gan.generator_loss(one_step.sub_batch(gan.image_shape)).parts["g_loss"]
        # In float32; all images together would differ by 4e-5 and more.
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    if name == "latent_optimization":
        for network in ("discriminator", "generator"):
            assert step.values[f"loss/transport_cost_{network}"] > 0
        # With little damping, logits rise by `alpha`. (Those of batch norm depend on all images.)
        if not mixes_examples(networks.discriminator):
            alpha = 1e-3 * float(np.abs(plain.fake[:, 0]).mean())
            little = LatentOptimization(alpha, beta=1e-20, rate=1.0, max_step=None)
            optimized = one_step.logits(networks, latent_optimization=little)
            gain = optimized.fake[:, 0].mean() - plain.fake[:, 0].mean()
            assert 0.5 * alpha < gain < 1.5 * alpha


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("gan"))
def test_gan(variant, part):
    name, networks = part.split("/")[1], tiny_gans.networks(variant)
    options = tiny_gans.allowed_options(variant, part)
    if name == "S3GAN" and networks.conditional:
        projected = {"project_y": True, "use_predictor": True}
        if getattr(networks.discriminator, "project_y", False):
            with pytest.raises(UserError, match="must have project_y = False, received True"):
                tiny_gans.make_gan(networks, **options, **projected)
        else:
            options |= projected
    gan = tiny_gans.make_gan(networks, **options)
    step = one_step.take(gan)
    one_step.assert_trained(gan, step)
    for half in ("real", "fake"):
        assert 0 < step.values[f"loss/rotation_loss_{half}"] < 100


def _normalizations():
    """The modern ones with every architecture that has any, all with the smallest, quickly."""
    for name, architecture in itertools.product(
        registry.names("normalization"), tiny_gans.ARCHITECTURES
    ):
        networks = registry.get("architecture", architecture)
        if "batch_norm_fn" in networks.Generator.unused_options:
            continue
        if architecture == "dcgan_arch":
            yield pytest.param(architecture, name)
        elif name in _MODERN:
            yield pytest.param(architecture, name, marks=pytest.mark.slow)


@pytest.mark.parametrize(("architecture", "name"), list(_normalizations()))
def test_normalization(architecture, name):
    """In both networks, if the discriminator can have it."""
    # A group of one value, in the first layers of these, would be zero.
    lines = [f"G.batch_norm_fn = @{name}", "group_norm.num_groups = 1"]
    if name not in _ONLY_OF_GENERATOR:
        lines.append(f"D.batch_norm_fn = @{name}")
    networks = tiny_gans.make_networks(architecture, "\n".join(lines))
    gan = tiny_gans.make_gan(networks)
    sees_labels = architecture not in _EMBED_FOR_NORMALIZATION or name == "conditional_batch_norm"
    unused = frozenset() if sees_labels else frozenset({"generator/embed_y/kernel"})
    one_step.assert_trained(gan, one_step.take(gan), unused)
