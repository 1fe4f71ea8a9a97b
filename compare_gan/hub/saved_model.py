"""SavedModels, which TensorFlow writes: in this process, or in another one under JAX.

The other process runs `main`. It reads from a folder `generator.keras`, `discriminator.keras` if
there is one, and `sampler.json`.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import keras

from compare_gan.errors import UserError
from compare_gan.sampling import Sampler
from compare_gan.types import Tensor

_GENERATOR, _DISCRIMINATOR = "generator.keras", "discriminator.keras"
_SAMPLER = "sampler.json"


def check_installed() -> None:
    """Raises UserError unless TensorFlow is installed; does not import it."""
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            "A SavedModel needs TensorFlow, which is not installed: choose an --out that ends in "
            ".keras, or install it with `pip install compare_gan`."
        )


def save(sampler: Sampler, discriminator: keras.Model | None, path: str) -> None:
    """Writes a SavedModel of a generator, see `exporter.export`.

    Args:
      sampler: Sampler of a Keras model, prepared.
      discriminator: Discriminator to write as well, or None.
      path: Directory to make.

    Raises:
      UserError: Another process has to write it, but a layer has no config or cannot be loaded
        there.
    """
    if keras.backend.backend() == "tensorflow":
        _save(sampler, discriminator, path)
    else:
        _save_elsewhere(sampler, discriminator, path)


def _save(sampler: Sampler, discriminator: keras.Model | None, path: str) -> None:
    import tensorflow as tf

    def floats(name: str, *shape: int) -> tf.TensorSpec:
        return tf.TensorSpec([None, *shape], tf.float32, name)

    labels = [] if sampler.num_classes is None else [floats("labels", sampler.num_classes)]

    @tf.function(input_signature=[floats("z", sampler.z_dim), *labels], autograph=False)
    def generate(z: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        return {"images": tf.clip_by_value(sampler(z, labels), 0.0, 1.0)}

    networks, signatures = [sampler.network], {"serving_default": generate}
    if discriminator is not None:
        shown = floats("images", *sampler.image_shape)

        @tf.function(input_signature=[shown, *labels], autograph=False)
        def discriminate(images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            logits, features = discriminator((images, labels), training=False)
            return {
                "logits": tf.cast(logits, tf.float32),
                "features": tf.cast(features, tf.float32),
            }

        networks.append(discriminator)
        signatures["discriminate"] = discriminate
    module = tf.Module()
    # A SavedModel contains the variables that are attributes of the saved module.
    module.weights = [variable.value for network in networks for variable in network.variables]
    tf.saved_model.save(module, path, signatures)


def _save_elsewhere(sampler: Sampler, discriminator: keras.Model | None, path: str) -> None:
    """Writes Keras files for a process in which TensorFlow is the backend."""
    networks = {_GENERATOR: sampler.network}
    if discriminator is not None:
        networks[_DISCRIMINATOR] = discriminator
    with tempfile.TemporaryDirectory() as folder:
        for name, network in networks.items():
            try:
                network.save(os.path.join(folder, name))
            except NotImplementedError as error:
                raise UserError(
                    f"Under JAX a SavedModel is made from a Keras file, for which '{network.name}' "
                    "must implement get_config."
                ) from error
        facts = {
            "z_dim": sampler.z_dim,
            "image_shape": list(sampler.image_shape),
            "num_classes": sampler.num_classes,
        }
        with open(os.path.join(folder, _SAMPLER), "w", encoding="utf-8") as file:
            json.dump(facts, file)
        environment = os.environ | {
            "KERAS_BACKEND": "tensorflow",
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            "CUDA_VISIBLE_DEVICES": "",  # JAX has the memory of the GPUs.
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        environment.pop("XLA_FLAGS", None)  # TensorFlow does not know all flags of JAX.
        # The modules of the layers register their classes.
        modules = {type(each).__module__ for n in networks.values() for each in n._flatten_layers()}
        imports = ", ".join(sorted(modules - {"__main__"} | {__name__}))
        code = f"import {imports}; {__name__}.main()"
        done = subprocess.run(
            [sys.executable, "-c", code, folder, os.path.abspath(path)],
            cwd=folder,  # Python imports from there first.
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise UserError(f"TensorFlow cannot write the SavedModel: {reason}")


def main() -> None:
    """Writes a SavedModel of the networks in a folder: `sys.argv` is (…, folder, path)."""
    _, folder, path = sys.argv
    with open(os.path.join(folder, _SAMPLER), encoding="utf-8") as file:
        facts: dict[str, Any] = json.load(file)
    generator, discriminator = (
        keras.saving.load_model(os.path.join(folder, name), compile=False)
        if os.path.exists(os.path.join(folder, name))
        else None
        for name in (_GENERATOR, _DISCRIMINATOR)
    )
    height, width, channels = facts["image_shape"]
    sampler = Sampler(
        generator, facts["z_dim"], (height, width, channels), num_classes=facts["num_classes"]
    )
    save(sampler, discriminator, path)
