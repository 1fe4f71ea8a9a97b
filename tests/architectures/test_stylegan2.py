"""StyleGAN2 against the numbers of its authors' program: outputs, losses, gradients, sizes."""

import keras
import numpy as np
import pytest
import stylegan2_numbers
import tensorflow as tf

from compare_gan.architectures import stylegan2
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.gans.examples import mixes_examples, needs_halves_apart
from compare_gan.gans.noise import Noise
from compare_gan.penalties import R1

# The networks of the recorded numbers: widths 16, 16 and 8.
_SMALL = {"ch": 16, "full_width_size": 8, "mapping_layers": 2}
_NAMES = {"skip": "skip", "resnet": "resnet", "plain": "orig"}
# In float32, over some ten layers.
_TOLERANCE = 5e-6
_Z_DIM = 8


def _generator(connections="skip"):
    generator = stylegan2.Generator(
        (16, 16, 3), w_dim=6, connections=connections, style_mixing=0.0, **_SMALL
    )
    generator((np.zeros((2, _Z_DIM), np.float32), None))
    section = f"synthesis_{_NAMES[connections]}"
    stylegan2_numbers.load(generator, mapping="pl_mapping", synthesis=section)
    return generator


def _discriminator(connections="resnet", y=None, section=None):
    discriminator = stylegan2.Discriminator((16, 16, 3), connections=connections, **_SMALL)
    discriminator((np.zeros((2, 16, 16, 3), np.float32), None if y is None else y[:2]))
    section = section or f"discriminator_{_NAMES[connections]}" + ("" if y is None else "_cond")
    stylegan2_numbers.load(discriminator, others=section)
    return discriminator


@pytest.fixture(scope="module")
def generator():
    """With skips and constant weights; no test changes it."""
    return _generator()


def _trainable_size(layer):
    return sum(int(np.prod(v.shape)) for v in layer.trainable_variables)


@pytest.mark.parametrize(
    "connections", ["skip", "resnet", pytest.param("plain", marks=pytest.mark.slow)]
)
def test_images_are_those_of_the_authors(assert_golden, connections):
    golden, generator = stylegan2_numbers.golden(), _generator(connections)
    section = f"synthesis_{_NAMES[connections]}"
    styles = golden[f"{section}/in/ws"]
    assert generator.synthesis.num_styles == styles.shape[1]
    assert _trainable_size(generator.synthesis) == golden[f"{section}/params"]
    found = {"images_const_noise": generator.synthesize(styles)}
    if connections == "skip":
        noises = [golden[f"{section}/in/random_noise_layer{i}"][..., None] for i in range(5)]
        draws = _Draws(normal=noises)
        found["images_random_noise"] = generator.synthesize(styles, draws)
    for variable in generator.variables:
        if variable.name == "strength":
            variable.assign(0.0)
    found["images_no_noise"] = generator.synthesize(styles)
    for name, images in found.items():
        key = f"{section}/{name}"
        assert_golden("stylegan2", key, 2 * images - 1, golden[key], rtol=_TOLERANCE)


class _Draws:
    """Hands out given draws one after the other."""

    def __init__(self, normal=(), uniform=()):
        self._normal, self._uniform = iter(normal), iter(uniform)

    def normal(self, shape):
        draws = next(self._normal)
        assert draws.shape == tuple(shape)
        return draws

    def uniform(self, shape):
        return np.full(shape, next(self._uniform), np.float32)


@pytest.mark.parametrize(
    ("connections", "conditional"),
    [("resnet", True), *((connections, False) for connections in _NAMES)],
)
def test_logits_are_those_of_the_authors(assert_golden, connections, conditional):
    golden, suffix = stylegan2_numbers.golden(), "_cond" if conditional else ""
    section = f"discriminator_{_NAMES[connections]}{suffix}"
    x = golden["discriminator/in/x01"]
    y = golden[f"{section}/in/c"] if conditional else None
    discriminator = _discriminator(connections, y)
    assert discriminator.count_params() == golden[f"{section}/params"]
    # Two groups: theirs are the even and the odd images, ours the first and the last four.
    order = np.arange(8).reshape(4, 2).T.ravel()
    logits, features = discriminator((x[order], None if y is None else y[order]))
    key = f"{section}/logits"
    assert_golden("stylegan2", key, logits, golden[key][order], rtol=_TOLERANCE)
    assert features.shape == (8, 16)


@pytest.mark.parametrize(
    ("name", "mixing", "place"),
    (("no_mixing", 0.0, None), ("mixing_cutoff2", 0.9, 0.3), ("no_mixing", 0.9, None)),
)
def test_styles_are_those_of_the_authors(
    assert_golden, generator, monkeypatch, name, mixing, place
):
    """Mixed from layer 1 + floor(0.3 · 5) = 2 on, or not at all as 0.95 is above 0.9."""
    golden, seen = stylegan2_numbers.golden(), []
    monkeypatch.setattr(generator, "synthesize", lambda styles, _: seen.append(styles))
    monkeypatch.setattr(generator, "style_mixing", mixing)
    gate, place = (0.95, 0.5) if place is None else (0.85, place)
    draws = _Draws([golden["loss/in/z_mixing"]], [gate, place])
    generator.call((golden["loss/in/z"], None), training=True, draws=draws)
    [styles] = seen
    key = f"loss/{name}/ws"
    assert_golden("stylegan2", key, styles, golden[key], rtol=1e-5)


def test_truncated_styles_are_those_of_the_authors(assert_golden):
    """After the two training calls of the recorded mapping network."""
    golden, section = stylegan2_numbers.golden(), "mapping_uncond"
    for name, truncation, cutoff in (("w_psi0.7", 0.7, None), ("w_psi0.5_cutoff2", 0.5, 2)):
        generator = stylegan2.Generator(
            (8, 8, 3), ch=4, w_dim=6, mapping_layers=3, truncation_cutoff=cutoff
        )
        z = golden[f"{section}/in/z"]
        generator.styles(z)
        for variable in generator.mapping.trainable_variables:
            path = stylegan2_numbers.recorded_name(variable.path)
            variable.assign(stylegan2_numbers.weight(f"{section}/{path}", variable.shape))
        generator.styles(z, training=True)
        generator.styles(0.5 * z[::-1] + 0.3, training=True)
        styles = generator.styles(z, truncation=truncation)
        key = f"{section}/{name}"
        assert_golden("stylegan2", key, styles, golden[key], rtol=1e-5)
        np.testing.assert_array_equal(generator.styles(z)[:, 0], generator.mapping(z))


@pytest.fixture(scope="module")
def gan(generator):
    return ModularGAN(
        (16, 16, 3),
        None,
        z_dim=_Z_DIM,
        generator=generator,
        discriminator=_discriminator(section="loss_discriminator"),
        penalties=[R1(2.5)],
    )


def _check_norms(assert_golden, value, tape, variables, section):
    """Compares the norms of the gradients of all variables, each with its own scale."""
    gradients = tape.gradient(
        value, [v.value for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    norms = dict(
        zip(
            map(stylegan2_numbers.recorded_name, [v.path for v in variables]),
            gradients,
            strict=True,
        )
    )
    golden, key = stylegan2_numbers.golden(), f"{section}/grad_norms"
    names = [name.split("/", 2)[2] for name in golden[f"{section}/grad_names"]]
    found = [np.linalg.norm(norms[name if name in norms else f"mapping/{name}"]) for name in names]
    scales = np.maximum(golden[key], 1e-2 * golden[key].max())  # Sums that cancel are nearly zero.
    assert len(names) == len(norms)
    assert_golden("stylegan2", key, found / scales, golden[key] / scales, rtol=2e-5)


def test_losses_of_the_discriminator_are_those_of_the_authors(assert_golden, gan):
    """Real and generated images are compared apart, in one group each."""
    golden = stylegan2_numbers.golden()
    fakes = gan.generator.synthesize(golden["loss/no_mixing/ws"])
    batch = {"images": golden["loss/in/x01"], "z": golden["loss/in/z"], "seed": [0, 1]}
    batch = {name: tf.constant(value) for name, value in batch.items()}
    with tf.GradientTape(persistent=True) as tape:
        terms = gan.discriminator_loss(batch, fakes)
        penalty = 2.5 * terms.parts["r1"]
        adversarial = terms.parts["d_loss"]
    variables = gan.discriminator_variables
    for value, section in ((adversarial, "Dmain"), (penalty, "Dreg")):
        key = f"loss/no_mixing/{section}/loss_per_sample"
        assert_golden("stylegan2", key, value, golden[key].mean(), rtol=_TOLERANCE)
        _check_norms(assert_golden, value, tape, variables, f"loss/no_mixing/{section}")


def test_loss_of_the_generator_is_that_of_the_authors(assert_golden, gan):
    golden = stylegan2_numbers.golden()
    with tf.GradientTape() as tape:
        images = gan.generator((golden["loss/in/z"], None), training=True)
        logits, _ = gan.discriminator((images, None), training=True)
        loss = tf.reduce_mean(tf.nn.softplus(-logits))
    key = "loss/no_mixing/Gmain"
    assert_golden("stylegan2", key, logits, golden[f"{key}/logits"], rtol=1e-5)
    _check_norms(assert_golden, loss, tape, gan.generator_variables, key)


# Size of the images and options, of both networks and of each.
_PRESETS = {
    "cifar_32": (32, {}, {"mapping_layers": 2}, {"connections": "plain"}),
    "auto_256": (256, {"full_width_size": 32}, {"mapping_layers": 2}, {}),
    "stylegan2_1024": (1024, {}, {}, {}),
}


@pytest.mark.parametrize(
    ("preset", "classes"),
    [
        # The others differ only in the number of sizes and of classes.
        pytest.param(
            preset, classes, marks=[] if (preset, classes) == ("cifar_32", 10) else pytest.mark.slow
        )
        for preset in _PRESETS
        for classes in (0, 10)
    ],
)
def test_sizes_are_those_of_the_published_networks(preset, classes):
    size, common, own_g, own_d = _PRESETS[preset]
    y_shape = (1, classes) if classes else None
    with tf.Graph().as_default():  # Only shapes: nothing is computed.
        generator = stylegan2.Generator((size, size, 3), **common, **own_g)
        generator.build(((1, 512), y_shape))
        discriminator = stylegan2.Discriminator((size, size, 3), **common, **own_d)
        discriminator.build(((1, size, size, 3), y_shape))
    labels = f"{classes}classes" if classes else "uncond"
    expected = stylegan2_numbers.golden()[f"preset/{preset}_{labels}/params_g_d"]
    assert [_trainable_size(generator), _trainable_size(discriminator)] == list(expected)


def test_images_without_bounds_are_those_of_training(generator):
    z = 3 * np.ones((2, _Z_DIM), np.float32)
    free = np.array(generator((z, None)))
    assert free.min() < 0 and free.max() > 1
    np.testing.assert_array_equal(generator((z, None), training=True), free)


def test_only_training_with_draws_has_new_noise(generator):
    z = np.ones((2, _Z_DIM), np.float32)
    images = np.array(generator((z, None), training=True))
    np.testing.assert_array_equal(images[0], images[1])
    drawn = np.array(generator((z, None), training=True, draws=Noise([0, 1])))
    assert np.abs(drawn[0] - drawn[1]).max() > 0.1
    again = generator((z, None), training=True, draws=Noise([0, 1]))
    np.testing.assert_array_equal(again, drawn)
    sampled = generator((z, None), draws=Noise([0, 1]))
    np.testing.assert_array_equal(sampled, images)


def test_half_precision_computes_styles_in_full():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = stylegan2.Generator((8, 8, 1), ch=2)
    finally:
        keras.config.set_dtype_policy("float32")
    z = np.ones((2, 4), np.float32)
    assert generator.styles(z).dtype == "float32"
    assert generator((z, None)).dtype == "bfloat16"


def test_the_discriminator_compares_the_images_of_a_half(gan):
    discriminator = gan.discriminator
    assert needs_halves_apart(discriminator) and not mixes_examples(discriminator)


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (
            lambda: stylegan2.Generator((28, 28, 1)),
            r"8x8, 16x16, .*, received 28x28; .*dataset\.pad_to = 32",
        ),
        (lambda: stylegan2.Generator((128, 128, 3), ch=3), r"\.ch must be a multiple of 2"),
        (
            lambda: stylegan2.Discriminator((8, 8, 3), connections="resnets"),
            r"stylegan2\.Discriminator\.connections 'resnets'.* mean 'resnet'",
        ),
        (
            lambda: stylegan2.Generator((8, 8, 3), style_mixing=1.5),
            r"stylegan2\.Generator\.style_mixing must be .* received 1\.5",
        ),
        (
            lambda: stylegan2.Generator((8, 8, 3), truncation_cutoff=-1),
            r"truncation_cutoff must be at least 0, received -1",
        ),
    ),
)
def test_mistakes(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
