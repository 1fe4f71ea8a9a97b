"""Directions of a generator's first layers, against singular vectors of their kernels."""

import dataclasses

import gin
import keras
import numpy as np
import pytest
from PIL import Image

from compare_gan import registry
from compare_gan.architectures import stylegan2
from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import UserError
from compare_gan.sampling import Sampler, direction_images, find_directions, write_directions

pytestmark = pytest.mark.usefixtures("eagerly")


def test_directions_are_singular_vectors_of_the_kernel(sampler):
    """At 1e-3: differences of outputs in float32."""
    directions = find_directions(sampler, 3)
    u, strengths, _ = np.linalg.svd(sampler.network.dense.kernel.numpy()[:4])  # Without labels.
    np.testing.assert_allclose(directions.strengths, strengths[:3], rtol=1e-3)
    np.testing.assert_allclose(np.abs(directions.vectors @ u[:, :3]), np.eye(3), atol=1e-3)
    assert np.all(directions.vectors.max(axis=1) == np.abs(directions.vectors).max(axis=1))
    assert directions.layers == [sampler.network.dense.path]


def test_parts_of_the_latent_and_embeddings_are_found():
    """BigGAN's blocks have parts of an embedded latent: A is embedding times all their kernels."""
    registry.load("architecture")
    gin.parse_config("""
        G.batch_norm_fn = @conditional_batch_norm
        resnet_biggan.Generator.ch = 1
        resnet_biggan.Generator.embed_z = True
        resnet_biggan.Generator.hierarchical_z = True
        weights.initializer = "normal"
        weights.stddev = 0.5
    """)
    network = registry.get("architecture", "resnet_biggan_arch").Generator(image_shape=(32, 32, 1))
    sampler = Sampler(network, 8, (32, 32, 1), num_classes=2)
    network((np.zeros([1, 8], np.float32), np.zeros([1, 2], np.float32)))
    variables = {each.path.split("/", 1)[1]: each.numpy() for each in network.variables}
    embedding = variables["embed_z/kernel"]
    expected = embedding[:, :2] @ variables["fc_noise/kernel"]
    product = expected @ expected.T
    modulations = [
        name for name in variables if name.endswith(("gamma/kernel", "beta/kernel")) and "B" in name
    ]
    for name in modulations:
        part = int(name[1]) * 2
        map_ = embedding[:, part : part + 2] @ variables[name][:2]
        product += map_ @ map_.T
    directions = find_directions(sampler)
    assert len(directions.layers) == 1 + len(modulations)
    np.testing.assert_allclose(
        directions.vectors.T @ np.diag(directions.strengths**2) @ directions.vectors,
        product,
        rtol=1e-3,
        atol=1e-3 * np.abs(product).max(),
    )


def test_a_sample_moves_to_both_sides(sampler, tmp_path):
    sampler = dataclasses.replace(sampler, distribution=LatentDistribution(normal, stddev=2.0))
    directions = find_directions(sampler, 2)
    images = direction_images(
        sampler, directions, number=4, seed=1, columns=3, extent=1.5, classes=["middle"]
    )
    z = sampler.draw_z(5, 1)[4] + 3.0 * np.array([-1, 0, 1])[:, None] * directions.vectors[1]
    np.testing.assert_array_equal(images[1], sampler.generate(z, np.array([1, 1, 1])))
    path, _ = write_directions(sampler, str(tmp_path / "directions.png"), count=2, columns=3)
    assert Image.open(path).size[0] > 3 * 8


def test_only_layers_of_the_network_are_recorded():
    other, original = keras.layers.Dense(3), keras.layers.Layer.__call__

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(4)

        def call(self, inputs, training=None):
            assert keras.layers.Layer.__call__ is original
            other(inputs[0])
            return self.dense(inputs[0])[:, :, None, None]

    network = Network()
    assert find_directions(Sampler(network, 4, (4, 1, 1))).layers == [network.dense.path]
    assert "call" not in vars(network.dense)


def test_a_mapping_network_is_reported(sampler):
    class Mapped(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(4)

        def call(self, inputs, training=None):
            z = inputs[0]
            return self.dense(z / keras.ops.norm(1 + z, axis=1, keepdims=True))[:, :, None, None]

    with pytest.raises(UserError, match="No dense layer of this generator is affine"):
        find_directions(Sampler(Mapped(), 4, (4, 1, 1)))
    with pytest.raises(UserError, match="No dense layer of this generator is affine"):
        find_directions(Sampler(lambda inputs, training: inputs[0][:, :, None, None], 4, (4, 1, 1)))


@pytest.fixture(name="styled", scope="module")
def _styled():
    keras.utils.set_random_seed(0)
    network = stylegan2.Generator((8, 8, 1), ch=4, w_dim=6, mapping_layers=2)
    network.build(((1, 4), (1, 3)))
    network.mapping.average.assign(np.linspace(-1, 1, 6))
    return Sampler(network, z_dim=4, image_shape=(8, 8, 1), num_classes=3)


def test_directions_of_styles_are_those_of_all_modulations(styled):
    """A: the maps of the layers from w to scales, one beside the other."""
    layers = [each for each in styled.network.synthesis._flatten_layers() if each.name == "affine"]
    assert len(layers) == 5  # Those of three convolutions and of two to images.
    zero, identity = np.zeros([1, 6], np.float32), np.eye(6, dtype=np.float32)
    maps = [np.array(each(identity)) - np.array(each(zero)) for each in layers]
    u, strengths, _ = np.linalg.svd(np.concatenate(maps, axis=1))
    directions = find_directions(styled, 2)
    assert directions.space == "w"
    assert sorted(directions.layers) == sorted(each.path for each in layers)
    np.testing.assert_allclose(directions.strengths, strengths[:2], rtol=1e-3)
    np.testing.assert_allclose(np.abs(directions.vectors @ u[:, :2]), np.eye(2), atol=1e-3)


def test_styles_move_together_by_their_spread(styled, tmp_path):
    truncated = dataclasses.replace(styled, truncation=0.5)
    directions = find_directions(truncated, 2)
    images = direction_images(
        truncated, directions, number=2, seed=1, columns=3, extent=2.0, classes=[1]
    )
    network, y = styled.network, np.eye(3, dtype=np.float32)[[1]]
    start = np.array(network.styles(styled.draw_z(3, 1)[2:], y, truncation=0.5))
    w = np.array(network.mapping(styled.draw_z(4000, 9), np.repeat(y, 4000, axis=0)))
    # Another sample of w: its spread is that of `direction_images` to a few percent.
    spread = 0.5 * (w @ directions.vectors[0]).std()
    moved = start + 2.0 * spread * np.array([-1, 0, 1])[:, None, None] * directions.vectors[0]
    expected = 255 * np.clip(np.array(network.synthesize(moved.astype(np.float32))), 0, 1)
    np.testing.assert_allclose(images[0, 1], expected[1], atol=1)
    np.testing.assert_allclose(images[0], expected, atol=4)
    assert np.abs(expected[0] - expected[2]).max() > 40
    path, found = write_directions(styled, str(tmp_path / "styles.png"), count=2, columns=3)
    assert found.space == "w" and Image.open(path).size[0] > 3 * 8
