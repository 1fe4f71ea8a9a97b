"""What the ResNet families can do beyond the golden data: embeddings, attention, projection."""

import keras
import numpy as np
import pytest
from keras import ops

from compare_gan.architectures import resnet_biggan, resnet_cifar
from compare_gan.layers import ConditionalBatchNorm, NonLocalBlock, SelfModulatedBatchNorm

RANDOM = np.random.RandomState(0)
Z = RANDOM.uniform(-1, 1, (3, 16)).astype(np.float32)
X = RANDOM.uniform(size=(3, 32, 32, 3)).astype(np.float32)
Y = np.eye(10, dtype=np.float32)[[2, 7, 2]]
SMALL = {resnet_cifar: 8, resnet_biggan: 4}
MODULES = pytest.mark.parametrize("module", SMALL, ids=["cifar", "biggan"])


def _weights(network):
    return {v.path.split("/", 1)[1]: v for v in network.variables}


def _randomize(network):
    """Weights large enough that everything matters, attention's sigma included; always the same."""
    for i, v in enumerate(network.trainable_variables):
        v.assign((v.name == "gamma") + 0.1 * np.random.RandomState(i).normal(size=v.shape))


def _copy(source, target):
    source = _weights(source)
    for path, variable in _weights(target).items():
        variable.assign(source[path])


@MODULES
def test_embeddings_are_linear_maps_before_all_else(module):
    options = {"ch": SMALL[module], "batch_norm_fn": ConditionalBatchNorm, "hierarchical_z": True}
    embedding = module.Generator((32, 32, 3), embed_z=True, embed_y=True, **options)
    plain = module.Generator((32, 32, 3), embed_z=False, embed_y=False, **options)
    embedding((Z, Y))
    _randomize(embedding)
    weights = {path: v.numpy() for path, v in _weights(embedding).items()}
    z = Z @ weights["embed_z/kernel"] + weights.get("embed_z/bias", 0)
    y = Y @ weights["embed_y/kernel"] + weights.get("embed_y/bias", 0)
    assert y.shape[1] == (16 if module is resnet_cifar else 128)
    plain((z, y))
    _copy(embedding, plain)
    np.testing.assert_allclose(embedding((Z, Y)), plain((z, y)), atol=1e-5)


@MODULES
def test_hierarchical_z_gives_each_block_its_part(module):
    """The first quarter makes the seed, each other one modulates one block."""
    generator = module.Generator(
        (32, 32, 3), ch=SMALL[module], batch_norm_fn=SelfModulatedBatchNorm, hierarchical_z=True
    )
    seen = {}
    for block in generator.blocks:
        call = block.call
        block.call = lambda x, z=None, y=None, training=None, n=block.name, c=call: (
            seen.update({n: z}),
            c(x, z=z, y=y, training=training),
        )[1]
    generator((Z, None))
    for i, block in enumerate(generator.blocks):
        np.testing.assert_array_equal(seen[block.name], Z[:, 4 * (i + 1) : 4 * (i + 2)])
    assert generator.fc.kernel.shape[0] == 4


@MODULES
def test_projection_adds_an_inner_product(module):
    discriminator = module.Discriminator((32, 32, 3), ch=SMALL[module], project_y=True)
    discriminator((X, Y))
    _randomize(discriminator)
    logits, features = discriminator((X, Y))
    unlabelled, same = discriminator((X, np.zeros_like(Y)))
    np.testing.assert_array_equal(features, same)
    expected = np.sum(np.array(features) * (Y @ discriminator.embedding.kernel.numpy()), axis=1)
    actual = np.array(logits - unlabelled)[:, 0]
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(np.array(logits)).max())
    assert np.abs(expected).min() > 1e-3


@MODULES
@pytest.mark.parametrize("upsample", ["zeros", "nearest"])
def test_resampling_folded_equals_plain(module, upsample):
    outputs = []
    for resample in ("folded", "plain"):
        generator = module.Generator(
            (32, 32, 3), ch=SMALL[module], upsample=upsample, resample=resample
        )
        generator((Z, None))
        _randomize(generator)
        outputs.append(np.array(generator((Z, None))))
    np.testing.assert_allclose(*outputs, atol=1e-5)
    assert outputs[0].std() > 1e-3


def test_upsample_makes_a_difference():
    outputs = []
    for upsample in ("zeros", "nearest"):
        generator = resnet_cifar.Generator((32, 32, 3), ch=8, upsample=upsample)
        generator((Z, None))
        _randomize(generator)
        outputs.append(np.array(generator((Z, None))))
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-2


@pytest.mark.parametrize("blocks", ["B1, B3", ["B1", "B3"]])
def test_attention_comes_after_the_blocks_named(blocks):
    discriminator = resnet_biggan.Discriminator((32, 32, 3), ch=4, blocks_with_attention=blocks)
    discriminator((X, Y))
    _randomize(discriminator)
    expected = X
    for block in discriminator.blocks:
        expected = block(expected)
        if block.name in ("B1", "B3"):
            expected = discriminator.attention[block.name](expected)
    _, features = discriminator((X, Y))
    np.testing.assert_array_equal(features, ops.sum(ops.relu(expected), axis=(1, 2)))
    paths = [v.path for v in discriminator.variables]
    assert len(paths) == len(set(paths))
    assert sum(isinstance(layer, NonLocalBlock) for layer in discriminator._flatten_layers()) == 2


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_larger_sizes(size):
    generator = resnet_biggan.Generator((size, size, 3), ch=1)
    discriminator = resnet_biggan.Discriminator((size, size, 3), ch=1)
    z_dim = 2 * (len(generator.blocks) + 1)
    y = keras.KerasTensor((2, 10))
    images = generator((keras.KerasTensor((2, z_dim)), y))
    assert images.shape == (2, size, size, 3)
    logits, features = discriminator((images, y))
    assert logits.shape == (2, 1) and features.shape == (2, 16)


def test_final_norm_can_be_conditional_or_none():
    for fn, names in ((ConditionalBatchNorm, ["condition"]), (None, [])):
        generator = resnet_biggan.Generator((32, 32, 3), ch=4, final_norm_fn=fn)
        generator((Z, Y))
        paths = [v.path.split("/") for v in generator.trainable_variables]
        assert {p[2] for p in paths if p[1] == "final_norm"} == set(names)
