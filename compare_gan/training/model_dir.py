"""What a model directory holds, and how to read it back.

config.gin             every binding of the run, as parsed
operative_config.gin   what of it was used, defaults included
model.json             image shape, classes, data set: what sampling must know without data
checkpoints/           step-<n>: networks, optimizers, averaged weights, step, seed
samples/, samples.png  grids with fixed latents; real.png
log.jsonl, tensorboard/, losses.png
scores.csv, results.jsonl
DIVERGED               present if training ended in a value that was not finite
"""

import dataclasses
import json
import os

import gin
import keras
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.training import config
from compare_gan.training.checkpoints import Checkpoints, list_checkpoints, step_of
from compare_gan.training.options import Options
from compare_gan.training.state import TrainState
from compare_gan.utils import write_text

DIVERGED = "DIVERGED"
_CONFIG, _MODEL = "config.gin", "model.json"


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A generator read from a model directory, and what is needed to use it.

    Attributes:
      generator: Called as `generator((z, y), training=False)`; gives images in [0, 1].
      z_dim: Dimension of the latent.
      num_classes: Classes to condition on; None for an unconditional model.
      class_names: Their names, or None.
      image_shape: [H, W, C].
      step: Generator step of the checkpoint.
      averaged: Whether the weights are the moving average (EMA).
      state: Everything else: the GAN with its discriminator, optimizers, seed.
    """

    generator: keras.Model
    z_dim: int
    num_classes: int | None
    class_names: list[str] | None
    image_shape: tuple[int, int, int]
    step: int
    averaged: bool
    state: TrainState


def write_description(model_dir: str, dataset) -> None:
    """Saves the parsed config and what sampling must know of the data set."""
    write_text(model_dir, _CONFIG, gin.config_str())
    class_names = dataset.class_names
    model = {
        "dataset": dataset.name,
        "image_shape": [int(n) for n in dataset.image_shape],
        "num_classes": None if dataset.num_classes is None else int(dataset.num_classes),
        "class_names": None if class_names is None else [str(name) for name in class_names],
    }
    write_text(model_dir, _MODEL, json.dumps(model, indent=2) + "\n")


def config_path(model_dir: str) -> str:
    """The config that a model directory was made with.

    Raises:
      UserError: It is not a model directory.
    """
    path = os.path.join(model_dir, _CONFIG)
    if not os.path.isfile(path):
        raise UserError(f"'{model_dir}' is not a model directory: it has no {_CONFIG}.")
    return path


def refuse_diverged(model_dir: str) -> None:
    """Raises UserError if the run of this directory has diverged."""
    path = os.path.join(model_dir, DIVERGED)
    if os.path.exists(path):
        with open(path) as file:
            note = json.load(file)
        raise UserError(
            f"The run in '{model_dir}' diverged at step {note['step']} "
            f"({', '.join(note['terms'])}); delete the file {DIVERGED} there to go on from its "
            "last checkpoint all the same."
        )


def find_checkpoint(model_dir: str, checkpoint: str | int | None = None) -> str:
    """The path of a checkpoint: the newest (None), one by its step, or the path given.

    Raises:
      UserError: There is none; the message lists the steps that there are.
    """
    paths = list_checkpoints(model_dir)
    if checkpoint is None and paths:
        return paths[-1]
    for path in paths:
        if str(checkpoint) in (path, str(step_of(path))):
            return path
    if not paths:
        raise UserError(f"'{model_dir}' holds no checkpoint.")
    steps = ", ".join(str(step_of(path)) for path in paths)
    raise UserError(f"'{model_dir}' has no checkpoint {checkpoint}; its steps are {steps}.")


def load_trained(
    model_dir: str, checkpoint: str | int | None = None, use_ema: bool = True
) -> TrainedModel:
    """Rebuilds a trained model from its directory alone; reads no training data.

    Gin's bindings are replaced by those of the run.

    Args:
      model_dir: What `compare_gan train` wrote.
      checkpoint: A step, a path, or None for the newest.
      use_ema: Use the averaged generator weights where the run kept them.

    Raises:
      UserError: The directory or checkpoint is not there, or they do not fit each other.
    """
    config.parse([config_path(model_dir)])
    return restore_trained(model_dir, find_checkpoint(model_dir, checkpoint), use_ema)


def restore_trained(model_dir: str, checkpoint: str, use_ema: bool = True) -> TrainedModel:
    """`load_trained` under the bindings that gin holds now, for a checkpoint's path."""
    with open(os.path.join(model_dir, _MODEL)) as file:
        model = json.load(file)
    options = Options()
    gan = options.make_gan(tuple(model["image_shape"]), model["num_classes"])
    state = TrainState(gan, seed=0)
    Checkpoints(state, model_dir).restore(checkpoint)
    generator = state.make_sampling_generator()
    state.update_sampling_generator(generator, use_ema)
    tf.get_logger().debug("Restored %s.", checkpoint)
    return TrainedModel(
        generator=generator,
        z_dim=options.z_dim,
        num_classes=model["num_classes"] if gan.conditional else None,
        class_names=model["class_names"],
        image_shape=tuple(model["image_shape"]),
        step=int(state.step.numpy()),
        averaged=bool(state.ema) and use_ema,
        state=state,
    )
