"""Networks of Keras and of users: features and logits against direct calls of the models."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.extractors import KerasApplication, KerasModel, SavedModel, resizing


def _images(size=20, channels=3):
    return np.random.default_rng(0).integers(0, 256, (3, size, size, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """Path of the weights, and the network that Keras builds for features."""
    path = str(tmp_path_factory.mktemp("keras") / "mobilenet.weights.h5")
    keras.utils.set_random_seed(0)
    whole = keras.applications.MobileNet(weights=None)
    whole.save_weights(path)
    headless = keras.applications.MobileNet(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    for variable, value in zip(headless.weights, whole.weights, strict=False):
        variable.assign(value.value.numpy())
    return path, headless


def test_a_keras_application(mobilenet):
    path, headless = mobilenet
    keras.config.set_dtype_policy("mixed_bfloat16")  # Has no effect.
    try:
        extractor = KerasApplication("MobileNet", weights=path)
    finally:
        keras.config.set_dtype_policy("float32")
    features, logits = extractor(_images())
    assert features.shape == (3, 1024)
    x = resizing.clean(_images(), (224, 224)) / 127.5 - 1
    expected = headless(x, training=False).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-5 * np.abs(expected).max())
    assert logits.shape == (3, 1000) and np.any(logits < 0)
    assert extractor.name == "mobilenet" and "clean" in extractor.resizer
    assert registry.get("metric", "fid")().score_name(extractor) == "fid_mobilenet"


def test_a_layer_of_a_keras_application_chosen_in_gin(mobilenet):
    path, _ = mobilenet
    assert KerasApplication.bound_name() == "resnet50"
    gin.bind_parameter("keras_application.name", "MobileNet")
    gin.bind_parameter("keras_application.weights", path)
    gin.bind_parameter("keras_application.layer", "conv_pw_1_relu")
    extractor = registry.get("extractor", "keras_application")()
    assert extractor.name == KerasApplication.bound_name() == "mobilenet"
    features, _ = extractor(_images())
    assert features.shape == (3, 64) and features.min() >= 0


@pytest.mark.slow
def test_features_are_the_average_that_the_network_computes(tmp_path):
    # ConvNeXt's blocks end in an addition that is not a layer, and its head normalizes the mean.
    path = str(tmp_path / "convnext.weights.h5")
    whole = keras.applications.ConvNeXtTiny(weights=None)
    for layer in whole.layers:
        if "layer_scale" in layer.name:  # 1e-6 at first, so blocks would be close to identity.
            layer.gamma.assign(keras.ops.ones_like(layer.gamma))
    whole.save_weights(path)
    [average] = [x for x in whole.layers if isinstance(x, keras.layers.GlobalAveragePooling2D)]
    until_average = keras.Model(whole.input, average.input)
    maps = until_average(resizing.clean(_images()[:1], (224, 224)), training=False).numpy()
    features, logits = KerasApplication("ConvNeXtTiny", weights=path)(_images()[:1])
    assert features.shape == (1, 768) and logits.shape == (1, 1000)
    # Over 18 blocks, float32 loses a few of its seven digits.
    expected = maps.mean((1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-4 * np.abs(expected).max())


# `test_the_hash_distinguishes_graphs_with_equal_weights` has the same of a small network.
@pytest.mark.slow
def test_the_hash_is_the_same_in_every_build(tmp_path):
    # As in NASNet, the averaged layer has no name; Keras numbers it consecutively over builds.
    path = str(tmp_path / "mobilenet_v3.weights.h5")
    keras.applications.MobileNetV3Small(weights=None).save_weights(path)
    first, second = (KerasApplication("MobileNetV3Small", weights=path) for _ in range(2))
    assert first.weights_hash == second.weights_hash
    other = KerasApplication("MobileNetV3Small", weights=path, layer="conv_1")
    assert other.weights_hash != first.weights_hash


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_networks_that_cannot_be_loaded(mobilenet, monkeypatch, tmp_path):
    path, _ = mobilenet
    with pytest.raises(UserError, match=r"keras_application.name 'ResNet5'. Did you mean 'ResNet"):
        KerasApplication("ResNet5")
    with pytest.raises(UserError, match=r"keras_application.weights: there is no file"):
        KerasApplication("MobileNet", weights=str(tmp_path / "none.h5"))
    with pytest.raises(UserError, match=r"does not contain the weights of MobileNetV2"):
        KerasApplication("MobileNetV2", weights=path)
    with pytest.raises(UserError, match=r"Unknown keras_application.layer 'conv_pw_1_rel'. Did"):
        KerasApplication("MobileNet", weights=path, layer="conv_pw_1_rel")

    def unreachable(weights, classifier_activation):
        raise OSError("URL fetch failure on https://example.org/w.h5\nlong story")

    monkeypatch.setattr(keras.applications, "ResNet50", unreachable)
    with pytest.raises(UserError, match=r"Keras cannot download .*w.h5\): put the file into .*mod"):
        KerasApplication("ResNet50")


def _model(channels=3, size=8):
    inputs = keras.Input((size, size, channels))
    maps = keras.layers.Conv2D(4, 3, name="maps")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
    return keras.Model(inputs, [pooled, keras.layers.Dense(5, name="classes")(pooled)])


def test_a_model_file_with_two_outputs(tmp_path):
    model, path = _model(), str(tmp_path / "model.keras")
    model.save(path)
    extractor = KerasModel(path, value_range=(-1, 1))
    features, logits = extractor(_images())
    expected = model(resizing.clean(_images(), (8, 8)) / 127.5 - 1)
    np.testing.assert_allclose(features, expected[0], atol=1e-5)
    np.testing.assert_allclose(logits, expected[1], atol=1e-5)
    assert extractor.name == "keras_model" and extractor.has_logits
    assert extractor.weights_hash == KerasModel(model, value_range=(-1, 1)).weights_hash
    assert extractor.weights_hash != KerasModel(model).weights_hash


def test_the_hash_distinguishes_graphs_with_equal_weights(tmp_path):
    keras.utils.set_random_seed(0)
    weights = None

    def build(activation, last="relu", first_to_add=0):
        nonlocal weights
        inputs = x = keras.Input((8, 8, 3))
        x = keras.Sequential([keras.layers.Conv2D(4, 3, activation=activation)])(x)
        maps = [keras.layers.Activation("tanh")(x), keras.layers.Activation("relu")(x)]
        x = keras.layers.Subtract()(maps[:: 1 - 2 * first_to_add])
        x = keras.layers.Activation(last, name=last)(x)
        model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
        weights = weights or model.get_weights()
        model.set_weights(weights)
        return model

    models = [build(None), build("relu"), build(None, "tanh"), build(None, first_to_add=1)]
    hashes = [KerasModel(model).weights_hash for model in models]
    assert len(set(hashes)) == 4
    # Keras has numbered the new layers differently, and a file keeps the names it was saved with.
    assert KerasModel(build(None)).weights_hash == hashes[0]
    models[0].save(tmp_path / "a.keras")
    assert KerasModel(str(tmp_path / "a.keras")).weights_hash == hashes[0]

    class Widths(keras.layers.Layer):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers

        def get_config(self):
            return super().get_config() | {"layers": self.layers}

        def call(self, x):
            return x[:, 0, 0]

    inputs = keras.Input((8, 8, 3))
    widths = [KerasModel(keras.Model(inputs, Widths([4, n])(inputs))) for n in (4, 5)]
    assert widths[0].weights_hash != widths[1].weights_hash

    class Secretive(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.call = function

    inputs = keras.Input((8, 8, 3))
    outputs = Secretive(lambda x: x[:, 0, 0])(inputs)
    with pytest.raises(UserError, match=r"without get_config, .*: implement get_config"):
        KerasModel(keras.Model(inputs, outputs))


def test_layers_of_a_model():
    model = _model()
    extractor = KerasModel(model, layer="maps", resizer="tf1_bilinear", name="mine")
    features, logits = extractor(_images())
    expected = model(resizing.tf1_bilinear(_images(), (8, 8)))
    np.testing.assert_allclose(features, expected[0], rtol=1e-4, atol=1e-3)
    assert logits is None and not extractor.has_logits and extractor.name == "mine"
    reason = registry.get("metric", "inception_score")().inapplicable(extractor, None)
    assert reason == "'mine' yields no logits"
    both = KerasModel(model, layer="pooled", logits_layer="classes", resizer="tf1_bilinear")
    assert both.weights_hash != extractor.weights_hash
    np.testing.assert_allclose(both(_images())[1], expected[1], rtol=1e-4, atol=1e-3)


def test_channels_and_size_are_those_of_the_model():
    extractor = KerasModel(_model(channels=1, size=None))
    gray, _ = extractor(_images(channels=1))
    np.testing.assert_allclose(
        extractor(np.repeat(_images(channels=1), 3, axis=-1))[0], gray, rtol=1e-3
    )
    assert extractor.resizer == "none"
    assert extractor(_images(size=30))[0].shape == (3, 4)


def test_models_that_are_refused(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"none")
    for path, message in (
        (str(tmp_path / "none.keras"), r"keras_model.path: there is no file"),
        (str(tmp_path / "x.keras"), r"keras_model.path: '.*' cannot be loaded: "),
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), "must be images"),
    ):
        with pytest.raises(UserError, match=message):
            KerasModel(path)
    with pytest.raises(UserError, match=r"Unknown keras_model.layer 'map'. Did you mean 'maps'"):
        KerasModel(_model(), layer="map")
    with pytest.raises(
        UserError, match=r"value_range must be two different numbers, received \(1,\)"
    ):
        KerasModel(_model(), value_range=(1,))


class _Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "pictures")])
    def describe(self, pictures):
        x = self.scale * tf.cast(pictures, tf.float32)
        return {"maps": x, "scores": x[:, 0, 0]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder, module = str(tmp_path_factory.mktemp("saved") / "module"), _Module()
    tf.saved_model.save(module, folder, signatures={"describe": module.describe})
    return folder


def test_a_saved_model(saved):
    extractor = SavedModel(saved, "describe", "maps", "scores", size=(8, 8))
    features, logits = extractor(_images())
    x = np.round(resizing.clean(_images(), (8, 8)))
    np.testing.assert_allclose(features, 2 * x.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(logits, 2 * x[:, 0, 0])
    without = SavedModel(saved, "describe", "maps")
    features, logits = without(_images())
    np.testing.assert_allclose(features, 2 * _images().mean((1, 2)), rtol=1e-5)
    assert logits is None and not without.has_logits and without.resizer == "none"
    assert without.weights_hash != extractor.weights_hash
    gin.bind_parameter("saved_model.name", "mine")
    assert SavedModel(saved, "describe", "maps").name == SavedModel.bound_name() == "mine"


def test_saved_models_that_are_refused(saved, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    for options, message in (
        ((str(tmp_path / "none"),), "does not contain a SavedModel"),
        ((str(tmp_path),), r"saved_model.path: '.*' cannot be loaded: "),
        ((saved,), "Unknown saved_model.signature 'serving_default'. .*Known: describe"),
        ((saved, "describe"), "Unknown saved_model.features 'features'. Known: maps, scores"),
        ((saved, "describe", "maps", "score"), "saved_model.logits 'score'. Did you mean 'scores'"),
    ):
        with pytest.raises(UserError, match=message):
            SavedModel(*options)
