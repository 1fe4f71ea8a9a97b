"""Extractor from a user's SavedModel."""

import os
from collections.abc import Sequence
from typing import Any

from keras import ops

from compare_gan import paths, registry
from compare_gan.errors import UserError, unknown_name
from compare_gan.metrics.extractors import model_io, resizing, weights
from compare_gan.types import Tensor


@registry.register("extractor", "saved_model")
class SavedModel(resizing.ResizingExtractor):
    """A signature of a user's SavedModel; only with KERAS_BACKEND=tensorflow.

    Args:
      path: Folder of the SavedModel.
      signature: Name of the signature, which takes one tensor of images [n, H, W, C].
      features: Name of the output that provides the features, averaged over any spatial axes.
      logits: Name of the output that provides the logits; None = no logits.
      size: Size (height, width) of the resized images; None = the size in the signature, if any.
      value_range: Values that the model expects for 0 and 255.
      resizer: `clean` or `tf1_bilinear`.
      name: Name of the extractor, which becomes part of the names of scores.

    Raises:
      UserError: There is no SavedModel, the signature or an output does not exist, or Keras runs on
        another backend.

    Example:
      >>> import tempfile
      >>> import numpy as np
      >>> import tensorflow as tf
      >>> from compare_gan.metrics.extractors import SavedModel
      >>> class Colours(tf.Module):
      ...     @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
      ...     def describe(self, images):
      ...         return {"features": tf.reduce_mean(images, [1, 2])}
      >>> module = Colours()
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     tf.saved_model.save(module, folder, signatures={"describe": module.describe})
      ...     extractor = SavedModel(folder, signature="describe")
      >>> extractor(np.full([2, 8, 8, 3], 7, np.uint8))[0].tolist()
      [[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]]
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
        self._range = model_io.check_range(value_range, "saved_model.value_range")
        if not os.path.isfile(os.path.join(path, "saved_model.pb")):
            raise UserError(
                f"saved_model.path: '{path}' does not contain a SavedModel (saved_model.pb)."
            )
        model_io.check_tensorflow("saved_model.path", path, "a SavedModel")
        import tensorflow as tf

        try:
            with paths.plain(path) as plain:
                # An attribute, so that the variables of the module's functions stay alive.
                self._module = tf.saved_model.load(plain)
        except Exception as error:  # Damaged files raise many kinds of errors.
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
                f" received {inputs}."
            )
        ((self._input, spec),) = inputs.items()
        self._dtype = spec.dtype
        self.takes_floats = self.takes_floats and not spec.dtype.is_integer
        self._features, self._logits = features, logits
        self.has_logits = logits is not None
        self.name = name
        self.resize_to((*(size or spec.shape[1:3]), spec.shape[3]), resizer, "saved_model.resizer")
        options = (signature, features, logits, self._range)
        self.weights_hash = weights.values_hash(weights.files_hash(path), *options)

    @classmethod
    def name_with(cls, name: str = "saved_model", **options: Any) -> str:
        return name

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        x = model_io.to_range(self.resized(images), self._range)
        if self._dtype.is_integer:
            x = ops.round(x)
        outputs = self._function(**{self._input: ops.cast(x, self._dtype.name)})
        features, logits = outputs[self._features], outputs.get(self._logits)
        return model_io.to_vectors(features), model_io.to_vectors(logits)
