"""R3GAN against the numbers of its authors' program: outputs, gradients, sizes, initial spread."""

import math

import keras
import numpy as np
import pytest
import r3gan_numbers
import tensorflow as tf
from keras import ops

from compare_gan.architectures import r3gan
from compare_gan.errors import UserError
from compare_gan.losses import rp_gan
from compare_gan.penalties import R1

_FFHQ = {}  # The default options.
_IMAGENET = {"ch": 1536, "group_size": 32, "full_width_size": 64}
PRESETS = {
    "CIFAR10": (32, 0, _FFHQ),
    "CIFAR10_cond": (32, 10, _FFHQ),
    "FFHQ-64": (64, 0, _FFHQ),
    "FFHQ-256": (256, 0, _FFHQ),
    "ImageNet-32_cond": (32, 1000, _IMAGENET),
    "ImageNet-64_cond": (64, 1000, _IMAGENET),
}


@pytest.fixture(scope="module")
def golden():
    return r3gan_numbers.read_numbers()


@pytest.fixture(scope="module", params=["uncond", "cond"])
def networks(request, golden):
    """Both networks with the recorded weights, their inputs, and their variables by name."""
    y = np.eye(5, dtype=np.float32)[golden["r3gan/in/labels"]]
    y = y if request.param == "cond" else None
    generator = r3gan.Generator((16, 16, 3), embed_y_dim=8, **r3gan_numbers.TINY)
    discriminator = r3gan.Discriminator((16, 16, 3), **r3gan_numbers.TINY)
    generator.build(((4, 8), y if y is None else y.shape))
    discriminator.build(((4, 16, 16, 3), y if y is None else y.shape))
    networks = generator, discriminator
    named = [r3gan_numbers.fill(network, golden, request.param) for network in networks]
    return request.param, generator, discriminator, y, named


def test_outputs_are_those_of_the_authors(networks, golden, assert_golden):
    section, generator, discriminator, y, _ = networks
    images = generator((golden["r3gan/in/z"], y), training=True)
    fake = discriminator((images, y))[0][:, 0]
    real = discriminator((golden["r3gan/in/x01"], y))[0][:, 0]
    for key, value in (
        ("images", 2 * images - 1),  # Theirs are in [-1, 1], without bounds.
        ("logits_fake", fake),
        ("logits_real", real),
    ):
        key = f"r3gan/{section}/{key}"
        # Some 15 float32 layers after each other.
        assert_golden("R3GAN", key, value, golden[key], rtol=5e-6)
    for network, letter in ((generator, "g"), (discriminator, "d")):
        assert network.count_params() == golden[f"r3gan/{section}/params_{letter}"]


def test_images_without_bounds_are_those_of_training(networks, golden):
    _, generator, _, y, _ = networks
    free = np.array(generator((20 * golden["r3gan/in/z"], y)))
    assert free.min() < 0 and free.max() > 1
    np.testing.assert_array_equal(generator((20 * golden["r3gan/in/z"], y), training=True), free)


@pytest.mark.parametrize("networks", ["cond"], indirect=True)
def test_gradients_of_a_step_are_those_of_the_authors(networks, golden, assert_golden):
    """Of the relativistic loss with R1 and R2, with respect to all weights of the discriminator."""
    _, generator, discriminator, y, (_, named) = networks
    gamma = golden["r3gan/cond/step/lr_beta2_gamma_emanimg_batch"][2]
    x, x_fake = golden["r3gan/in/x01"], generator((golden["r3gan/in/z"], y), training=True)
    penalty = R1(gamma / 4)  # Squared gradients in [0, 1] are four times those in [-1, 1].

    def score(x):
        return discriminator((x, y), training=True)[0]

    with tf.GradientTape() as tape:
        slopes = [penalty.discriminator_term(score, images) for images in (x, x_fake)]
        loss = rp_gan(score(x), score(x_fake)).d_loss + gamma / 4 * sum(slopes)
    assert_golden("R3GAN", "d_loss", loss, golden["r3gan/cond/step/d_loss"])
    for slope, name in zip(slopes, ("r1", "r2"), strict=True):
        expected = golden[f"r3gan/cond/step/{name}"].mean()
        assert_golden("R3GAN", name, slope / 4 * 2, expected, rtol=2e-5)
    gradients = tape.gradient(loss, [v.value for v in named.values()])
    for name, gradient in zip(named, gradients, strict=True):
        key = f"r3gan/cond/step/grad/{name}"
        # Second derivatives in float32.
        assert_golden("R3GAN", key, gradient, golden[key], rtol=2e-5)


# The quick tests count those of CIFAR-10 (below) and of the small networks (above).
@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_of_the_presets(golden, preset):
    size, classes, options = PRESETS[preset]
    y_shape = (1, classes) if classes else None
    with tf.Graph().as_default():  # Only shapes: nothing is computed.
        generator = r3gan.Generator((size, size, 3), **options)
        generator.build(((1, 64), y_shape))
        discriminator = r3gan.Discriminator((size, size, 3), **options)
        discriminator.build(((1, size, size, 3), y_shape))
    for network, letter in ((generator, "g"), (discriminator, "d")):
        assert network.count_params() == golden[f"r3gan/preset/{preset}/params_{letter}"]


@pytest.mark.parametrize("letter", "gd")
def test_initial_spread_is_that_of_the_authors(golden, letter):
    """The recorded deviations are of one draw: both have the sampling error of a deviation."""
    if letter == "g":
        network, first = r3gan.Generator((32, 32, 3)), (1, 64)
    else:
        network, first = r3gan.Discriminator((32, 32, 3)), (1, 32, 32, 3)
    network.build((first, (1, 10)))
    recorded = golden[f"r3gan/init/CIFAR10_cond/{letter}/names"]
    deviations = golden[f"r3gan/init/CIFAR10_cond/{letter}/std"]
    found = {
        f"r3gan/{letter}/{r3gan_numbers.recorded_name(v, num_sizes=4)}": v
        for v in network.trainable_variables
    }
    assert found.keys() == set(recorded)
    assert network.count_params() == golden[f"r3gan/preset/CIFAR10_cond/params_{letter}"]
    for name, deviation in zip(recorded, deviations, strict=True):
        draws = np.array(found[name])
        error = math.sqrt(2) * deviation / math.sqrt(2 * draws.size)
        assert abs(draws.std() - deviation) <= 5 * error, name
        assert abs(draws.mean()) <= 5 * deviation / math.sqrt(draws.size), name


def test_a_new_network_has_identities_as_blocks():
    """The seed passes through the stages: only the resampling changes it."""
    generator = r3gan.Generator((8, 8, 3), ch=8)
    z = ops.ones((2, 4))
    generator((z, None))
    x = generator.seed(generator.fc(z))
    for layer in generator.trunk[:2]:
        np.testing.assert_array_equal(layer(x), x)


def test_half_precision_leaves_the_smallest_maps_in_full():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = r3gan.Generator((16, 16, 3), ch=8)
        discriminator = r3gan.Discriminator((16, 16, 3), ch=8)
    finally:
        keras.config.set_dtype_policy("float32")
    for network, other in ((generator, generator.seed), (discriminator, discriminator.pool)):
        for layer in (*network.trunk, other):
            small = layer is other or layer.name.startswith("stage0")
            assert layer.compute_dtype == ("float32" if small else "bfloat16"), layer.name
    images = generator((np.ones((2, 4), np.float32), None))
    logits, features = discriminator((images, None))
    assert images.dtype == "bfloat16" and logits.dtype == features.dtype == "float32"


def test_without_projection_labels_change_nothing():
    discriminator = r3gan.Discriminator((8, 8, 3), ch=8, project_y=False)
    x = np.random.RandomState(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[:2]
    np.testing.assert_array_equal(discriminator((x, y))[0], discriminator((x, y[::-1]))[0])
    projecting = r3gan.Discriminator((8, 8, 3), ch=8)
    assert np.abs(np.subtract(projecting((x, y))[0], projecting((x, y[::-1]))[0])).min() > 1e-6


def test_mistakes():
    with pytest.raises(UserError, match=r"r3gan is made for images of 8x8, .*, received 28x28; .*"):
        r3gan.Generator((28, 28, 1))
    with pytest.raises(UserError, match=r"r3gan\.Generator\.ch must be a multiple of 64 .* 96\."):
        r3gan.Generator((256, 256, 3), ch=96)
    with pytest.raises(UserError, match=r"D.*r\.group_size must be a positive integer, received 0"):
        r3gan.Discriminator((32, 32, 3), group_size=0)
