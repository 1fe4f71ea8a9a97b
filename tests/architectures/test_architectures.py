"""The contract of every family."""

import contextlib
import functools
import json
from typing import NamedTuple

import gin
import keras
import numpy as np
import pytest
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.layers import BatchNorm, ConditionalBatchNorm, LayerNorm, SelfModulatedBatchNorm

registry.load("architecture")  # Makes their names known to gin.

# Options that make the networks small.
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
    "sagan": {"ch": 4},
    "unet_biggan": {"ch": 4},
    "r3gan": {"ch": 8, "blocks_per_size": 1},
    "stylegan2": {"ch": 8, "mapping_layers": 2},
    "dummy": {},
}
# Families with initial values of their own, whose images may leave the range in training.
MODERN = ("r3gan", "stylegan2")
# Families whose networks ignore normalizations.
WITHOUT_NORMS = {"Generator": MODERN, "Discriminator": (*MODERN, "sndcgan")}
SIZES = {"resnet30": 128, "resnet_stl": 48, "stylegan2": 16}  # 32 pixels for the others.
# Made of BigGAN's blocks, which the quick tests have.
LIKE_BIGGAN = ("sagan", "unet_biggan")
# Made of the blocks of resnet_cifar, between other first and last layers of the same kinds.
LIKE_CIFAR = ("resnet5", "resnet30", "resnet_stl")
# Made of the layers of dcgan and of resnet_biggan.
LIKE_OTHERS = ("infogan", "sndcgan", "resnet_biggan_deep")


def _parameters(families, slow=LIKE_BIGGAN):
    return [
        pytest.param(family, marks=[pytest.mark.slow] if family in slow else [])
        for family in families
    ]


EVERY_FAMILY = pytest.mark.parametrize("family", _parameters(FAMILIES))
# Quick for families that together have all layers; the others are slow tests.
EVERY_LAYER = pytest.mark.parametrize(
    "family", _parameters(FAMILIES, LIKE_BIGGAN + LIKE_CIFAR + LIKE_OTHERS)
)


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


class Case(NamedTuple):
    channels: int
    has_labels: bool
    generator_norm: type
    discriminator_norm: type


CASES = {
    "gray": Case(1, False, SelfModulatedBatchNorm, BatchNorm),
    "colour_and_labels": Case(3, True, ConditionalBatchNorm, LayerNorm),
}


def _runs(families):
    """Quick are colour and labels for one family of each kind, and gray for the smaller ones."""
    slow = {"colour_and_labels": LIKE_BIGGAN + LIKE_CIFAR}
    slow["gray"] = (*slow["colour_and_labels"], "resnet_biggan", "resnet_biggan_deep")
    return [
        pytest.param(family, case, marks=[pytest.mark.slow] if family in slow[case] else [])
        for case in CASES
        for family in families
    ]


EVERY_RUN = pytest.mark.parametrize(("family", "case"), _runs(FAMILIES))


# Of the networks with colour and labels, none of them the default.
OPTIONS = """
    standardize_batch.epsilon = 0.01
    standardize_batch.use_moving_averages = False
    conditional_batch_norm.centered = False
    self_modulated_batch_norm.num_hidden = 5
    spectral_norm.singular_value = 'auto'
    D.spectral_norm = True
"""


def _make(family, case):
    channels, has_labels, generator_norm, discriminator_norm = CASES[case]
    norm = {"batch_norm_fn": discriminator_norm}
    if family in WITHOUT_NORMS["Discriminator"]:
        norm = {}
    elif discriminator_norm is LayerNorm:
        norm = {"layer_norm": True}
    gin.parse_config(OPTIONS if has_labels else "")
    return _pair(family, _shape(family, channels), {"batch_norm_fn": generator_norm}, norm)


@functools.cache
def _run(family, case):
    """Both networks after a forward pass in training mode, and its outputs.

    They are shared: tests leave their variables as they are.
    """
    generator, discriminator = _make(family, case)
    z, x, y = _inputs(generator.image_shape)
    y = y if CASES[case].has_labels else None
    images = generator((z, y), training=True)
    return generator, discriminator, images, *discriminator((x, y), training=True)


@EVERY_RUN
def test_shapes_and_range(family, case):
    _, _, images, logits, features = _run(family, case)
    images = ops.convert_to_numpy(images)
    assert images.shape == (3, *_shape(family, CASES[case].channels))
    assert images.min() < images.max()
    if family not in MODERN:
        assert images.min() >= 0 and images.max() <= 1
    pixels = 32 * 32 if family == "unet_biggan" else 0
    assert logits.shape == (3, 1 + pixels)
    assert len(features.shape) == 2 and features.shape[0] == 3


def _has(network, layer_class):
    return any(isinstance(layer, layer_class) for layer in network._flatten_layers())


@EVERY_RUN
def test_norms(family, case):
    generator, discriminator, *_ = _run(family, case)
    for network, norm in (
        (generator, CASES[case].generator_norm),
        (discriminator, CASES[case].discriminator_norm),
    ):
        assert _has(network, norm) == (family not in WITHOUT_NORMS[type(network).__name__])


@pytest.mark.parametrize(
    ("family", "case"), _runs([family for family in FAMILIES if family not in MODERN])
)
def test_kernels_start_as_in_2019(family, case):
    """From N(0, 0.02), also in norms and embeddings; for projections see test_resnets.py."""
    for network in _run(family, case)[:2]:
        layers = [
            layer
            for layer in network._flatten_layers()
            if hasattr(layer, "kernel") and layer.name != "embedding_fc"
        ]
        for layer in layers:
            assert isinstance(layer.kernel_initializer, keras.initializers.RandomNormal), layer.path
        draws = np.concatenate([np.ravel(layer.kernel) for layer in layers])
        # Five times the standard error of a deviation, which is the deviation over sqrt(2 n).
        assert draws.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * draws.size))


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3)], ids=str)
@pytest.mark.parametrize("family", ["dcgan", "sndcgan", "infogan"])
def test_any_size(family, shape):
    generator, discriminator = _pair(family, shape)
    z, x, _ = _inputs(shape)
    assert generator((z, None)).shape == x.shape
    assert discriminator((x, None))[0].shape == (3, 1)


def _check_saving(network, inputs, path):
    """After a forward pass in training mode, which updates statistics and singular vectors."""
    gin.parse_config(OPTIONS)
    expected = network(inputs, training=False)
    network.save(path)
    gin.clear_config()
    loaded = keras.models.load_model(path)
    gin.parse_config(OPTIONS)
    assert [v.path for v in loaded.variables] == [v.path for v in network.variables]
    for a, b in zip(_leaves(loaded(inputs, training=False)), _leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@EVERY_LAYER
def test_saved_networks_load_independently_of_gin(family, tmp_path):
    generator, discriminator, *_ = _run(family, "colour_and_labels")
    z, x, y = _inputs(_shape(family))
    _check_saving(generator, (z, y), tmp_path / "network.keras")
    _check_saving(discriminator, (x, y), tmp_path / "network.keras")


@pytest.mark.parametrize("norm", [BatchNorm, SelfModulatedBatchNorm])
def test_so_do_those_with_other_norms(norm, tmp_path):
    gin.parse_config(OPTIONS)
    generator, _ = _pair("dcgan", generator={"batch_norm_fn": norm})
    z, _, y = _inputs(_shape("dcgan"))
    generator((z, y), training=True)
    _check_saving(generator, (z, y), tmp_path / "network.keras")


def _leaves(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@EVERY_FAMILY
def test_config_is_json_and_complete(family):
    gin.parse_config("G.batch_norm_fn = @conditional_batch_norm\nstandardize_batch.decay = 0.7")
    for network in _pair(family):
        config = json.loads(json.dumps(network.get_config()))
        gin.clear_config()
        clone = type(network).from_config(config)
        assert json.loads(json.dumps(clone.get_config())) == config
    assert config["name"] == "discriminator"


def test_config_of_a_scoped_reference():
    """`@a/batch_norm` is a wrapper by gin, not the class that Keras knows."""
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


@EVERY_LAYER
def test_summary_after_build(family, capsys):
    generator, _ = _pair(family)
    generator.build(((None, 16), None))
    generator.summary()
    out = capsys.readouterr().out
    assert "Total params" in out and f"{generator.count_params():,}" in out


@pytest.fixture
def mixed_precision():
    """Context manager that makes networks compute in bfloat16."""

    @contextlib.contextmanager
    def policy():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)

    return policy


def _rms(x):
    return np.sqrt(np.mean(np.square(x)))


@EVERY_LAYER
def test_mixed_precision_is_close_to_full(family, mixed_precision, fill_by_name):
    """Measured against the differences between the outputs for different inputs."""
    z, x, y = _inputs(_shape(family), seed=1)
    # Coarse, with different brightness: of fine noise a discriminator sees only the mean.
    x = x[:, ::8, ::8].repeat(8, axis=1).repeat(8, axis=2) * np.reshape([0.1, 0.5, 1], (3, 1, 1, 1))
    x = x.astype(np.float32)
    norm = {} if family in WITHOUT_NORMS["Discriminator"] else {"layer_norm": True}
    options = {"batch_norm_fn": ConditionalBatchNorm}, {"spectral_norm": True, **norm}
    full = _pair(family, None, *options)
    with mixed_precision():
        half = _pair(family, None, *options)
    for networks in zip(full, half, (z, x), strict=True):
        *networks, first = networks
        outputs = []
        for network in networks:
            keras.utils.set_random_seed(0)
            network.build((first.shape, y.shape))
            if family != "stylegan2":  # N(0, 0.02) would leave images gray.
                fill_by_name(network.variables)
            outputs.append(_leaves(network((first, y), training=True)))
        assert {v.dtype for v in network.variables} == {"float32"}
        for expected, actual in zip(*outputs, strict=True):
            # R3GAN's discriminator ends in float32.
            exact = family == "r3gan" and network.name == "discriminator"
            dtype = "float32" if exact else "bfloat16"
            assert keras.backend.standardize_dtype(actual.dtype) == dtype
            actual = ops.convert_to_numpy(ops.cast(actual, "float32"))
            spread = _rms(expected - np.mean(expected, axis=0))
            # Large compared with the last of bfloat16's 8 bits in the largest values.
            assert spread > 5 * 2**-8 * np.abs(expected).max()
            # The error after 5 to 30 layers was up to 0.09 for most families, up to 0.16 for
            # BigGAN's logits and BigGAN-deep's images; unrelated outputs would have an error of 1.
            assert _rms(actual - expected) < 0.3 * spread


class TestGin:
    @EVERY_FAMILY
    def test_scopes_reach_every_family(self, family):
        gin.parse_config(
            "G.batch_norm_fn = @batch_norm\nG.spectral_norm = True\nD.spectral_norm = True"
        )
        generator, discriminator = _pair(family)
        assert generator.batch_norm_fn.layer_class is BatchNorm
        assert generator.spectral_norm is True and discriminator.spectral_norm is True
        assert discriminator.batch_norm_fn is None

    def test_an_argument_takes_precedence(self):
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

    def test_defaults_equal_those_of_the_vocabulary(self):
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


@pytest.mark.parametrize(
    ("family", "network", "option"),
    [
        ("dcgan", "Generator", "spectral_norm"),
        ("infogan", "Generator", "spectral_norm"),
        ("sndcgan", "Generator", "spectral_norm"),
        ("sndcgan", "Discriminator", "layer_norm"),
        ("r3gan", "Discriminator", "layer_norm"),
        ("stylegan2", "Generator", "spectral_norm"),
    ],
)
def test_an_option_without_effect_is_reported(family, network, option, caplog):
    module = registry.get("architecture", f"{family}_arch")
    getattr(module, network)((32, 32, 3), **FAMILIES[family], **{option: True})
    assert f"{network[0]}.{option} has no effect on {family}." in caplog.text


@pytest.mark.parametrize("norm", [ConditionalBatchNorm, SelfModulatedBatchNorm])
@pytest.mark.parametrize("family", ["dcgan", "infogan", "sndcgan"])
def test_spectral_norm_that_affects_only_norms_is_reported(family, norm, caplog):
    generator, _ = _pair(family, generator={"batch_norm_fn": norm, "spectral_norm": True})
    assert (
        f"G.spectral_norm has no effect on the layers of {family}, only on its conditional or "
        "self-modulated norms." in caplog.text
    )
    generator.build(((2, 16), (2, 10)))
    normalized = {v.path.rsplit("/", 2)[0] for v in generator.variables if v.name == "u_var"}
    assert normalized and {p.rsplit("/", 1)[1] for p in normalized} <= {"condition", "sbn"}


def test_infogan_has_its_own_default_of_batch_norm():
    module = registry.get("architecture", "infogan_arch")
    for norm in ("@batch_norm", "@conditional_batch_norm", "None"):
        gin.parse_config(f"G.batch_norm_fn = {norm}")
        assert module.Generator((32, 32, 3), ch=2).batch_norm_fn.layer_class is BatchNorm
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

    @EVERY_FAMILY
    def test_channels(self, family):
        shape = _shape(family, channels=2)
        with pytest.raises(UserError, match=r"1 or 3 channels\), received \(\d+, \d+, 2\)"):
            _pair(family, shape)

    @pytest.mark.parametrize("network", ["Generator", "Discriminator"])
    @pytest.mark.parametrize("family", [family for family in FAMILIES if "ch" in FAMILIES[family]])
    def test_width(self, family, network):
        module = registry.get("architecture", f"{family}_arch")
        with pytest.raises(UserError, match=rf"{family}\.{network}\.ch must be a positive integer"):
            getattr(module, network)(_shape(family), ch=0)

    @pytest.mark.parametrize(
        ("family", "network", "size", "ch", "factor"),
        [
            ("resnet30", "Generator", 128, 6, 4),
            ("resnet30", "Discriminator", 128, 2, 4),
            ("resnet_biggan_deep", "Discriminator", 32, 1, 2),
            ("resnet_biggan_deep", "Generator", 128, 3, 2),
            ("resnet_biggan_deep", "Generator", 512, 6, 4),
            ("resnet_biggan_deep", "Discriminator", 512, 2, 4),
        ],
    )
    def test_width_that_blocks_can_divide(self, family, network, size, ch, factor):
        make = getattr(registry.get("architecture", f"{family}_arch"), network)
        with pytest.raises(
            UserError,
            match=rf"^{family}\.{network}\.ch must be a multiple of {factor} for images of "
            rf"{size}x{size}, received {ch}\.",
        ):
            make((size, size, 3), ch=ch)
        make((size, size, 3), ch=factor)

    @pytest.mark.parametrize("family", ["resnet_biggan", "resnet_biggan_deep"])
    def test_embedding_dimension(self, family):
        with pytest.raises(UserError, match=rf"{family}\.Generator\.embed_y_dim must be a pos"):
            _pair(family, generator={"embed_y_dim": 0})

    def test_spectral_norm(self):
        with pytest.raises(UserError, match=r"D\.spectral_norm must be True or False, received"):
            _pair("dcgan", discriminator={"spectral_norm": "no"})

    def test_attention(self):
        with pytest.raises(UserError, match=r"'B5'.*Known: B1, B2, B3"):
            _pair("resnet_biggan", generator={"blocks_with_attention": "B1,B5"})
        with pytest.raises(UserError, match=r"attention must name blocks, .* received 4\."):
            _pair("resnet_biggan", generator={"blocks_with_attention": 4})

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
