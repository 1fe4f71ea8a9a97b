"""What the ResNet families can do beyond the golden data: embeddings, attention, projection."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan import config
from compare_gan.architectures import (
    resnet5,
    resnet30,
    resnet_biggan,
    resnet_biggan_deep,
    resnet_cifar,
    resnet_stl,
)
from compare_gan.layers import ConditionalBatchNorm, NonLocalBlock, SelfModulatedBatchNorm

RANDOM = np.random.RandomState(0)
Z = RANDOM.uniform(-1, 1, (3, 16)).astype(np.float32)
X = RANDOM.uniform(size=(3, 32, 32, 3)).astype(np.float32)
Y = np.eye(10, dtype=np.float32)[[2, 7, 2]]
SMALL = {resnet_cifar: 8, resnet_biggan: 4}
MODULES = pytest.mark.parametrize("module", SMALL, ids=["cifar", "biggan"])
ALL = {
    **{module: ((32, 32, 3), {"ch": ch}) for module, ch in SMALL.items()},
    resnet5: ((32, 32, 3), {"ch": 4}),
    resnet30: ((128, 128, 3), {"ch": 4, "blocks_per_size": 1}),
    resnet_stl: ((48, 48, 3), {"ch": 2}),
    resnet_biggan_deep: ((32, 32, 3), {"ch": 8}),
}


def _parameters(*quick):
    return [
        pytest.param(
            module,
            marks=[] if module in quick else [pytest.mark.slow],
            id=module.__name__.rsplit("_", 1)[-1].rsplit(".", 1)[-1],
        )
        for module in ALL
    ]


EVERY_MODULE = pytest.mark.parametrize("module", _parameters(*ALL))
# Two families without a common block, and BigGAN-deep where only its discriminator is built.
QUICK_MODULES = pytest.mark.parametrize("module", _parameters(*SMALL))
QUICK_DISCRIMINATORS = pytest.mark.parametrize("module", _parameters(*SMALL, resnet_biggan_deep))


def _weights(network):
    return {v.path.split("/", 1)[1]: v for v in network.variables}


def _randomize(network):
    """Sets weights, always the same, so large that everything matters, including attention."""
    for i, v in enumerate(network.trainable_variables):
        v.assign((v.name == "gamma") + 0.1 * np.random.RandomState(i).normal(size=v.shape))


def _copy(source, target):
    source = _weights(source)
    for path, variable in _weights(target).items():
        variable.assign(source[path])


@MODULES
def test_embeddings_are_linear_maps_of_the_inputs(module):
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
def test_spectral_normalization_of_embeddings_is_that_of_2019(module):
    """In resnet_cifar both embeddings are normalized, in BigGAN neither."""
    options = {"ch": SMALL[module], "batch_norm_fn": ConditionalBatchNorm, "embed_z": True}
    generator = module.Generator((32, 32, 3), embed_y=True, spectral_norm=True, **options)
    generator((Z, Y))
    vectors = {n: v for n, v in _weights(generator).items() if n.startswith("embed_")}
    shapes = {n: tuple(v.shape) for n, v in vectors.items() if n.endswith("u_var")}
    if module is not resnet_cifar:
        assert not shapes
        return
    assert shapes == {"embed_z/u_var": (16, 1), "embed_y/u_var": (10, 1)}
    for embedding, inputs in ((generator.z_embedding, Z), (generator.y_embedding, Y)):
        kernel = embedding.kernel.numpy()
        for _ in range(50):
            outputs = np.array(embedding(inputs, training=True))
        largest = np.linalg.svd(kernel, compute_uv=False)[0]
        expected = inputs @ kernel / largest + embedding.bias.numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_embeddings_of_earlier_checkpoints_are_not_normalized():
    """Without `u_var`, which those checkpoints lack."""
    config.parse([], ["resnet_cifar.Generator.normalize_embeddings = False"])
    options = {"ch": 2, "batch_norm_fn": ConditionalBatchNorm, "embed_z": True, "embed_y": True}
    generator = resnet_cifar.Generator((32, 32, 3), spectral_norm=True, **options)
    generator((Z, Y))
    assert {n for n in _weights(generator) if n.startswith("embed_")} == {
        "embed_z/kernel", "embed_z/bias", "embed_y/kernel", "embed_y/bias",
    }  # fmt: skip
    assert generator.get_config()["normalize_embeddings"] is False
    inputs = Z @ generator.z_embedding.kernel.numpy() + generator.z_embedding.bias.numpy()
    np.testing.assert_allclose(generator.z_embedding(Z, training=True), inputs, atol=1e-5)


@MODULES
def test_hierarchical_z_gives_each_block_its_part(module):
    """The first quarter determines the seed; each of the others modulates one block."""
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


@QUICK_DISCRIMINATORS
def test_projection_adds_an_inner_product(module):
    shape, small = ALL[module]
    x = RANDOM.uniform(size=(3, *shape)).astype(np.float32)
    discriminator = module.Discriminator(shape, project_y=True, **small)
    discriminator((x, Y))
    _randomize(discriminator)
    logits, features = discriminator((x, Y))
    unlabelled, same = discriminator((x, np.zeros_like(Y)))
    np.testing.assert_array_equal(features, same)
    expected = np.sum(np.array(features) * (Y @ discriminator.embedding.kernel.numpy()), axis=1)
    actual = np.array(logits - unlabelled)[:, 0]
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(np.array(logits)).max())
    assert np.abs(expected).min() > 1e-4


@EVERY_MODULE
def test_projection_starts_as_in_2019(module):
    """BigGAN's from Glorot's normal; those of the other families like all kernels."""
    keras.utils.set_random_seed(0)
    shape, small = ALL[module]
    embedding = module.Discriminator(shape, project_y=True, **small).embedding
    embedding.build((None, 1000))
    if module in (resnet_biggan, resnet_biggan_deep):
        initializer = keras.initializers.GlorotNormal
        stddev = np.sqrt(2 / (1000 + embedding.units))  # 0.04
    else:
        initializer, stddev = keras.initializers.RandomNormal, 0.02
    assert isinstance(embedding.kernel_initializer, initializer)
    # At least 8,000 draws: five times the standard error of the deviation, which is 0.8 %.
    assert np.std(embedding.kernel) == pytest.approx(stddev, rel=0.04)


@QUICK_MODULES
def test_zeros_and_nearest_differ(module):
    shape, small = ALL[module]
    outputs = []
    for upsample in ("zeros", "nearest"):
        generator = module.Generator(shape, upsample=upsample, **small)
        generator((Z, None))
        _randomize(generator)
        outputs.append(np.array(generator((Z, None))))
    assert outputs[0].std() > 1e-3
    assert np.abs(np.subtract(*outputs)).max() > 1e-3


@pytest.mark.parametrize("blocks", ["B1, B3", ["B1", "B3"]])
def test_attention_follows_the_named_blocks(blocks):
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


# The reference numbers cover BigGAN-deep's other sizes.
@pytest.mark.parametrize(
    ("module", "size"),
    [
        pytest.param(resnet_biggan, 64, id="biggan64", marks=pytest.mark.slow),
        pytest.param(resnet_biggan, 512, id="biggan512"),
        pytest.param(resnet_biggan_deep, 256, id="deep256", marks=pytest.mark.slow),
    ],
)
def test_larger_sizes(module, size):
    ch = 1 if module is resnet_biggan else 4
    with tf.Graph().as_default():  # Only shapes: nothing is computed.
        generator = module.Generator((size, size, 3), ch=ch)
        discriminator = module.Discriminator((size, size, 3), ch=ch)
        z_dim = 2 * (len(generator.blocks) + 1)
        y = tf.zeros((2, 10))
        images = generator((tf.zeros((2, z_dim)), y))
        assert images.shape == (2, size, size, 3)
        logits, features = discriminator((images, y))
        assert logits.shape == (2, 1) and features.shape == (2, 16 * ch)
    if module is resnet_biggan_deep:
        assert [*generator.attention, *discriminator.attention] == ["B8", "B4"]


def test_identity_skip_of_biggan():
    """If its second convolution is zero, a block computes only its shortcut."""
    features = []
    for identity_skip in (False, True):
        discriminator = resnet_biggan.Discriminator((32, 32, 3), ch=4, identity_skip=identity_skip)
        discriminator((X, Y))
        _randomize(discriminator)
        for weight in discriminator.blocks[-1].conv2.trainable_weights:
            weight.assign(np.zeros(weight.shape))
        features.append(np.array(discriminator((X, Y))[1]))
    assert not features[0].any()
    assert features[1].any()


class TestDeep:
    def test_seed_and_blocks_see_z_and_the_embedded_label(self):
        generator = resnet_biggan_deep.Generator(
            (32, 32, 3), ch=8, embed_y_dim=5, batch_norm_fn=ConditionalBatchNorm
        )
        generator((Z, Y))
        assert generator.fc.kernel.shape[0] == Z.shape[1] + 5
        condition = generator.blocks[0].stages[0].norm.condition
        assert condition.gamma.kernel.shape[0] == Z.shape[1] + 5
        seen = generator.embed(Z, Y)
        expected = np.concatenate([Z, Y @ generator.y_embedding.kernel.numpy()], axis=1)
        for value in seen:
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)

    def test_labels_unembedded_and_absent(self):
        for embed_y, y, width in ((False, Y, 26), (True, None, 16)):
            generator = resnet_biggan_deep.Generator((32, 32, 3), ch=4, embed_y=embed_y)
            generator((Z, y))
            assert generator.fc.kernel.shape[0] == width

    def test_fast_conv_to_rgb_takes_the_first_filters(self):
        plain, fast = (
            resnet_biggan_deep.Generator((32, 32, 3), ch=4, experimental_fast_conv_to_rgb=fast)
            for fast in (False, True)
        )
        fast((Z, Y))
        _randomize(fast)
        assert fast.final_conv.kernel.shape == (3, 3, 16, 128)
        plain((Z, Y))
        source = _weights(fast)
        for path, variable in _weights(plain).items():
            variable.assign(source[path][..., : variable.shape[-1]] if variable.shape else 0)
        np.testing.assert_allclose(fast((Z, Y)), plain((Z, Y)), atol=1e-6)

    def test_blocks_with_attention_is_reported_to_have_no_effect(self, caplog):
        resnet_biggan_deep.Discriminator((32, 32, 3), ch=4, blocks_with_attention="B1")
        assert not caplog.text
        resnet_biggan_deep.Discriminator((32, 32, 3), ch=4, blocks_with_attention="B2")
        assert "blocks_with_attention has no effect" in caplog.text


@pytest.mark.parametrize("module", [resnet_biggan, resnet_biggan_deep], ids=["biggan", "deep"])
def test_final_norm_can_be_conditional_or_none(module):
    for fn, names in ((ConditionalBatchNorm, ["condition"]), (None, [])):
        generator = module.Generator((32, 32, 3), ch=4, final_norm_fn=fn)
        generator((Z, Y))
        paths = [v.path.split("/") for v in generator.trainable_variables]
        assert {p[2] for p in paths if p[1] == "final_norm"} == set(names)
