import gin
import pytest
import tensorflow as tf

from compare_gan.layers import BatchNorm, NoBatchNorm
from compare_gan.utils import call_with_requested, write_text


def test_only_what_is_asked_for_is_given():
    assert call_with_requested(lambda x, y: (x, y), x=1, y=2, z=3) == (1, 2)
    assert call_with_requested(lambda x, other=5: (x, other), x=1, y=2) == (1, 5)
    assert call_with_requested(lambda x, **kwargs: (x, kwargs), x=1, kwargs=2) == (1, {})


def test_a_parameter_that_is_not_there_is_an_error():
    with pytest.raises(TypeError, match="missing_one"):
        call_with_requested(lambda missing_one: None, x=1)


def test_gin_configurables_and_layers_are_seen_through():
    @gin.configurable
    def asks_by_name(x, y, scale=1):
        return (x + y) * scale

    gin.parse_config("asks_by_name.scale = 10")
    assert call_with_requested(asks_by_name, x=1, y=2, training=True) == 30
    x = tf.ones([2, 3])
    for layer in (NoBatchNorm(), BatchNorm()):
        assert call_with_requested(layer, inputs=x, z=None, y=None, training=False).shape == (2, 3)


def test_write_text_replaces_and_makes_folders(tmp_path):
    folder = tmp_path / "a" / "b"
    for content in ("one", "twö"):
        write_text(str(folder), "name.txt", content)
        assert [path.name for path in folder.iterdir()] == ["name.txt"]
        assert (folder / "name.txt").read_text(encoding="utf-8") == content
