"""The path length penalty against the authors' program and closed forms."""

import keras
import numpy as np
import pytest
import stylegan2_numbers
import tensorflow as tf

from compare_gan.architectures import stylegan2
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.penalties import PathLength


@pytest.fixture(name="generator", scope="module")
def _generator():
    generator = stylegan2.Generator(
        (16, 16, 3), ch=16, full_width_size=8, w_dim=6, mapping_layers=2
    )
    generator(((np.zeros((2, 8), np.float32)), None))
    stylegan2_numbers.load(generator, mapping="pl_mapping", synthesis="synthesis_skip")
    return generator


def test_three_evaluations_are_those_of_the_authors(assert_golden, generator):
    """Theirs use the first half of each batch, ours every second latent."""
    golden, penalty = stylegan2_numbers.golden(), PathLength()
    penalty.prepare()

    def evaluate(latents, noise):
        return penalty.weight * penalty.generator_term(
            generator.styles,
            lambda styles, _: generator.synthesize(styles),
            latents[[0, 2, 1, 3]],
            None,
            lambda _: noise,
        )

    for step, latents in enumerate(golden["path_length/in/z"]):
        with tf.GradientTape() as tape:
            term = evaluate(latents, golden[f"path_length/in/noise{step}"])
        key = f"path_length/loss_step{step}"
        # A square of differences of gradients, in float32.
        assert_golden("stylegan2", key, term, golden[key], rtol=5e-5)
        # Lengths on images in [0, 1] are half of those in [-1, 1].
        average = golden["path_length/pl_mean"][step + 1] / 2
        np.testing.assert_allclose(penalty.average, average, rtol=1e-5)
    variables = generator.trainable_variables
    gradients = tape.gradient(
        term, [v.value for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    norms = {
        stylegan2_numbers.recorded_name(v.path).removeprefix("mapping/"): np.linalg.norm(g)
        for v, g in zip(variables, gradients, strict=True)
    }
    names = [name.split("/", 2)[2] for name in golden["path_length/grad_names_step2"]]
    key = "path_length/grad_norms_step2"
    # Noise strengths have single gradients that are nearly zero: sums that cancel.
    scales = np.maximum(golden[key], 1e-2 * golden[key].max())
    found = np.array([norms[name] for name in names])
    assert_golden("stylegan2", key, found / scales, golden[key] / scales, rtol=2e-4)


def test_without_styles_it_is_the_length_at_the_latents(dummy_generator):
    """Of G(z) = 0.5 · z as an image of n pixels: 0.5 · ‖noise‖ / √n."""
    gan, noise = dummy_generator
    penalty = PathLength(decay=0.5, batch_shrink=1)
    penalty.prepare()
    z = np.random.RandomState(0).normal(size=(2, 4)).astype(np.float32)
    batch = {"images": tf.zeros((2, 2, 2, 1)), "z": tf.constant(z), "seed": tf.constant([0, 1])}
    available = gan._view(batch, 0).available()
    term = penalty.generator_term(
        available["styles"], available["synthesize"], batch["z"], None, lambda _: noise
    )
    lengths = 0.5 * np.linalg.norm(noise.reshape(2, 4), axis=1) / 2
    average = 0.5 * lengths.mean()
    np.testing.assert_allclose(term, np.square(lengths - average).mean(), rtol=1e-5)
    np.testing.assert_allclose(penalty.average, average, rtol=1e-6)


def test_its_gradient_is_finite_where_an_image_does_not_depend_on_its_latent():
    """Where the root of a squared length of 0 would have none."""
    penalty, scale = PathLength(batch_shrink=1), tf.Variable([0.5, 0.0])
    penalty.prepare()
    with tf.GradientTape() as tape:
        term = penalty.generator_term(
            lambda z, _: z,
            lambda z, _: tf.reshape(scale[:, None] * z, [2, 1, 1, 1]),
            tf.constant([[1.0], [2.0]]),
            None,
            tf.ones,
        )
    # Lengths of 0.5 and 0, their average after one step 0.01 · 0.25.
    average = 0.0025
    np.testing.assert_allclose(term, ((0.5 - average) ** 2 + average**2) / 2, rtol=1e-6)
    slope = (0.5 - average) * (1 - 0.005) + average * 0.005
    np.testing.assert_allclose(tape.gradient(term, scale), [slope, 0.0], rtol=1e-5, atol=1e-7)


@pytest.fixture(name="dummy_generator")
def _dummy_generator():
    """A GAN with a generator that halves its latent, and the noise for two examples."""
    z, x = keras.Input((4,)), keras.Input((2, 2, 1))
    image = keras.layers.Reshape((2, 2, 1))(keras.layers.Rescaling(0.5, name="scale")(z))
    features = keras.layers.Flatten(name="flat")(x)
    y = [keras.Input((3,), optional=True) for _ in range(2)]
    logits = keras.layers.Dense(1, name="logits")(features)
    gan = ModularGAN(
        (2, 2, 1),
        None,
        z_dim=4,
        generator=keras.Model((z, y[0]), image),
        discriminator=keras.Model((x, y[1]), (logits, features)),
    )
    return gan, np.random.RandomState(1).normal(size=(2, 2, 2, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"decay": 1}, r"path_length\.decay must be at least 0 and below 1, received 1"),
        ({"batch_shrink": 0}, r"path_length\.batch_shrink must be a positive integer, received 0"),
    ),
)
def test_values_out_of_range_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        PathLength(**options)
