"""Networks that come with Keras, and users' own: Keras models and SavedModels."""

import inspect
import os
import re
import sys
from collections.abc import Sequence

import gin
import keras
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError, unknown_name
from compare_gan.metrics.extractors import resizing, weights
from compare_gan.metrics.extractors.keras_graph import graph_text

_APPLICATION = "ResNet50"


@registry.register("extractor", "keras_application")
class KerasApplication(resizing.ResizingExtractor):
    """A network of `keras.applications`, by default with ImageNet weights that Keras downloads.

    Features: the mean over space of the last output that has one, which is what the networks
    themselves average, before any norm of the mean (or of what `layer` yields); logits: the
    classifier's. Images are resized to the network's usual size, then treated by its own
    `preprocess_input`. Scores bear its name (`fid_resnet50`).

    Args:
      name: Of the function in `keras.applications`, e.g. `ResNet50`, `InceptionV3`.
      weights: `imagenet`, or the path of a file that its `load_weights` reads.
      layer: Name of the layer whose output, averaged over space, are the features; None = as above.
      resizer: `clean` or `tf1_bilinear`.

    Raises:
      UserError: No such network or layer, or the weights cannot be had.
    """

    def __init__(
        self,
        name: str = _APPLICATION,
        weights: str = "imagenet",
        layer: str | None = None,
        resizer: str = "clean",
    ):
        network = _application(name)
        self.name = name.lower()
        model = _with_weights(network, weights)
        # Some take any size, and were trained on 224 x 224 as most.
        size = [n or 224 for n in model.input_shape[1:3]]
        self.resize_to((*size, 3), resizer, "keras_application.resizer")
        self._preprocess = sys.modules[inspect.unwrap(network).__module__].preprocess_input
        features = _layer(model, layer, "keras_application.layer") if layer else _last_map(model)
        self._model = keras.Model(model.inputs, (features.output, model.output))
        self.weights_hash = _model_hash(self._model, _lasting_name(model, features))

    @classmethod
    def bound_name(cls):
        return str(gin.get_bindings("keras_application").get("name", _APPLICATION)).lower()

    def forward(self, images):
        features, logits = self._model(self._preprocess(self.resized(images)), training=False)
        return _vectors(features), _vectors(logits)


@registry.register("extractor", "keras_model")
class KerasModel(resizing.ResizingExtractor):
    """A Keras model of the user's.

    Args:
      path: A `.keras` file; or, from Python, the model.
      layer: Name of the layer whose output are the features, averaged over space where they have
        one; None = the model's first output.
      logits_layer: Name of the layer whose output are the logits; None = the model's second output
        if it has one and `layer` is None too, else there are no logits.
      value_range: What 0 and 255 are to be for the model.
      resizer: `clean` or `tf1_bilinear`, to the model's input size if that is fixed.
      name: What scores bear.

    Raises:
      UserError: The file is no Keras model, or has no such layer.
    """

    name = "keras_model"

    def __init__(
        self,
        path: str | keras.Model = "",
        layer: str | None = None,
        logits_layer: str | None = None,
        value_range: Sequence[float] = (0.0, 255.0),
        resizer: str = "clean",
        name: str = "keras_model",
    ):
        self._range = _check_range(value_range, "keras_model.value_range")
        model = path if isinstance(path, keras.Model) else _load_keras(path)
        if not isinstance(model.input_shape, tuple) or len(model.input_shape) != 4:
            raise UserError(
                f"keras_model.path: the model must take images [n, H, W, C], it takes "
                f"{model.input_shape}."
            )
        self.name = name
        self.resize_to(model.input_shape[1:], resizer, "keras_model.resizer")
        outputs = model.outputs[:2]
        if layer or logits_layer:
            features = _layer(model, layer, "keras_model.layer").output if layer else outputs[0]
            outputs = [features]
            if logits_layer:
                outputs.append(_layer(model, logits_layer, "keras_model.logits_layer").output)
        self.has_logits = len(outputs) == 2
        named = dict(zip(("features", "logits"), outputs, strict=False))
        self._model = keras.Model(model.inputs, named)
        self.weights_hash = _model_hash(
            self._model, graph_text(self._model), layer, logits_layer, self._range
        )

    @classmethod
    def bound_name(cls):
        return gin.get_bindings("keras_model").get("name", "keras_model")

    def forward(self, images):
        outputs = self._model(_ranged(self.resized(images), self._range), training=False)
        return _vectors(outputs["features"]), _vectors(outputs.get("logits"))


@registry.register("extractor", "saved_model")
class SavedModel(resizing.ResizingExtractor):
    """A signature of a SavedModel of the user's.

    Args:
      path: Its folder.
      signature: Name of the signature, which takes one tensor of images [n, H, W, C].
      features: Name of the output that are the features; averaged over space where they have one.
      logits: Name of the output that are the logits; None = there are none.
      size: (height, width) to resize to; None = what the signature asks for, if anything.
      value_range: What 0 and 255 are to be for the model.
      resizer: `clean` or `tf1_bilinear`.
      name: What scores bear.

    Raises:
      UserError: No SavedModel is there, or it has no such signature or output.
    """

    name = "saved_model"

    def __init__(
        self,
        path: str = "",
        signature: str = "serving_default",
        features: str = "features",
        logits: str | None = None,
        size: Sequence[int] | None = None,
        value_range: Sequence[float] = (0.0, 255.0),
        resizer: str = "clean",
        name: str = "saved_model",
    ):
        self._range = _check_range(value_range, "saved_model.value_range")
        if not os.path.isfile(os.path.join(path, "saved_model.pb")):
            raise UserError(f"saved_model.path: '{path}' holds no SavedModel (saved_model.pb).")
        try:
            self._module = tf.saved_model.load(path)  # Kept, for its functions need its variables.
        except Exception as error:  # A damaged one fails in many ways.
            raise UserError(f"saved_model.path: '{path}' cannot be loaded: {error}") from error
        signatures = self._module.signatures
        if signature not in signatures:
            raise unknown_name("saved_model.signature", signature, signatures)
        self._function = signatures[signature]
        for parameter, output in (("features", features), ("logits", logits)):
            if output is not None and output not in self._function.structured_outputs:
                known = self._function.structured_outputs
                raise unknown_name(f"saved_model.{parameter}", output, known)
        inputs = self._function.structured_input_signature[1]
        if len(inputs) != 1 or len(next(iter(inputs.values())).shape or ()) != 4:
            raise UserError(
                f"saved_model.signature: '{signature}' must take one tensor of images [n, H, W, C],"
                f" it takes {inputs}."
            )
        ((self._input, spec),) = inputs.items()
        self._dtype = spec.dtype
        self.takes_floats = self.takes_floats and not spec.dtype.is_integer
        self._features, self._logits = features, logits
        self.has_logits = logits is not None
        self.name = name
        self.resize_to((*(size or spec.shape[1:3]), spec.shape[3]), resizer, "saved_model.resizer")
        how = (weights.files_hash(path), signature, features, logits, self._range)
        self.weights_hash = weights.words_hash(*how)

    @classmethod
    def bound_name(cls):
        return gin.get_bindings("saved_model").get("name", "saved_model")

    def forward(self, images):
        x = _ranged(self.resized(images), self._range)
        if self._dtype.is_integer:
            x = tf.round(x)
        outputs = self._function(**{self._input: tf.cast(x, self._dtype)})
        return _vectors(outputs[self._features]), _vectors(outputs.get(self._logits))


def _application(name: str):
    known = {
        key: value
        for key, value in vars(keras.applications).items()
        if inspect.isfunction(value) and key[0].isupper()
    }
    if name not in known:
        raise unknown_name("keras_application.name", name, known)
    return known[name]


def _with_weights(network, given: str) -> keras.Model:
    if given != "imagenet":
        weights.given_file(given, "keras_application.weights")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # Also where the GAN is trained in mixed precision.
    try:
        return network(weights=given, classifier_activation=None)
    except Exception as error:  # Keras raises many kinds where a download fails or weights differ.
        first = str(error).strip().split("\n", 1)[0]
        if given != "imagenet":
            raise UserError(
                f"keras_application.weights: '{given}' does not hold the weights of "
                f"{network.__name__}: {first}"
            ) from error
        home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        raise UserError(
            f"Keras cannot have the weights of {network.__name__} ({first}): put the file that it "
            f"names into {home}/models, or set keras_application.weights to its path."
        ) from error
    finally:
        keras.config.set_dtype_policy(policy)


def _layer(model: keras.Model, name: str, parameter: str):
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise unknown_name(parameter, name, names)
    return model.get_layer(name)


def _last_map(model: keras.Model):
    """The last operation whose output has more than one pixel.

    That may be no layer: ConvNeXt's blocks end in `inputs + x`, which `model.layers` leaves out.
    """
    for operation in reversed(model.operations):
        shape = getattr(operation.output, "shape", ())
        if len(shape) == 4 and (shape[1], shape[2]) != (1, 1):
            return operation
    raise UserError(f"'{model.name}' has no layer with pixels: set keras_application.layer.")


def _lasting_name(model: keras.Model, operation) -> str | int:
    """What the operation is called in every build of the model: its name, else its place.

    Keras calls what the model leaves unnamed by its class (`activation_187`), and counts on from
    model to model.
    """
    stem = re.sub(r"_\d+$", "", operation.name).replace("_", "")
    if stem != type(operation).__name__.lower():
        return operation.name
    return model.operations.index(operation)


def _load_keras(path: str) -> keras.Model:
    path = weights.given_file(path, "keras_model.path")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # A damaged one, or one with unknown layers, fails in many ways.
        first = str(error).strip().split("\n", 1)[0]
        raise UserError(f"keras_model.path: '{path}' cannot be loaded: {first}") from error


def _model_hash(model: keras.Model, *how) -> str:
    """Of the weights, and of how they are used."""
    return weights.words_hash(weights.arrays_hash(v.value.numpy() for v in model.weights), *how)


def _check_range(value: Sequence[float], parameter: str) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or value[0] == value[1]:
        raise UserError(f"{parameter} must be two numbers, received {value!r}.")
    return float(value[0]), float(value[1])


def _ranged(x: tf.Tensor, value_range: tuple[float, float]) -> tf.Tensor:
    low, high = value_range
    return x * ((high - low) / 255.0) + low


def _vectors(x: tf.Tensor | None) -> tf.Tensor | None:
    """float32 [n, f]: the mean over the axes between; None of None."""
    if x is None:
        return None
    x = tf.cast(x, tf.float32)
    return tf.reduce_mean(x, list(range(1, x.shape.rank - 1)))
