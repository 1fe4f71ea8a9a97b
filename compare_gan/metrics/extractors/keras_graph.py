"""What a Keras model computes beside its weights, as text to be hashed."""

import json

import keras

from compare_gan.errors import UserError

# Where a Keras config refers to layers.
_REFERENCES = ("name", "keras_history", "input_layers", "output_layers")


def graph_text(model: keras.Model) -> str:
    """The layers, their options and how they are joined, whatever Keras has called them.

    Raises:
      UserError: A layer has no config.
    """
    try:
        config = json.loads(model.to_json())["config"]
    except NotImplementedError as error:
        raise UserError(
            f"keras_model.path: '{model.name}' has a layer that does not tell its options, so "
            f"scores could not tell it from others; give it get_config."
        ) from error
    return json.dumps(_unnamed(config | {"name": ""}, {}), sort_keys=True)


def _unnamed(config, names: dict[str, str]):
    """A config with numbers for names of layers: Keras counts those on from model to model."""
    if isinstance(config, list):
        return [_unnamed(part, names) for part in config]
    if not isinstance(config, dict):
        return config
    inner = names
    layers = config.get("layers")
    # A user's layer may mean anything by `layers`.
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


def _replaced(part, names: dict[str, str]):
    if isinstance(part, list):
        return [_replaced(each, names) for each in part]
    if isinstance(part, dict):
        return {key: _replaced(each, names) for key, each in part.items()}
    return names.get(part, part) if isinstance(part, str) else part
