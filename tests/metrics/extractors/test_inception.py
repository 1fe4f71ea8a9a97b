"""The canonical Inception's interface, on a module of the same signature made here."""

import hashlib
import os

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics import tfgan
from compare_gan.metrics.extractors import Inception


class _Module(tf.Module):
    """Features: mean colour in [-1, 1], then zeros; logits: the first pixel, then zeros."""

    def __init__(self, features=2048, scale=1.0):
        super().__init__()
        self.features = features
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, x):
        mean = self.scale * tf.reduce_mean(x, [1, 2])
        return {
            # The canonical module's final pooling keeps two axes of size 1.
            "pool_3": tf.pad(mean, [[0, 0], [0, self.features - 3]])[:, None, None],
            "logits": tf.pad(x[:, 0, 0], [[0, 0], [0, 1005]]),
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("hub") / "module")
    tf.saved_model.save(_Module(), folder)
    return folder


def _images(channels=3):
    return np.random.default_rng(0).integers(0, 256, (5, 20, 24, channels), dtype=np.uint8)


def test_outputs_and_preprocessing(folder):
    features, logits = Inception(path=folder)(_images())
    assert features.shape == (5, 2048) and features.dtype == np.float32
    assert logits.shape == (5, 1008) and logits.dtype == np.float32
    # TensorFlow 1 resized without half-pixel centres: the first pixel stays what it was.
    np.testing.assert_allclose(logits[:, :3], (_images()[:, 0, 0] - 128.0) / 128.0, atol=1e-6)


def test_resizing_is_that_of_tensorflow_1(folder):
    x = _images()[..., :1].astype(np.float64)

    def positions(size):
        source = np.arange(299) * size / 299
        low = np.floor(source).astype(int)
        return low, np.minimum(low + 1, size - 1), source - low

    low, high, weight = positions(20)
    x = x[:, low] * (1 - weight)[:, None, None] + x[:, high] * weight[:, None, None]
    low, high, weight = positions(24)
    x = x[:, :, low] * (1 - weight)[:, None] + x[:, :, high] * weight[:, None]
    features, _ = Inception(path=folder)(_images())
    expected = (x.mean((1, 2, 3)) - 128) / 128
    # A float32 mean of 89,401 values.
    np.testing.assert_allclose(features[:, 0], expected, atol=1e-4)


def test_gray_images_are_shown_as_colour(folder):
    inception = Inception(path=folder)
    gray = _images(1)
    np.testing.assert_allclose(
        inception(gray)[0], inception(np.repeat(gray, 3, axis=-1))[0], atol=1e-6
    )


def test_the_batch_size_has_no_effect(folder):
    inception = Inception(path=folder)
    whole, _ = inception(_images())
    parts = [inception(_images()[i : i + 2])[0] for i in (0, 2, 4)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_it_bears_the_plain_names(folder):
    inception = Inception(path=folder)
    names = {name: registry.get("metric", name)() for name in ("fid", "inception_score")}
    assert all(metric.score_name(inception) == name for name, metric in names.items())


def test_the_hash_tells_weights_apart(folder, tmp_path):
    other = str(tmp_path / "other")
    tf.saved_model.save(_Module(scale=2.0), other)
    first, again, second = (Inception(path=p).weights_hash for p in (folder, folder, other))
    assert first == again != second
    assert len(first) == 16


def test_the_path_can_be_given_in_gin(folder):
    gin.bind_parameter("inception.path", folder)
    assert registry.get("extractor", "inception")().weights_hash == Inception(folder).weights_hash


def test_the_cache_of_tf_hub_is_used(tmp_path, monkeypatch):
    handle = tfgan.load().eval.INCEPTION_TFHUB
    cached = tmp_path / hashlib.sha1(handle.encode()).hexdigest()
    tf.saved_model.save(_Module(), str(cached))
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    features, _ = Inception()(_images())
    assert features.shape == (5, 2048)


def test_without_network_and_cache_one_sentence_says_what_to_do(monkeypatch):
    import tensorflow_hub

    tfgan.load()

    def unreachable(handle):
        raise OSError("no route to host\nlong story")

    monkeypatch.setattr(tensorflow_hub, "resolve", unreachable)
    with pytest.raises(UserError, match=r"cannot be had .*no route to host\); .*inception.path"):
        Inception()


def test_a_wrong_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no TF-Hub module"):
        Inception(path=str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be had"):
        Inception(path=str(tmp_path))


def test_another_network_is_refused(tmp_path):
    path = os.path.join(tmp_path, "small")
    tf.saved_model.save(_Module(features=64), path)
    with pytest.raises(UserError, match="not the canonical Inception: its outputs are"):
        Inception(path=path)


def test_float_images_are_refused(folder):
    with pytest.raises(TypeError, match=r"uint8 images in .*received float64"):
        Inception(path=folder)(np.zeros([1, 20, 20, 3]))
