"""The Inception of 2015 against plain TensorFlow and against PyTorch's conversions."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.metrics.extractors import Inception, inception_2015

# Height, width, input and output channels of the kernels in the graph.
_KERNELS = {
    "conv": (3, 3, 3, 32),
    "conv_1": (3, 3, 32, 32),
    "conv_2": (3, 3, 32, 64),
    "conv_3": (1, 1, 64, 80),
    "conv_4": (3, 3, 80, 192),
}
for _scope, _in, _pool in (("mixed", 192, 32), ("mixed_1", 256, 64), ("mixed_2", 288, 64)):
    _KERNELS |= {
        f"{_scope}/conv": (1, 1, _in, 64),
        f"{_scope}/tower/conv": (1, 1, _in, 48),
        f"{_scope}/tower/conv_1": (5, 5, 48, 64),
        f"{_scope}/tower_1/conv": (1, 1, _in, 64),
        f"{_scope}/tower_1/conv_1": (3, 3, 64, 96),
        f"{_scope}/tower_1/conv_2": (3, 3, 96, 96),
        f"{_scope}/tower_2/conv": (1, 1, _in, _pool),
    }
_KERNELS |= {
    "mixed_3/conv": (3, 3, 288, 384),
    "mixed_3/tower/conv": (1, 1, 288, 64),
    "mixed_3/tower/conv_1": (3, 3, 64, 96),
    "mixed_3/tower/conv_2": (3, 3, 96, 96),
}
for _scope, _n in (("mixed_4", 128), ("mixed_5", 160), ("mixed_6", 160), ("mixed_7", 192)):
    _KERNELS |= {
        f"{_scope}/conv": (1, 1, 768, 192),
        f"{_scope}/tower/conv": (1, 1, 768, _n),
        f"{_scope}/tower/conv_1": (1, 7, _n, _n),
        f"{_scope}/tower/conv_2": (7, 1, _n, 192),
        f"{_scope}/tower_1/conv": (1, 1, 768, _n),
        f"{_scope}/tower_1/conv_1": (7, 1, _n, _n),
        f"{_scope}/tower_1/conv_2": (1, 7, _n, _n),
        f"{_scope}/tower_1/conv_3": (7, 1, _n, _n),
        f"{_scope}/tower_1/conv_4": (1, 7, _n, 192),
        f"{_scope}/tower_2/conv": (1, 1, 768, 192),
    }
_KERNELS |= {
    "mixed_8/tower/conv": (1, 1, 768, 192),
    "mixed_8/tower/conv_1": (3, 3, 192, 320),
    "mixed_8/tower_1/conv": (1, 1, 768, 192),
    "mixed_8/tower_1/conv_1": (1, 7, 192, 192),
    "mixed_8/tower_1/conv_2": (7, 1, 192, 192),
    "mixed_8/tower_1/conv_3": (3, 3, 192, 192),
}
for _scope, _in in (("mixed_9", 1280), ("mixed_10", 2048)):
    _KERNELS |= {
        f"{_scope}/conv": (1, 1, _in, 320),
        f"{_scope}/tower/conv": (1, 1, _in, 384),
        f"{_scope}/tower/mixed/conv": (1, 3, 384, 384),
        f"{_scope}/tower/mixed/conv_1": (3, 1, 384, 384),
        f"{_scope}/tower_1/conv": (1, 1, _in, 448),
        f"{_scope}/tower_1/conv_1": (3, 3, 448, 384),
        f"{_scope}/tower_1/mixed/conv": (1, 3, 384, 384),
        f"{_scope}/tower_1/mixed/conv_1": (3, 1, 384, 384),
        f"{_scope}/tower_2/conv": (1, 1, _in, 192),
    }
_STRIDED = (
    "conv",
    "mixed_3/conv",
    "mixed_3/tower/conv_2",
    "mixed_8/tower/conv_1",
    "mixed_8/tower_1/conv_3",
)
_VALID = (*_STRIDED, "conv_1", "conv_3", "conv_4")


@pytest.fixture(scope="module")
def constants():
    """Random weights by their names in the graph, with variances and gammas different from 1."""
    rng, made = np.random.default_rng(0), {}
    for name, shape in _KERNELS.items():
        filters = shape[-1]
        kernel = rng.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[:-1]))
        made[f"{name}/conv2d_params"] = kernel.astype(np.float32)
        made[f"{name}/batchnorm/beta"] = rng.normal(0, 0.1, filters).astype(np.float32)
        made[f"{name}/batchnorm/gamma"] = rng.uniform(0.8, 1.2, filters).astype(np.float32)
        made[f"{name}/batchnorm/moving_mean"] = rng.normal(0, 0.1, filters).astype(np.float32)
        made[f"{name}/batchnorm/moving_variance"] = rng.uniform(0.5, 1.5, filters).astype("f4")
    made["softmax/weights"] = rng.normal(0, 0.02, (2048, 1008)).astype(np.float32)
    made["softmax/biases"] = rng.normal(0, 0.5, 1008).astype(np.float32)
    return made


def _plain_tensorflow(constants, x, scaled):
    """Computes the network with plain TensorFlow operations."""

    def conv(x, name):
        c = {key: constants[f"{name}/batchnorm/{key}"] for key in ("beta", "gamma")}
        mean, variance = (
            constants[f"{name}/batchnorm/moving_{key}"] for key in ("mean", "variance")
        )
        padding = "VALID" if name in _VALID else "SAME"
        x = tf.nn.conv2d(x, constants[f"{name}/conv2d_params"], 1 + (name in _STRIDED), padding)
        gamma = c["gamma"] if scaled else None
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, c["beta"], gamma, 1e-3))

    def chain(x, scope):
        x, i = conv(x, f"{scope}/conv"), 1
        while f"{scope}/conv_{i}" in _KERNELS:
            x, i = conv(x, f"{scope}/conv_{i}"), i + 1
        if f"{scope}/mixed/conv" in _KERNELS:
            x = tf.concat([conv(x, f"{scope}/mixed/conv"), conv(x, f"{scope}/mixed/conv_1")], -1)
        return x

    for name in ("conv", "conv_1", "conv_2"):
        x = conv(x, name)
    x = conv(conv(tf.nn.max_pool2d(x, 3, 2, "VALID"), "conv_3"), "conv_4")
    x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for i in range(11):
        scope = f"mixed_{i}" if i else "mixed"
        branches = [conv(x, f"{scope}/conv")] if f"{scope}/conv" in _KERNELS else []
        branches += [
            chain(x, f"{scope}/{tower}")
            for tower in ("tower", "tower_1")
            if f"{scope}/{tower}/conv" in _KERNELS
        ]
        if i in (3, 8):
            branches.append(tf.nn.max_pool2d(x, 3, 2, "VALID"))
        else:
            pool = tf.nn.max_pool2d if i == 10 else tf.nn.avg_pool2d
            branches.append(conv(pool(x, 3, 1, "SAME"), f"{scope}/tower_2/conv"))
        x = tf.concat(branches, -1)
    features = tf.reduce_mean(x, [1, 2])
    return features, features @ constants["softmax/weights"] + constants["softmax/biases"]


def _write_graph(path, constants, scaled):
    graph = tf.compat.v1.GraphDef()
    for name, value in constants.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    for name in _KERNELS:
        node = graph.node.add(name=f"{name}/batchnorm", op="BatchNormWithGlobalNormalization")
        node.attr["variance_epsilon"].f = 1e-3
        node.attr["scale_after_normalization"].b = scaled
    with open(path, "wb") as file:
        file.write(graph.SerializeToString())


def _torch_layout(constants):
    arrays = {"fc.weight": constants["softmax/weights"].T, "fc.bias": constants["softmax/biases"]}
    for name, other in inception_2015.CONVOLUTIONS.items():
        kernel = constants[f"{name}/conv2d_params"]
        arrays |= {
            f"{other}.conv.weight": kernel.transpose(3, 2, 0, 1),
            f"{other}.bn.bias": constants[f"{name}/batchnorm/beta"],
            f"{other}.bn.weight": constants[f"{name}/batchnorm/gamma"],
            f"{other}.bn.running_mean": constants[f"{name}/batchnorm/moving_mean"],
            f"{other}.bn.running_var": constants[f"{name}/batchnorm/moving_variance"],
            f"{other}.bn.num_batches_tracked": np.array(0),
        }
    return arrays


@pytest.fixture(scope="module")
def files(tmp_path_factory, constants, write_torch_file):
    folder = tmp_path_factory.mktemp("inception")
    paths = {"graph": str(folder / "graph.pb"), "torch": str(folder / "weights.pth")}
    _write_graph(paths["graph"], constants, scaled=True)
    write_torch_file(paths["torch"], _torch_layout(constants), legacy=True)
    return paths


def test_it_has_94_convolutions():
    assert set(inception_2015.CONVOLUTIONS) == set(_KERNELS) and len(_KERNELS) == 94


def test_both_files_give_the_network(files, constants):
    (first, first_hash), (second, second_hash) = (
        inception_2015.load_inception_2015(files[kind]) for kind in ("graph", "torch")
    )
    assert first_hash == second_hash and len(first_hash) == 16
    for ours, theirs in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # 139 is the smallest size for which the last blocks have pixels that do not touch the padding.
    x = np.random.default_rng(1).uniform(-1, 1, (2, 139, 139, 3)).astype(np.float32)
    for actual, expected in zip(first(x), _plain_tensorflow(constants, x, True), strict=True):
        # Float32 over 94 layers, with another order of summation.
        assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


def test_gammas_that_the_graph_does_not_use_and_logits_without_bias(tmp_path, constants):
    graph = tmp_path / "classify_image_graph_def.pb"
    _write_graph(str(graph), constants, scaled=False)
    path = str(tmp_path / "inception.tgz")
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("LICENSE"), io.BytesIO())
        archive.add(graph, "imagenet/classify_image_graph_def.pb")
    network, _ = inception_2015.load_inception_2015(path, logit_bias=False)
    x = np.random.default_rng(1).uniform(-1, 1, (1, 75, 75, 3)).astype(np.float32)
    features, logits = network(x)
    expected, with_bias = _plain_tensorflow(constants, x, False)
    assert np.abs(features - expected).max() <= 1e-5 * np.abs(expected).max()
    expected = with_bias - constants["softmax/biases"]
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()


def test_other_files_are_refused(tmp_path, write_torch_file):
    for name, content, message in (
        ("x.pb", b"", "it has no 'softmax/weights'"),
        ("x.pb", b"no graph", "it is not a TensorFlow graph"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"is not the Inception of 2015: {message}"):
            inception_2015.load_inception_2015(str(tmp_path / name))
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("LICENSE"), io.BytesIO())
    with pytest.raises(UserError, match=r"it does not contain classify_image_graph_def\.pb"):
        inception_2015.load_inception_2015(str(tmp_path / "x.tgz"))
    write_torch_file(str(tmp_path / "x.pth"), {"fc.weight": np.zeros((1000, 2048), np.float32)})
    with pytest.raises(UserError, match=r"has no 'fc.bias'"):
        inception_2015.load_inception_2015(str(tmp_path / "x.pth"))


def test_torchvisions_inception_is_refused(tmp_path, constants, write_torch_file):
    arrays = _torch_layout(constants) | {
        "fc.weight": np.zeros((1000, 2048), np.float32),
        "fc.bias": np.zeros(1000, np.float32),
    }
    write_torch_file(str(tmp_path / "x.pth"), arrays)
    with pytest.raises(UserError, match="it has 1000 classes, not 1008"):
        inception_2015.load_inception_2015(str(tmp_path / "x.pth"))


@pytest.fixture(scope="module")
def peer(tmp_path_factory, constants):
    """The network of torch-fidelity with the constants, and the path of the file with them."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    import torch

    path = str(tmp_path_factory.mktemp("torch") / "weights.pth")
    arrays = {
        name: torch.from_numpy(np.ascontiguousarray(array))
        for name, array in _torch_layout(constants).items()
    }
    torch.save(arrays, path)
    outputs = ["2048", "logits", "logits_unbiased"]
    return fidelity.FeatureExtractorInceptionV3("inception", outputs, path), path


@pytest.mark.parametrize("size", [32, 299])
def test_torch_fidelity_gives_the_same(peer, size):
    import torch

    network, path = peer
    images = np.random.default_rng(2).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    expected_features, with_bias, without = (x.numpy() for x in expected)
    features, logits = Inception(path)(images)
    _, biased = Inception(path, logit_bias=True)(images)
    for name, ours, theirs in (
        ("features", features, expected_features),
        ("logits", logits, without),
        ("logits with bias", biased, with_bias),
    ):
        difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f"torch-fidelity, {size} px, {name}: {difference:.1e}")
        assert difference <= 1e-4, name


def test_pytorch_fid_gives_the_same(peer, monkeypatch):
    import torch

    inception = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(
        inception, "load_state_dict_from_url", lambda *args, **kwargs: torch.load(peer[1])
    )
    network = inception.InceptionV3(resize_input=False, normalize_input=False).eval()
    x = np.random.default_rng(3).uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
    with torch.no_grad():
        (expected,) = network(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    features, _ = inception_2015.load_inception_2015(peer[1])[0](x)
    difference = np.abs(features - expected.numpy()[:, :, 0, 0]).max() / expected.numpy().max()
    print(f"pytorch-fid, 299 px, features: {difference:.1e}")
    assert difference <= 1e-4
