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
import tensorflow as tf
from keras import ops

from compare_gan import architectures, registry
from compare_gan.errors import UserError
from compare_gan.layers import SpectralNorm, StandardizeBatch

_DATA = pathlib.Path(__file__).parent.parent / "data"
_ROWS = json.loads((_DATA / "architectures_param_counts.json").read_text())


@pytest.fixture(scope="module")
def golden():
    with np.load(_DATA / "architectures_golden.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def _row_id(row):
    return "-".join([row["arch"], "x".join(map(str, row["image_shape"])), *row["gin"]])


def _is_large(row):
    """Whether the networks have more than 600 variables, or images more than 128 x 128 pixels."""
    deep = {"resnet30": "@self_modulated_batch_norm", "resnet_biggan_deep": "D.spectral_norm"}
    more = deep.get(row["arch"])
    return row["image_shape"][0] > 128 or (more and any(more in each for each in row["gin"]))


def _parameters():
    """Quick is each family's first size with each of its configs, refused sizes included."""
    seen, parameters = set(), []
    for row in _ROWS:
        config = row["arch"], bool(row["G"]), bool(row["D"]), *row["gin"]
        marks = [pytest.mark.slow] if config in seen or _is_large(row) else []
        seen.add(config)
        parameters.append(pytest.param(row, marks=marks, id=_row_id(row)))
    return parameters


@functools.cache
def _counts(old_name, network, arch, image_shape, inputs_shape, num_classes, bindings):
    """Counts trainable and other parameters, and computes a checksum of all variables' names.

    Nothing is allocated: the largest network has 538 million parameters.
    """
    gin.parse_config(list(bindings))
    cls = getattr(registry.get("architecture", f"{arch}_arch"), network)
    y_shape = None if num_classes is None else (2, num_classes)
    try:
        with keras.StatelessScope(initialize_variables=False), tf.Graph().as_default():
            model = cls(image_shape=image_shape)
            model.build(((2, *inputs_shape), y_shape))
    finally:
        # Otherwise Keras would allocate the variables later, with those of another model.
        keras.utils.clear_session(free_memory=False)
    counts = [
        sum(math.prod(v.shape) for v in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    lines = sorted(f"{old_name(v)} {list(v.shape)} {v.trainable}" for v in model.variables)
    return [*counts, zlib.crc32("\n".join(lines).encode())]


def _zeros(initializer, shape, dtype=None):
    return ops.zeros(shape, dtype or "float32")


def _counts_of_row(old_name, row, network):
    other = {"Generator": ("D.", ".Discriminator."), "Discriminator": ("G.", ".Generator.")}[
        network
    ]
    bindings = tuple(b for b in row["gin"] if not b.startswith(other[0]) and other[1] not in b)
    shape = tuple(row["image_shape"])
    inputs = (row["z_dim"],) if network == "Generator" else shape
    return _counts(old_name, network, row["arch"], shape, inputs, row["num_classes"], bindings)


@pytest.mark.parametrize("network", ["Generator", "Discriminator"])
@pytest.mark.parametrize("row", _parameters())
def test_counts_and_names_equal_those_of_2019(
    row, network, monkeypatch, old_name, assert_golden, record_property
):
    # Only shapes matter: most of the time would go into tracing the computation of values.
    for initializer in (keras.initializers.RandomNormal, keras.initializers.Orthogonal):
        monkeypatch.setattr(initializer, "__call__", _zeros)
    monkeypatch.setattr(SpectralNorm, "__call__", lambda self, w, u: (w, u))
    monkeypatch.setattr(StandardizeBatch, "scale_and_offset", lambda self, x, *_, **__: x)
    expected = row[network[0]]
    if expected is not None:
        *counts, names = _counts_of_row(old_name, row, network)
        assert_golden("param_counts", _row_id(row), counts, expected[:2], rtol=0)
        assert names == expected[2]
    elif row["arch"] == "sndcgan":
        # The 2019 library failed here, at a modulated norm after a dense layer; this one works.
        assert _counts_of_row(old_name, row, network)[0] == _sndcgan_generator_count(row)
    else:
        size = "x".join(map(str, row["image_shape"][:2]))
        with pytest.raises(
            UserError, match=rf"{row['arch']} is made for images .* received {size}"
        ):
            _counts_of_row(old_name, row, network)
        record_property("golden", ("param_counts (refused)", _row_id(row), 0.0))


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


@pytest.mark.parametrize(
    "name",
    # Slow are those made of the layers of dcgan and of resnet_cifar, only wider.
    [
        pytest.param(n, marks=[pytest.mark.slow] if n in ("infogan32", "resnet5_64") else [])
        for n in _NETS
    ],
)
def test_outputs_equal_those_of_2019(golden, assert_golden, fill_by_name, name):
    architecture, bindings = _NETS[name]
    gin.parse_config([*bindings, "standardize_batch.epsilon = 1e-5", "D.spectral_norm = True"])
    size = 64 if name.endswith("64") else 32
    random = np.random.RandomState(0)
    z = random.uniform(-1, 1, (4, 16)).astype(np.float32)
    x = random.uniform(size=(4, size, size, 3)).astype(np.float32)
    y = None
    if "biggan" in name:
        y = np.eye(10, dtype=np.float32)[random.randint(0, 10, 4)]
    y_shape = None if y is None else y.shape

    found = {}
    generator = architecture.Generator((size, size, 3))
    generator.build((z.shape, y_shape))
    fill_by_name(generator.variables)
    found["G_out_eval_strided8"] = generator((z, y), training=False)[:, ::8, ::8]
    images = generator((z, y), training=True)
    found["G_out_train_strided2"] = images[:, ::2, ::2]
    found["G_out_train_mean"] = ops.mean(images, axis=(1, 2))

    discriminator = architecture.Discriminator((size, size, 3))
    discriminator.build((x.shape, y_shape))
    fill_by_name(discriminator.variables)
    found["D_logits"], found["D_feat"] = discriminator((x, y), training=True)
    found["D_prob"] = ops.sigmoid(found["D_logits"])

    keys = [key for key in golden if key.startswith(f"{name}/")]
    assert len(keys) >= 5
    # Float32 through up to ten layers, summed in a different order than by TensorFlow 1.15.
    for key in keys:
        assert_golden("net", f"net/{key}", found[key.split("/")[1]], golden[key])
