"""The contract that every family keeps."""

import contextlib
import json

import gin
import keras
import numpy as np
import pytest
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.layers import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm

# What makes them small.
FAMILIES = {
    "dcgan": {"ch": 2},
    "infogan": {"ch": 4},
    "sndcgan": {"ch": 2},
    "resnet5": {"ch": 4},
    "resnet30": {"ch": 4, "blocks_per_size": 1},
    "resnet_cifar": {"ch": 8},
    "resnet_stl": {"ch": 2},
    "resnet_biggan": {"ch": 4},
    "resnet_biggan_deep": {"ch": 8},
    "dummy": {},
}
SIZES = {"resnet30": 128, "resnet_stl": 48}  # 32 pixels for the others.


@pytest.fixture(autouse=True)
def _equal_weights_each_time():
    keras.utils.set_random_seed(0)


def _shape(family, channels=3):
    size = SIZES.get(family, 32)
    return size, size, channels


def _pair(family, image_shape=None, generator=(), discriminator=()):
    module = registry.get("architecture", f"{family}_arch")
    image_shape, small = image_shape or _shape(family), FAMILIES[family]
    return (
        module.Generator(image_shape, **small, **dict(generator)),
        module.Discriminator(image_shape, **small, **dict(discriminator)),
    )


def _inputs(image_shape, batch=3, seed=0):
    random = np.random.RandomState(seed)
    z = random.uniform(-1, 1, (batch, 16)).astype(np.float32)
    x = random.uniform(size=(batch, *image_shape)).astype(np.float32)
    y = np.eye(10, dtype=np.float32)[random.randint(10, size=batch)]
    return z, x, y


def test_families_are_registered():
    names = registry.names("architecture")
    assert {f"{family}_arch" for family in FAMILIES} <= set(names)
    for component in registry.components("architecture"):
        assert component.summary
        assert component.paper or component.name == "dummy_arch"


@pytest.mark.parametrize(
    ("channels", "with_y"), [(1, False), (3, True)], ids=["gray", "colour_and_labels"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_and_range(family, with_y, channels):
    shape = _shape(family, channels)
    generator, discriminator = _pair(family, shape, {"batch_norm_fn": BatchNorm})
    z, x, y = _inputs(shape)
    y = y if with_y else None
    images = ops.convert_to_numpy(generator((z, y), training=True))
    assert images.shape == x.shape
    assert 0 <= images.min() < images.max() <= 1
    logits, features = discriminator((x, y), training=True)
    assert logits.shape == (3, 1)
    assert len(features.shape) == 2 and features.shape[0] == 3


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3)], ids=str)
@pytest.mark.parametrize("family", ["dcgan", "sndcgan", "infogan"])
def test_any_size(family, shape):
    generator, discriminator = _pair(family, shape)
    z, x, _ = _inputs(shape)
    assert generator((z, None)).shape == x.shape
    assert discriminator((x, None))[0].shape == (3, 1)


@pytest.mark.parametrize(
    ("family", "norm"),
    [(family, ConditionalBatchNorm) for family in FAMILIES]
    + [("dcgan", BatchNorm), ("dcgan", SelfModulatedBatchNorm)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_saved_and_loaded_whatever_gin_says_by_then(family, norm, tmp_path):
    gin.parse_config(
        """
        standardize_batch.epsilon = 0.01
        standardize_batch.use_moving_averages = False
        conditional_batch_norm.centered = False
        self_modulated_batch_norm.num_hidden = 5
        spectral_norm.singular_value = 'auto'
        D.spectral_norm = True
        """
    )
    generator, discriminator = _pair(family, generator={"batch_norm_fn": norm})
    z, x, y = _inputs(_shape(family))
    for network, inputs in ((generator, (z, y)), (discriminator, (x, y))):
        network(inputs, training=True)  # Moves statistics and singular vectors.
        expected = network(inputs, training=False)
        network.save(tmp_path / "network.keras")
        bindings = gin.config_str()
        gin.clear_config()
        loaded = keras.models.load_model(tmp_path / "network.keras")
        gin.parse_config(bindings)
        assert [v.path for v in loaded.variables] == [v.path for v in network.variables]
        for a, b in zip(_leaves(loaded(inputs, training=False)), _leaves(expected), strict=True):
            np.testing.assert_array_equal(a, b)


def _leaves(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("family", FAMILIES)
def test_config_is_json_and_complete(family):
    gin.parse_config("G.batch_norm_fn = @conditional_batch_norm\nstandardize_batch.decay = 0.7")
    for network in _pair(family):
        config = json.loads(json.dumps(network.get_config()))
        gin.clear_config()
        clone = type(network).from_config(config)
        assert json.loads(json.dumps(clone.get_config())) == config
    assert config["name"] == "discriminator"


def test_config_of_a_scoped_reference():
    """`@a/batch_norm` is a wrapper of gin's, not the class that Keras knows."""
    gin.parse_config(
        "G.batch_norm_fn = @a/conditional_batch_norm\na/conditional_batch_norm.use_bias = True"
    )
    generator, _ = _pair("resnet_biggan")
    config = json.loads(json.dumps(generator.get_config()))
    gin.clear_config()
    clone = type(generator).from_config(config)
    z, _, y = _inputs(_shape("resnet_biggan"))
    clone((z, y))
    assert any(v.path.endswith("B1/bn1/condition/gamma/bias") for v in clone.variables)


@pytest.mark.parametrize("family", FAMILIES)
def test_summary_after_build(family, capsys):
    generator, _ = _pair(family)
    generator.build(((None, 16), None))
    generator.summary()
    out = capsys.readouterr().out
    assert "Total params" in out and f"{generator.count_params():,}" in out


@pytest.fixture
def mixed_precision():
    """A context manager, for part of a test."""

    @contextlib.contextmanager
    def policy():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)

    return policy


@pytest.mark.parametrize("family", FAMILIES)
def test_mixed_precision_is_close_to_full(family, mixed_precision):
    z, x, y = _inputs(_shape(family))
    options = {"batch_norm_fn": ConditionalBatchNorm}, {"spectral_norm": True}
    full = _pair(family, None, *options)
    with mixed_precision():
        half = _pair(family, None, *options)
    for network, reference, first in zip(half, full, (z, x), strict=True):
        network.build((first.shape, y.shape))
        reference.build((first.shape, y.shape))
        for v, r in zip(network.variables, reference.variables, strict=True):
            v.assign(r)
    expected = [full[0]((z, y), training=True), *full[1]((x, y), training=True)]
    actual = [half[0]((z, y), training=True), *half[1]((x, y), training=True)]
    assert {v.dtype for v in half[0].variables} == {"float32"}
    scale = [1.0, np.abs(expected[2]).max(), np.abs(expected[2]).max()]
    for a, e, largest in zip(actual, expected, scale, strict=True):
        assert keras.backend.standardize_dtype(a.dtype) == "bfloat16"
        # bfloat16 keeps 8 bits; the errors of up to thirty layers. Logits are sums of features.
        a, e = ops.convert_to_numpy(ops.cast(a, "float32")), ops.convert_to_numpy(e)
        np.testing.assert_allclose(a, e, atol=0.1 * largest)


class TestGin:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_scopes_reach_every_family(self, family):
        gin.parse_config(
            "G.batch_norm_fn = @batch_norm\nG.spectral_norm = True\nD.spectral_norm = True"
        )
        generator, discriminator = _pair(family)
        assert generator.batch_norm_fn.layer_class is BatchNorm
        assert generator.spectral_norm is True and discriminator.spectral_norm is True
        assert discriminator.batch_norm_fn is None

    def test_an_argument_wins(self):
        gin.parse_config(
            """
            G.batch_norm_fn = @batch_norm
            D.spectral_norm = True
            resnet_biggan.Generator.ch = 8
            resnet_biggan.Discriminator.project_y = False
            """
        )
        module = registry.get("architecture", "resnet_biggan_arch")
        assert module.Generator((32, 32, 3)).ch == 8
        assert module.Generator((32, 32, 3), ch=4, batch_norm_fn=None).batch_norm_fn is None
        assert not module.Discriminator((32, 32, 3), ch=4, spectral_norm=False).spectral_norm
        assert not module.Discriminator((32, 32, 3), ch=4).project_y
        assert module.Discriminator((32, 32, 3), ch=4, project_y=True).project_y

    def test_defaults_are_those_of_the_vocabulary(self):
        biggan = registry.get("architecture", "resnet_biggan_arch")
        config = biggan.Generator((128, 128, 3)).get_config()
        expected = dict(
            ch=96, blocks_with_attention="B4", hierarchical_z=True, embed_z=False, embed_y=True,
            embed_y_dim=128, embed_bias=False, batch_norm_fn=None, spectral_norm=None,
        )  # fmt: skip
        assert expected.items() <= config.items()
        config = biggan.Discriminator((128, 128, 3)).get_config()
        expected = dict(
            ch=96, blocks_with_attention="B1", project_y=True, batch_norm_fn=None,
            layer_norm=False, spectral_norm=None,
        )  # fmt: skip
        assert expected.items() <= config.items()
        cifar = registry.get("architecture", "resnet_cifar_arch")
        config = cifar.Generator((32, 32, 3)).get_config()
        assert not (config["hierarchical_z"] or config["embed_z"] or config["embed_y"])
        assert not cifar.Discriminator((32, 32, 3)).get_config()["project_y"]


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "sndcgan"])
def test_discriminator_norms(family):
    _, x, y = _inputs(_shape(family))
    for options, name in (({"layer_norm": True}, "beta"), ({"batch_norm_fn": BatchNorm}, "gamma")):
        _, discriminator = _pair(family, discriminator=options)
        discriminator((x, y), training=True)
        assert any(v.name == name for v in discriminator.trainable_variables)


@pytest.mark.parametrize("family", FAMILIES)
def test_generators_modulated_by_the_latent(family):
    generator, _ = _pair(family, generator={"batch_norm_fn": SelfModulatedBatchNorm})
    z, _, _ = _inputs(_shape(family), batch=2)
    generator((z, None), training=True)
    assert any("/sbn/hidden/" in v.path for v in generator.trainable_variables)


@pytest.mark.parametrize(
    ("family", "network", "option"),
    [
        ("dcgan", "Generator", "spectral_norm"),
        ("infogan", "Generator", "spectral_norm"),
        ("sndcgan", "Generator", "spectral_norm"),
        ("sndcgan", "Discriminator", "layer_norm"),
    ],
)
def test_an_option_without_effect_is_told(family, network, option, caplog):
    module = registry.get("architecture", f"{family}_arch")
    getattr(module, network)((32, 32, 3), ch=2, **{option: True})
    assert f"{network[0]}.{option} has no effect on {family}" in caplog.text


def test_infogan_has_batch_norm_of_its_own(caplog):
    module = registry.get("architecture", "infogan_arch")
    gin.parse_config("G.batch_norm_fn = @batch_norm")
    assert module.Generator((32, 32, 3), ch=2).batch_norm_fn.layer_class is BatchNorm
    assert not caplog.text
    gin.parse_config("G.batch_norm_fn = @conditional_batch_norm")
    assert module.Generator((32, 32, 3), ch=2).batch_norm_fn.layer_class is BatchNorm
    assert "bind infogan.Generator.batch_norm_fn" in caplog.text
    gin.parse_config("infogan.Generator.batch_norm_fn = @conditional_batch_norm")
    generator = module.Generator((32, 32, 3), ch=2)
    assert generator.batch_norm_fn.layer_class is ConditionalBatchNorm
    assert module.Generator((32, 32, 3), ch=2, batch_norm_fn=None).batch_norm_fn is None


class TestMistakes:
    @pytest.mark.parametrize("network", ["Generator", "Discriminator"])
    def test_sizes(self, network):
        biggan = registry.get("architecture", "resnet_biggan_arch")
        with pytest.raises(UserError, match=r"512x512, received 28x28; .*dataset\.pad_to = 32"):
            getattr(biggan, network)((28, 28, 1))
        with pytest.raises(UserError, match="received 32x64"):
            getattr(biggan, network)((32, 64, 3))
        with pytest.raises(UserError, match=r"received 1024x1024\."):
            getattr(biggan, network)((1024, 1024, 3))

    def test_resnet_cifar_sizes(self):
        cifar = registry.get("architecture", "resnet_cifar_arch")
        with pytest.raises(UserError, match=r"32x32, received 28x28; .*dataset\.pad_to = 32"):
            cifar.Generator((28, 28, 1))
        with pytest.raises(UserError, match="multiples of 4, received 30x30"):
            cifar.Discriminator((30, 30, 1))

    @pytest.mark.parametrize(
        ("family", "sizes"),
        [
            ("resnet30", "128x128"),
            ("resnet_biggan_deep", "32x32, .*512x512"),
            ("resnet5", "4x4, .*"),
        ],
    )
    @pytest.mark.parametrize("network", ["Generator", "Discriminator"])
    def test_sizes_of_both_networks(self, family, sizes, network):
        module = registry.get("architecture", f"{family}_arch")
        for size in ((96, 96), (128, 64)):
            with pytest.raises(
                UserError,
                match=rf"{family} is made for images of {sizes}, received {size[0]}x{size[1]}",
            ):
                getattr(module, network)((*size, 3))

    def test_resnet_stl_sizes(self):
        stl = registry.get("architecture", "resnet_stl_arch")
        with pytest.raises(UserError, match=r"48x48, received 32x32; .*dataset\.pad_to = 48"):
            stl.Generator((32, 32, 3))
        logits, _ = stl.Discriminator((30, 37, 3), ch=1)((np.zeros((2, 30, 37, 3)), None))
        assert logits.shape == (2, 1)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_channels(self, family):
        shape = _shape(family, channels=2)
        with pytest.raises(UserError, match=r"1 or 3 channels\), received \(\d+, \d+, 2\)"):
            _pair(family, shape)

    def test_attention(self):
        with pytest.raises(UserError, match=r"'B5'.*Known: B1, B2, B3"):
            _pair("resnet_biggan", generator={"blocks_with_attention": "B1,B5"})

    @pytest.mark.parametrize("family", ["resnet_cifar", "resnet_biggan"])
    def test_hierarchical_z(self, family):
        generator, _ = _pair(family, generator={"hierarchical_z": True})
        with pytest.raises(UserError, match=r"4 equal parts .* multiple of 4, received 18\.$"):
            generator((np.zeros((2, 18), np.float32), None))

    def test_norm_without_labels(self):
        generator, _ = _pair("dcgan", generator={"batch_norm_fn": ConditionalBatchNorm})
        with pytest.raises(UserError, match="ConditionalBatchNorm needs labels"):
            generator((np.zeros((2, 16), np.float32), None))

    def test_norm_without_latent(self):
        _, discriminator = _pair("dcgan", discriminator={"batch_norm_fn": SelfModulatedBatchNorm})
        with pytest.raises(UserError, match="needs a latent z"):
            discriminator((np.zeros((2, 32, 32, 3), np.float32), None))
