"""Extractors from the networks of `keras.applications` and from users' Keras models."""

import inspect
import os
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import keras

from compare_gan import registry
from compare_gan.errors import UserError, unknown_name
from compare_gan.metrics.extractors import model_io, resizing, weights
from compare_gan.metrics.extractors.keras_graph import graph_text
from compare_gan.types import Tensor
from compare_gan.unpacking import open_zip

_APPLICATION = "ResNet50"


@registry.register("extractor", "keras_application")
class KerasApplication(resizing.ResizingExtractor):
    """A network of `keras.applications`, by default with ImageNet weights that Keras downloads.

    Features are the last output with spatial axes, averaged over space: the same average that the
    networks compute, before any norm of it. Logits are those of the classifier. Images are resized
    to the network's usual size and preprocessed by its `preprocess_input`. The network's name
    becomes part of the names of scores (`fid_resnet50`).

    Args:
      name: Name of the function in `keras.applications`, such as `ResNet50` or `InceptionV3`.
      weights: `imagenet`, or the path of a file that the model's `load_weights` reads.
      layer: Name of the layer whose output, averaged over space, provides the features; None = the
        layer described above.
      resizer: `clean` or `tf1_bilinear`.

    Raises:
      UserError: The network or layer does not exist, or the weights cannot be loaded.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import KerasApplication
      >>> KerasApplication.bound_name()  # Without an instance, and so without weights.
      'resnet50'
      >>> extractor = KerasApplication("ResNet50")  # doctest: +SKIP
      >>> features, logits = extractor(np.zeros([2, 32, 32, 3], np.uint8))  # doctest: +SKIP
      >>> features.shape, logits.shape  # doctest: +SKIP
      ((2, 2048), (2, 1000))
    """

    def __init__(
        self,
        name: str = _APPLICATION,
        weights: str = "imagenet",
        layer: str | None = None,
        resizer: str = "clean",
    ):
        network = _application(name)
        self.name = self.name_with(name)
        model = _with_weights(network, weights)
        # Some networks take any size; they were trained on 224 x 224 pixels, as most networks.
        size = [n or 224 for n in model.input_shape[1:3]]
        self.resize_to((*size, 3), resizer, "keras_application.resizer")
        self._preprocess = sys.modules[inspect.unwrap(network).__module__].preprocess_input
        features = _layer(model, layer, "keras_application.layer") if layer else _last_map(model)
        self._model = keras.Model(model.inputs, (features.output, model.output))
        self.weights_hash = _model_hash(self._model, _lasting_name(model, features))

    @classmethod
    def name_with(cls, name: str = _APPLICATION, **options: Any) -> str:
        return str(name).lower()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = self._model(self._preprocess(self.resized(images)), training=False)
        return model_io.to_vectors(features), model_io.to_vectors(logits)


@registry.register("extractor", "keras_model")
class KerasModel(resizing.ResizingExtractor):
    """A user's Keras model.

    Args:
      path: Path of a `.keras` file; or, from Python, the model.
      layer: Name of the layer whose output provides the features, averaged over any spatial axes;
        None = the model's first output.
      logits_layer: Name of the layer whose output provides the logits; None = the model's second
        output if there is one and `layer` is None too, else no logits.
      value_range: Values that the model expects for 0 and 255.
      resizer: `clean` or `tf1_bilinear`, used if the model's input size is fixed.
      name: Name of the extractor, which becomes part of the names of scores.

    Raises:
      UserError: The file is not a Keras model, or a layer does not exist.

    Example:
      >>> import keras
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import KerasModel
      >>> inputs = keras.Input((8, 8, 3))
      >>> maps = keras.layers.Conv2D(4, 3)(inputs)
      >>> extractor = KerasModel(keras.Model(inputs, maps), value_range=(-1, 1))
      >>> features, logits = extractor(np.zeros([2, 16, 16, 3], np.uint8))
      >>> features.shape, logits, extractor.takes_floats
      ((2, 4), None, False)
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
        self._range = model_io.check_range(value_range, "keras_model.value_range")
        model = path if isinstance(path, keras.Model) else _load_keras(path)
        if not isinstance(model.input_shape, tuple) or len(model.input_shape) != 4:
            raise UserError(
                "keras_model.path: the input of the model must be images [n, H, W, C], received "
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
    def name_with(cls, name: str = "keras_model", **options: Any) -> str:
        return name

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        outputs = self._model(model_io.to_range(self.resized(images), self._range), training=False)
        return model_io.to_vectors(outputs["features"]), model_io.to_vectors(outputs.get("logits"))


def _application(name: str) -> Callable[..., keras.Model]:
    known = {
        key: value
        for key, value in vars(keras.applications).items()
        if inspect.isfunction(value) and key[0].isupper()
    }
    if name not in known:
        raise unknown_name("keras_application.name", name, known)
    return known[name]


def _with_weights(network: Callable[..., keras.Model], given: str) -> keras.Model:
    if given != "imagenet":
        weights.given_file(given, "keras_application.weights")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # Even if the GAN is trained in mixed precision.
    try:
        return network(weights=given, classifier_activation=None)
    except Exception as error:  # Failed downloads and wrong weights raise many kinds of errors.
        first = str(error).strip().split("\n", 1)[0]
        if given != "imagenet":
            raise UserError(
                f"keras_application.weights: '{given}' does not contain the weights of "
                f"{network.__name__}: {first}"
            ) from error
        home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        raise UserError(
            f"Keras cannot download the weights of {network.__name__} ({first}): put the file into "
            f"{home}/models, or set keras_application.weights to its path."
        ) from error
    finally:
        keras.config.set_dtype_policy(policy)


def _layer(model: keras.Model, name: str, parameter: str) -> keras.layers.Layer:
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise unknown_name(parameter, name, names)
    return model.get_layer(name)


def _last_map(model: keras.Model) -> keras.Operation:
    """Returns the last operation whose output has more than one pixel.

    It may not be a layer: ConvNeXt's blocks end in `inputs + x`, which `model.layers` leaves out.
    """
    for operation in reversed(model.operations):
        shape = tuple(getattr(operation.output, "shape", ()))
        if len(shape) == 4 and shape[1:3] != (1, 1):
            return operation
    raise UserError(f"'{model.name}' has no layer with spatial axes: set keras_application.layer.")


def _lasting_name(model: keras.Model, operation: keras.Operation) -> str | int:
    """Returns an identifier that is the same in every build of the model: a name or an index.

    Keras names unnamed operations after their class (`activation_187`), with numbers that are
    consecutive over all models.
    """
    stem = re.sub(r"_\d+$", "", operation.name).replace("_", "")
    if stem != type(operation).__name__.lower():
        return operation.name
    return model.operations.index(operation)


def _load_keras(path: str) -> keras.Model:
    path = weights.given_file(path, "keras_model.path")
    try:
        if zipfile.is_zipfile(path):
            open_zip(path).close()  # Checks the sizes that it declares.
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Damaged files and unknown layers raise many kinds of errors.
        first = str(error).strip().split("\n", 1)[0]
        raise UserError(f"keras_model.path: '{path}' cannot be loaded: {first}") from error


def _model_hash(model: keras.Model, *options: object) -> str:
    """Hashes the weights of a model and the options of their use."""
    arrays = (variable.numpy() for variable in model.weights)
    return weights.values_hash(weights.arrays_hash(arrays), *options)
