"""Parameter counts and outputs of the 2019 library; data from scripts outside this repository."""

import functools
import json
import math
import pathlib
import zlib

import gin
import keras
import numpy as np
import pytest
from keras import ops

from compare_gan import architectures, registry
from compare_gan.errors import UserError
from compare_gan.layers import SpectralNorm, StandardizeBatch
from compare_gan.losses import non_saturating

_DATA = pathlib.Path(__file__).parent.parent / "data"
_ROWS = json.loads((_DATA / "architectures_param_counts.json").read_text())


@pytest.fixture(scope="module")
def golden():
    with np.load(_DATA / "architectures_golden.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def _row_id(row):
    return "-".join([row["arch"], "x".join(map(str, row["image_shape"])), *row["gin"]])


@functools.cache
def _counts(network, arch, image_shape, inputs_shape, num_classes, bindings):
    """Numbers of trainable and other parameters, and a checksum of the names of all variables.

    Nothing is allocated: the largest network has 538 million parameters.
    """
    gin.parse_config(list(bindings))
    cls = getattr(registry.get("architecture", f"{arch}_arch"), network)
    y_shape = None if num_classes is None else (2, num_classes)
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = cls(image_shape=image_shape)
            model.build(((2, *inputs_shape), y_shape))
    finally:
        # Else Keras would allocate the variables later, together with those of another model.
        keras.utils.clear_session(free_memory=False)
    counts = [
        sum(math.prod(v.shape) for v in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    lines = sorted(f"{_name(v)} {list(v.shape)} {v.trainable}" for v in model.variables)
    return [*counts, zlib.crc32("\n".join(lines).encode())]


def _name(variable):
    """What the 2019 library called it."""
    return variable.path.replace("/u_var", "/kernel/u_var")


def _zeros(initializer, shape, dtype=None):
    return ops.zeros(shape, dtype or "float32")


def _counts_of_row(row, network):
    other = {"Generator": ("D.", ".Discriminator."), "Discriminator": ("G.", ".Generator.")}[
        network
    ]
    bindings = tuple(b for b in row["gin"] if not b.startswith(other[0]) and other[1] not in b)
    shape = tuple(row["image_shape"])
    inputs = (row["z_dim"],) if network == "Generator" else shape
    return _counts(network, row["arch"], shape, inputs, row["num_classes"], bindings)


@pytest.mark.parametrize("network", ["Generator", "Discriminator"])
@pytest.mark.parametrize("row", _ROWS, ids=_row_id)
def test_counts_and_names_are_those_of_2019(row, network, monkeypatch):
    # Only shapes are asked for: most of the time would go into tracing how values are computed.
    for initializer in (keras.initializers.RandomNormal, keras.initializers.Orthogonal):
        monkeypatch.setattr(initializer, "__call__", _zeros)
    monkeypatch.setattr(SpectralNorm, "__call__", lambda self, w, u: (w, u))
    monkeypatch.setattr(StandardizeBatch, "scale_and_offset", lambda self, x, *_, **__: x)
    expected = row[network[0]]
    if expected is not None:
        assert _counts_of_row(row, network) == expected
    elif row["arch"] == "sndcgan":
        # The 2019 library failed here: a modulated norm after a dense layer. Ours works.
        assert _counts_of_row(row, network)[0] == _sndcgan_generator_count(row)
    else:
        size = "x".join(map(str, row["image_shape"][:2]))
        with pytest.raises(
            UserError, match=rf"{row['arch']} is made for images .* received {size}"
        ):
            _counts_of_row(row, network)


def _sndcgan_generator_count(row):
    size, z, colors = math.ceil(row["image_shape"][0] / 8), row["z_dim"], row["image_shape"][2]
    widths = [size * size * 512, 256, 128, 64]
    count = (z + 1) * widths[0]
    count += sum(16 * 2 * w * w + w for w in widths[1:]) + 9 * 64 * colors + colors
    for width in widths:
        if row["num_classes"]:
            count += 2 * row["num_classes"] * width
        else:
            count += (z + 1) * 32 + 2 * (32 + 1) * width
    return count


def _fill(model):
    """Gives each weight the value that its name stands for in the golden data."""
    for variable in model.variables:
        seed = zlib.crc32(_name(variable).encode()) & 0x7FFFFFFF
        n = np.random.RandomState(seed).normal(size=variable.shape)
        fan_in = math.prod(variable.shape[:-1])
        value = {
            "bias": 0.1 * n,
            "beta": 0.1 * n,
            "gamma": 1 + 0.1 * n,
            "sigma": np.full_like(n, 0.5),
            "u_var": n,
            "kernel": n / np.sqrt(fan_in),
        }.get(variable.name)
        if value is not None:
            variable.assign(value)


def _assert_close(actual, expected, relative=1e-5):
    # Float32 through up to ten layers, summed in another order than TensorFlow 1.15's.
    np.testing.assert_allclose(actual, expected, atol=relative * np.abs(expected).max(), rtol=0)


_NORMS = ["G.batch_norm_fn = @batch_norm"]
_BIGGAN = [
    "G.batch_norm_fn = @conditional_batch_norm",
    "conditional_batch_norm.centered = False",
    "G.spectral_norm = True",
    "spectral_norm.singular_value = 'auto'",
    "standardize_batch.use_moving_averages = False",
]
_NETS = {
    "dcgan32": (architectures.dcgan, _NORMS),
    "infogan32": (architectures.infogan, _NORMS),
    "resnet_cifar32": (architectures.resnet_cifar, _NORMS),
    "resnet5_64": (architectures.resnet5, _NORMS),
    "biggan32_ch8": (
        architectures.resnet_biggan,
        [*_BIGGAN, "resnet_biggan.Generator.ch = 8", "resnet_biggan.Discriminator.ch = 8"],
    ),
    "biggan_deep32_ch8": (
        architectures.resnet_biggan_deep,
        [
            *_BIGGAN,
            "resnet_biggan_deep.Generator.ch = 8",
            "resnet_biggan_deep.Discriminator.ch = 8",
        ],
    ),
}


@pytest.mark.parametrize("name", _NETS)
def test_outputs_are_those_of_2019(golden, name):
    architecture, bindings = _NETS[name]
    gin.parse_config([*bindings, "standardize_batch.epsilon = 1e-5", "D.spectral_norm = True"])
    expected = {
        key.split("/")[1]: value for key, value in golden.items() if key.startswith(f"{name}/")
    }
    size = 64 if name.endswith("64") else 32
    random = np.random.RandomState(0)
    z = random.uniform(-1, 1, (4, 16)).astype(np.float32)
    x = random.uniform(size=(4, size, size, 3)).astype(np.float32)
    y = None
    if "biggan" in name:
        y = np.eye(10, dtype=np.float32)[random.randint(0, 10, 4)]
    y_shape = None if y is None else y.shape

    generator = architecture.Generator((size, size, 3))
    generator.build((z.shape, y_shape))
    _fill(generator)
    if "G_out_eval_strided8" in expected:
        evaluated = ops.convert_to_numpy(generator((z, y), training=False))
        _assert_close(evaluated[:, ::8, ::8], expected["G_out_eval_strided8"])
    images = ops.convert_to_numpy(generator((z, y), training=True))
    _assert_close(images[:, ::2, ::2], expected["G_out_train_strided2"])
    _assert_close(images.mean(axis=(1, 2)), expected["G_out_train_mean"])

    discriminator = architecture.Discriminator((size, size, 3))
    discriminator.build((x.shape, y_shape))
    _fill(discriminator)
    logits, features = discriminator((x, y), training=True)
    _assert_close(logits, expected["D_logits"])
    _assert_close(ops.sigmoid(logits), expected["D_prob"])
    _assert_close(features, expected["D_feat"])


def test_sndcgan_gives_the_loss_of_the_first_training_run_of_2019(golden):
    """Through both networks: one discriminator forward of real and generated images."""
    gin.parse_config(["G.batch_norm_fn = @batch_norm", "standardize_batch.epsilon = 1e-5"])
    random = np.random.RandomState(0)
    x = random.uniform(size=(3, 4, 32, 32, 3))[0].astype(np.float32)  # Three runs' were drawn.
    z = random.uniform(-1, 1, (4, 16)).astype(np.float32)
    generator = architectures.sndcgan.Generator((32, 32, 3))
    generator.build((z.shape, None))
    _fill(generator)
    discriminator = architectures.sndcgan.Discriminator((32, 32, 3), spectral_norm=True)
    discriminator.build((x.shape, None))
    _fill(discriminator)

    fake = generator((z, None), training=True)
    logits, _ = discriminator((ops.concatenate([x, fake]), None), training=True)
    d_loss = non_saturating(logits[:4], logits[4:]).d_loss
    np.testing.assert_allclose(d_loss, golden["sndcgan32/d_loss"], rtol=1e-6)
