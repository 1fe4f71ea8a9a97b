"""Registration, look-up by name, and parts of the user."""

import importlib
import pathlib
import subprocess
import sys

import gin
import keras
import pytest
import tensorflow as tf

from compare_gan import parts_index, registry
from compare_gan.errors import UserError
from compare_gan.layers import BatchNorm, NoBatchNorm


@pytest.fixture(autouse=True)
def _own_components(monkeypatch):
    """Removes parts that a test registers after it; those of the library remain."""
    for kind in registry.kinds():
        registry.load(kind)
    own = {kind: dict(parts) for kind, parts in registry._components.items()}
    monkeypatch.setattr(registry, "_components", own)


def test_found_by_name_and_alias():
    registry.add("loss", "mean", max, summary="A loss.", paper="https://x", aliases=("average",))
    assert registry.get("loss", "mean") is registry.get("loss", "average") is max
    component = {c.name: c for c in registry.components("loss")}["mean"]
    assert (component.summary, component.paper) == ("A loss.", "https://x")
    assert "mean" in registry.names("loss") and "average" not in registry.names("loss")


def test_names_are_sorted_and_contain_those_of_the_library():
    names = registry.names("loss")
    assert names == sorted(names) and {"hinge", "wasserstein"} <= set(names)


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_kind_has_parts_with_one_line_each(kind):
    components = registry.components(kind)
    assert components
    for component in components:
        assert component.summary and "\n" not in component.summary, component.name


def test_parts_that_are_not_names_are_returned():
    assert registry.get("loss", max) is max
    assert registry.get("loss", None) is None


def test_unknown_name_is_reported_with_the_nearest_and_all():
    message = "Unknown loss 'hinges'. Did you mean 'hinge'. Known: .*hinge.*wasserstein"
    with pytest.raises(UserError, match=message):
        registry.get("loss", "hinges")


@pytest.mark.parametrize(
    "call", (registry.names, parts_index.read_index, lambda kind: registry.add(kind, "x", max))
)
def test_unknown_kind_is_reported_with_the_nearest(call):
    with pytest.raises(UserError, match=r"Unknown kind of part 'losses'. Did you mean 'loss'"):
        call("losses")


def test_a_taken_name_is_refused_before_gin_knows_it():
    registry.add("loss", "taken_loss", max, aliases=("taken_alias",))
    for name in ("taken_loss", "taken_alias"):
        with pytest.raises(UserError, match=f"loss name '{name}' is taken by .*max.* already"):
            registry.register("loss", name)(lambda x: x)
        with pytest.raises(ValueError):
            gin.get_configurable(name)
    # Another kind, or the same part again, is no clash.
    registry.add("penalty", "taken_loss", min)
    registry.add("loss", "taken_loss", max)


def test_a_registered_function_takes_gin_bindings_under_its_name():
    @registry.register("penalty", "scaled_penalty", gin_name="scaled")
    def scaled_penalty(x, factor=1):
        """One line.

        More.
        """
        return x * factor

    gin.parse_config("scaled.factor = 3")
    assert registry.get("penalty", "scaled_penalty")(2) == scaled_penalty(2) == 6
    component = {c.name: c for c in registry.components("penalty")}["scaled_penalty"]
    assert component.summary == "One line."


def test_equal_gin_names_are_distinguished_by_module():
    def register(name):
        @registry.register("architecture", name, gin_name="Net", gin_module=name)
        class Net:
            def __init__(self, width=0):
                self.width = width

    register("net1")
    register("net2")
    gin.parse_config("net1.Net.width = 10\nnet2.Net.width = 20")
    assert [registry.get("architecture", f"net{n}")().width for n in (1, 2)] == [10, 20]


def test_a_configurable_keras_layer_shows_keras_its_parameters():
    @registry.gin_configurable("registry_test_layer")
    class Layer(keras.layers.Layer):
        def __init__(self, width=1, depth=2, **kwargs):
            super().__init__(**kwargs)
            self.size = width, depth

    gin.parse_config("registry_test_layer.depth = 4")
    assert Layer(3).size == (3, 4)
    # Keras derives the config of a class without get_config from what it sees of __init__.
    config = Layer(3).get_config()
    assert config["width"] == 3 and Layer.from_config(config).size == (3, 2)


def test_the_index_is_up_to_date(tmp_path):
    """The index, which `compare_gan list` prints, must equal the registry."""
    script = pathlib.Path(__file__).parents[1] / "scripts" / "write_parts_index.py"
    path = tmp_path / "parts.json"
    # In a process of its own: tests register parts in this one.
    subprocess.run([sys.executable, str(script), "--out", str(path)], check=True)
    same = path.read_text() == pathlib.Path(parts_index._PATH).read_text()
    assert same, "compare_gan/parts.json is out of date: run python scripts/write_parts_index.py"


def test_the_index_has_everything_but_the_parts_themselves():
    index = parts_index.read_index()
    assert list(index) == registry.kinds()
    [hinge] = [entry for entry in index["loss"] if entry.name == "hinge"]
    [part] = [part for part in registry.components("loss") if part.name == "hinge"]
    assert (hinge.kind, hinge.summary, hinge.paper, hinge.aliases) == (
        part.kind, part.summary, part.paper, part.aliases
    )  # fmt: skip
    assert parts_index.read_index("loss") == {"loss": index["loss"]}


OWN_PARTS = '''
from compare_gan import registry

@registry.register("loss", "my_loss", paper="mine")
def my_loss(d_real_logits, d_fake_logits, margin=1.0):
    """My loss."""
    return margin
'''


@pytest.fixture
def own_parts(tmp_path, monkeypatch):
    (tmp_path / "my_compare_gan_parts.py").write_text(OWN_PARTS)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_part_of_the_user_is_found_after_import_in_gin(own_parts):
    gin.parse_config(
        "import my_compare_gan_parts\nmy_loss.margin = 2.0\nloss.fn = @my_loss",
        skip_unknown=("loss",),
    )
    assert registry.get("loss", "my_loss")(None, None) == 2.0
    assert "my_loss" in registry.names("loss")

    # In a notebook the module is edited and loaded again, which gin has to be asked to allow.
    module = importlib.import_module("my_compare_gan_parts")
    with gin.config.interactive_mode():
        importlib.reload(module)
    assert registry.get("loss", "my_loss") is module.my_loss


def test_only_requested_arguments_are_passed():
    assert registry.call_with_requested(lambda x, y: (x, y), x=1, y=2, z=3) == (1, 2)
    assert registry.call_with_requested(lambda x, other=5: (x, other), x=1, y=2) == (1, 5)
    assert registry.call_with_requested(lambda x, **kwargs: (x, kwargs), x=1, kwargs=2) == (1, {})


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(TypeError, match="missing_one"):
        registry.call_with_requested(lambda missing_one: None, x=1)


def test_gin_configurables_and_layers_are_seen_through():
    @gin.configurable
    def asks_by_name(x, y, scale=1):
        return (x + y) * scale

    gin.parse_config("asks_by_name.scale = 10")
    assert registry.call_with_requested(asks_by_name, x=1, y=2, training=True) == 30
    x = tf.ones([2, 3])
    for layer in (NoBatchNorm(), BatchNorm()):
        assert registry.call_with_requested(
            layer, inputs=x, z=None, y=None, training=False
        ).shape == (2, 3)
