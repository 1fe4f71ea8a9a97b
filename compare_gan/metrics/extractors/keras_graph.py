"""The graph of a Keras model as text, which is hashed together with the weights."""

import json
from collections.abc import Mapping
from typing import Any

import keras

from compare_gan.errors import UserError

# Keys of a Keras config that refer to layers.
_REFERENCES = ("name", "keras_history", "input_layers", "output_layers")


def graph_text(model: keras.Model) -> str:
    """Describes the layers, their options and connections, independently of the layers' names.

    Raises:
      UserError: A layer has no config.

    Example:
      >>> import keras
      >>> from compare_gan.metrics.extractors.keras_graph import graph_text
      >>> def build():
      ...     inputs = keras.Input((4,))
      ...     return keras.Model(inputs, keras.layers.Dense(2)(inputs))
      >>> graph_text(build()) == graph_text(build())  # Keras numbers the layers consecutively.
      True
    """
    try:
        config = json.loads(model.to_json())["config"]
    except NotImplementedError as error:
        raise UserError(
            f"keras_model.path: '{model.name}' has a layer without get_config, so scores could not "
            "identify its options: implement get_config."
        ) from error
    return json.dumps(_unnamed(config | {"name": ""}, {}), sort_keys=True)


def _unnamed(config: Any, names: Mapping[str, str]) -> Any:
    """Replaces names of layers by numbers: Keras numbers them consecutively over all models."""
    if isinstance(config, list):
        return [_unnamed(part, names) for part in config]
    if not isinstance(config, dict):
        return config
    inner = names
    layers = config.get("layers")
    # A user's layer may have an option `layers` of any kind.
    if isinstance(layers, list) and all(isinstance(layer, dict) for layer in layers):
        inner = {
            layer.get("config", {}).get("name"): f"layer {i}" for i, layer in enumerate(layers)
        }
    return {
        key: _replaced(part, names if key == "name" else inner)
        if key in _REFERENCES
        else _unnamed(part, inner)
        for key, part in config.items()
    }


def _replaced(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_replaced(each, names) for each in part]
    if isinstance(part, dict):
        return {key: _replaced(each, names) for key, each in part.items()}
    return names.get(part, part) if isinstance(part, str) else part
