"""Sources and interface of the canonical Inception, tested with tiny modules."""

import dataclasses
import hashlib
import os
import tempfile

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics import tfgan
from compare_gan.metrics.extractors import Inception, inception, inception_2015, resizing, weights


class _Module(tf.Module):
    """Computes features (mean colour in [-1, 1], zeros) and logits (first pixel, zeros)."""

    def __init__(self, features=2048, scale=1.0):
        super().__init__()
        self.features = features
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    def __call__(self, x):
        mean = self.scale * tf.reduce_mean(x, [1, 2])
        return {
            # The final pooling of the canonical module keeps two axes of size 1.
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
    # TensorFlow 1 resized without half-pixel centres: the first pixel does not change.
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


def test_gray_images_are_converted_to_rgb(folder):
    extractor = Inception(path=folder)
    gray = _images(1)
    np.testing.assert_allclose(
        extractor(gray)[0], extractor(np.repeat(gray, 3, axis=-1))[0], atol=1e-6
    )


def test_the_batch_size_has_no_effect(folder):
    extractor = Inception(path=folder)
    whole, _ = extractor(_images())
    parts = [extractor(_images()[i : i + 2])[0] for i in (0, 2, 4)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_its_scores_have_the_plain_names(folder):
    extractor = Inception(path=folder)
    names = {name: registry.get("metric", name)() for name in ("fid", "inception_score")}
    assert all(metric.score_name(extractor) == name for name, metric in names.items())


def test_the_hash_distinguishes_weights(folder, tmp_path):
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
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "empty"))
    features, _ = Inception()(_images())
    assert features.shape == (5, 2048)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The empty folder of weights, without network access and without a cache of TF-Hub."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "nowhere"))

    def unreachable(url, timeout):
        raise OSError("no route to host")

    monkeypatch.setattr(weights.urllib.request, "urlopen", unreachable)
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    return tmp_path / "cache" / "weights"


@pytest.mark.usefixtures("cache")
def test_the_world_writable_default_cache_of_tf_hub_is_not_used(tmp_path, monkeypatch):
    handle = tfgan.load().eval.INCEPTION_TFHUB
    folder = tmp_path / "tfhub_modules" / hashlib.sha1(handle.encode()).hexdigest()
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    with pytest.raises(UserError, match=r"no route to host"):
        Inception()


@pytest.fixture
def loaded(monkeypatch):
    """The list of requested files of weights; nothing is loaded."""
    loaded = []

    def load(path, logit_bias):
        loaded.append((path, logit_bias))
        return lambda x: (x[:, 0, 0], x[:, 0, 1]), "0123456789abcdef"

    monkeypatch.setattr(inception_2015, "load_inception_2015", load)
    return loaded


def test_without_network_and_cache_the_message_names_a_way_out(cache):
    expected = (
        r"Inception is missing: 'pt_inception-2015-12-05-6726825d.pth' cannot be downloaded from "
        rf".* \(no route to host\): put it into {cache}, or set inception.path. The "
        r'extractor "efficientnet_lite0" \(evaluation.extractor, dataset.densest_extractor\) needs'
    )
    with pytest.raises(UserError, match=expected):
        Inception()


def test_files_in_the_cache_are_found(cache, loaded, monkeypatch):
    monkeypatch.setattr(inception, "_FILE", dataclasses.replace(inception._FILE, sha256="e3b0c442"))
    for name in (inception._FILE.name, "classify_image_graph_def.pb", "inception-2015-12-05.tgz"):
        (cache / name).touch()
        assert Inception().weights_hash == "0123456789abcdef"
        assert loaded[-1] == (str(cache / name), False)


def test_a_given_file(loaded, tmp_path):
    path = str(tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"inception.path: there is no file '.*weights.pth'"):
        Inception(path)
    (tmp_path / "weights.pth").touch()
    extractor = Inception(path, logit_bias=True)
    assert loaded == [(path, True)]
    features, _ = extractor(_images())
    np.testing.assert_allclose(features, (_images()[:, 0, 0] - 128.0) / 128.0, atol=1e-6)
    assert not extractor.canonical and Inception(path).canonical


def test_the_clean_resizer(folder, loaded, tmp_path):
    (tmp_path / "weights.pth").touch()
    extractor = Inception(str(tmp_path / "weights.pth"), resizer="clean")
    features, _ = extractor(_images())
    expected = (resizing.clean(_images(), (299, 299))[:, 0, 0] - 128) / 128
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_allclose(
        Inception(folder, resizer="clean")(_images())[1][:, :3], expected, atol=1e-6
    )
    gray = extractor(_images(1))[0]
    np.testing.assert_array_equal(gray, extractor(np.repeat(_images(1), 3, axis=-1))[0])
    assert "clean" in extractor.resizer and "clean" not in Inception(folder).resizer
    names = [registry.get("metric", name)().score_name(extractor) for name in ("fid",)]
    assert names == ["fid_inception_clean"]


def test_its_name_is_known_before_it_is_built():
    assert Inception.bound_name() == "inception"
    gin.bind_parameter("inception.resizer", "clean")
    assert Inception.bound_name() == "inception_clean"


def test_wrong_options_are_refused(folder):
    with pytest.raises(UserError, match=r"Unknown inception\.resizer 'claen'. Did you mean"):
        Inception(folder, resizer="claen")
    with pytest.raises(UserError, match=r"inception\.logit_bias must be False with a TF-Hub"):
        Inception(folder, logit_bias=True)


def test_an_address_that_cannot_be_reached(monkeypatch):
    import tensorflow_hub

    def unreachable(handle):
        raise OSError("no route to host\nlong story")

    monkeypatch.setattr(tensorflow_hub, "resolve", unreachable)
    with pytest.raises(UserError, match=r"cannot be loaded .*no route to host\): .*inception.path"):
        Inception("https://example.org/module")


def test_a_wrong_path_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not contain a TF-Hub module"):
        Inception(path=str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be loaded"):
        Inception(path=str(tmp_path))


def test_another_network_is_refused(tmp_path):
    path = os.path.join(tmp_path, "small")
    tf.saved_model.save(_Module(features=64), path)
    with pytest.raises(UserError, match="not the canonical Inception: its outputs are"):
        Inception(path=path)


def test_float_images_are_refused(folder):
    with pytest.raises(TypeError, match=r"uint8 images in .*received float64"):
        Inception(path=folder)(np.zeros([1, 20, 20, 3]))
