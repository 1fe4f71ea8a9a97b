"""From every variable list of the 2019 library, networks with exactly these variables."""

import functools
import gzip
import json
import pathlib

import gin
import keras
import pytest
import tensorflow as tf
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.hub.inference import infer
from compare_gan.hub.weights_source import GraphFacts
from compare_gan.layers import SpectralNorm, StandardizeBatch

_DATA = pathlib.Path(__file__).parent.parent / "data"
_ROWS = json.loads(gzip.decompress((_DATA / "importing_variables.json.gz").read_bytes()))


def _row_id(row):
    return f"{row['arch']}-{'x'.join(map(str, row['image_shape']))}-{len(row['variables'])}"


def _parameters():
    """Quick are rows with names (of norms, for example) that are new in their family.

    Also returned: rows with known names, but with a size that is new in their family.
    """
    seen, parameters, new_sizes = set(), [], []
    for row in _ROWS:
        names = row["arch"], *sorted(row["variables"])
        size = row["arch"], row["image_shape"][0]
        is_large = len(row["variables"]) >= 240 or size[1] > 64
        marks = [pytest.mark.slow] if names in seen or is_large else []
        parameters.append(pytest.param(row, marks=marks, id=_row_id(row)))
        if marks and size not in seen:
            new_sizes.append(row)
        seen |= {names, size}
    return parameters, new_sizes


_PARAMETERS, _NEW_SIZES = _parameters()


def _shapes(row):
    return {name: tuple(shape) for name, shape in row["variables"].items()}


def _rebuilt(found):
    """Shapes of the variables of both networks by their names of 2019."""
    z_dim = next(b for b in found.bindings if b.startswith("options.z_dim = ")).split()[-1]
    shapes = {}
    for network, own, inputs in (
        ("Generator", "D.", (2, int(z_dim))),
        ("Discriminator", "G.", (2, *found.image_shape)),
    ):
        # Bindings of one network only, so that equal networks are built once.
        bindings = [b for b in found.bindings if not b.startswith((own, "options."))]
        bindings = tuple(b for b in bindings if "ator." not in b or f".{network}." in b)
        shapes |= _build(
            network, found.architecture, found.image_shape, inputs, found.num_classes, bindings
        )
    return shapes


@functools.cache
def _build(network, architecture, image_shape, inputs, num_classes, bindings):
    """Nothing is allocated."""
    gin.parse_config(list(bindings))
    cls = getattr(registry.get("architecture", architecture), network)
    try:
        with keras.StatelessScope(initialize_variables=False), tf.Graph().as_default():
            model = cls(image_shape=image_shape)
            model.build((inputs, None if num_classes is None else (2, num_classes)))
    finally:
        keras.utils.clear_session(free_memory=False)
    return {v.path.replace("/u_var", "/kernel/u_var"): tuple(v.shape) for v in model.variables}


@pytest.fixture(autouse=True)
def _only_shapes(monkeypatch):
    """Most of the time would go into tracing how values are computed."""
    registry.load_all()
    monkeypatch.setattr(
        keras.initializers.RandomNormal,
        "__call__",
        lambda self, shape, dtype=None: ops.zeros(shape, dtype or "float32"),
    )
    monkeypatch.setattr(SpectralNorm, "__call__", lambda self, w, u: (w, u))
    monkeypatch.setattr(StandardizeBatch, "scale_and_offset", lambda self, x, *_, **__: x)


@pytest.mark.parametrize("row", _PARAMETERS)
def test_names_and_shapes_lead_back_to_the_networks(row):
    found = infer(_shapes(row))
    _check_family_size_and_latents(row, found)
    assert _rebuilt(found) == _shapes(row)


@pytest.mark.parametrize("row", _NEW_SIZES, ids=_row_id)
def test_names_and_shapes_show_family_size_and_latents(row):
    _check_family_size_and_latents(row, infer(_shapes(row)))


def _check_family_size_and_latents(row, found):
    assert found.architecture == f"{row['arch']}_arch"
    assert f"options.z_dim = {row['z_dim']}" in found.bindings
    assert row["image_shape"][0] in (found.image_shape[0], *found.other_sizes)


def _row(arch, size):
    return next(r for r in _ROWS if r["arch"] == arch and r["image_shape"][0] == size)


def test_facts_of_the_graph_or_a_config_win():
    shapes = _shapes(_row("dcgan", 28))
    assert infer(shapes).image_shape[0] == 28
    assert infer(shapes).other_sizes == [32]
    colors = infer(shapes).image_shape[2]
    found = infer(shapes, GraphFacts(image_shape=(32, 32, colors), epsilon=0.5))
    assert found.image_shape[0] == 32 and found.other_sizes == []
    assert "standardize_batch.epsilon = 0.5" in found.bindings
    assert infer(shapes, image_shape=(32, 32, colors)).image_shape[0] == 32
    with pytest.raises(UserError, match=r"no known architecture \(compared with resnet_stl_arch"):
        infer(shapes, architecture="resnet_stl_arch")


_CONDITIONAL = "G.batch_norm_fn = @conditional_batch_norm"
_MODULATED = "G.batch_norm_fn = @self_modulated_batch_norm"
_PROJECTED = ["resnet_cifar.Discriminator.project_y = True"]


@pytest.mark.parametrize(
    ("architecture", "z_dim", "bindings"),
    (
        ("resnet_cifar", 128, [_CONDITIONAL, "resnet_cifar.Generator.hierarchical_z = True"]),
        (
            "resnet_cifar",
            32,
            [
                _CONDITIONAL,
                "conditional_batch_norm.use_bias = True",
                "resnet_cifar.Generator.embed_z = True",
                "resnet_cifar.Generator.embed_y = True",
                "D.spectral_norm = True",
                "spectral_norm.singular_value = 'right'",
            ],
        ),
        pytest.param("resnet_cifar", 32, [_MODULATED, *_PROJECTED], marks=pytest.mark.slow),
        (
            "resnet_cifar",
            32,
            [_MODULATED, *_PROJECTED, "resnet_cifar.Generator.hierarchical_z = True"],
        ),
        (
            "resnet_cifar",
            32,
            [
                _MODULATED,
                "self_modulated_batch_norm.num_hidden = 0",
                *_PROJECTED,
            ],
        ),
        (
            "resnet_biggan",
            80,
            [
                _CONDITIONAL,
                "resnet_biggan.Generator.embed_y = False",
                "resnet_biggan.Generator.ch = 8",
                "resnet_biggan.Generator.blocks_with_attention = 'B3'",
                "resnet_biggan.Discriminator.ch = 8",
                "resnet_biggan.Discriminator.blocks_with_attention = ''",
                "D.batch_norm_fn = @batch_norm",
            ],
        ),
        (
            "resnet_biggan",
            120,
            [
                _CONDITIONAL,
                "resnet_biggan.Generator.hierarchical_z = False",
                "resnet_biggan.Generator.embed_bias = True",
                "resnet_biggan.Discriminator.project_y = False",
            ],
        ),
    ),
)
def test_options_that_no_published_row_has_are_found_too(architecture, z_dim, bindings):
    size = 64 if architecture == "resnet_biggan" else 32
    shape, name = (size, size, 3), f"{architecture}_arch"
    built = {}
    for network, inputs in (("Generator", (2, z_dim)), ("Discriminator", (2, *shape))):
        built |= _build(network, name, shape, inputs, 10, tuple(bindings))
    gin.clear_config()
    found = infer(built)
    assert (found.architecture, found.image_shape, found.num_classes) == (name, shape, 10)
    assert f"options.z_dim = {z_dim}" in found.bindings
    hierarchical = f"{architecture}.Generator.hierarchical_z = True" in found.bindings
    assert hierarchical == (
        f"{architecture}.Generator.hierarchical_z = True" in bindings or z_dim == 80
    )
    assert _rebuilt(found) == built


def test_variables_of_something_else_are_refused():
    shapes = {"generator/fc/kernel": (3, 4), "generator/conv/kernel": (3, 3, 4, 1)}
    shapes |= {"generator/fc/bias": (4,), "generator/conv/bias": (1,)}
    with pytest.raises(UserError, match="no known architecture"):
        infer(shapes)
