"""What a model directory holds, and how to read it back.

config.gin             every binding of the run, as parsed
operative_config.gin   what of it was used, defaults included
model.json             image shape, classes, data set: what sampling must know without data
checkpoints/           step-<n>: networks, optimizers, averaged weights, step, seed
labels/                inferred labels, where the config asks for them (see labels/files.py)
training_labels.json   description of the inferred labels of the run, see labels/files.py, or null
samples/, samples.png  grids with fixed latents; real.png
metrics/               pictures of metrics, where evaluation.pictures asks for them
log.jsonl, tensorboard/, losses.png
scores.csv, results.jsonl
DIVERGED               present if training ended in a value that was not finite
"""

import dataclasses
import json
import logging
import os
from collections.abc import Mapping, Sequence

import gin

from compare_gan import config, files
from compare_gan.datasets import EvaluationLatents
from compare_gan.engine.checkpoints import Checkpoints, list_checkpoints, step_of
from compare_gan.errors import UserError
from compare_gan.evaluation.results import upgrade_training_labels
from compare_gan.sampling import Sampler, StandingStatistics
from compare_gan.training.options import Options
from compare_gan.training.state import TrainState

_log = logging.getLogger(__name__)

DIVERGED = "DIVERGED"
_CONFIG, _MODEL, _LABELS = "config.gin", "model.json", "training_labels.json"


@dataclasses.dataclass(frozen=True)
class RestoredModel:
    """A model read from a checkpoint of a run.

    Attributes:
      sampler: Its generator, ready to draw from.
      step: Generator step of the checkpoint.
      averaged: Whether the sampler's weights are the moving average (EMA).
      state: Everything else: the GAN with its discriminator, optimizers, seed.
    """

    sampler: Sampler
    step: int
    averaged: bool
    state: TrainState


def write_description(model_dir: str, dataset) -> None:
    """Saves the parsed config and what sampling must know of the data set.

    Warns where a run goes on with another config than it was begun with.
    """
    bindings = gin.config_str()
    path = os.path.join(model_dir, _CONFIG)
    if os.path.exists(path):
        with open(path) as file:
            before = _lines(file.read())
        changed = [
            line for line in sorted(before ^ _lines(bindings)) if "training_steps" not in line
        ]
        if changed:
            _log.warning("This run was begun with another config: %s.", "; ".join(changed))
    files.write_text(os.path.join(model_dir, _CONFIG), bindings)
    class_names = dataset.class_names
    model = {
        "dataset": dataset.name,
        "image_shape": [int(n) for n in dataset.image_shape],
        "num_classes": None if dataset.num_classes is None else int(dataset.num_classes),
        "class_names": None if class_names is None else [str(name) for name in class_names],
    }
    files.write_json(os.path.join(model_dir, _MODEL), model)


def check_training_labels(model_dir: str, description: Mapping[str, object] | None) -> None:
    """Raises UserError if the run has been trained on other inferred labels, or on given ones.

    Args:
      model_dir: Directory of the run.
      description: `InferredLabels.description` of its data set, whose labels may be pending; None
        without inferred labels.
    """
    if not os.path.exists(os.path.join(model_dir, _LABELS)):
        return
    before = training_labels(model_dir)
    if before is not None and description is not None and "hash" not in description:
        del before["hash"]  # The other hash is not known yet.
    earlier, now = _in_words(before), _in_words(description)
    if earlier != now:
        raise UserError(
            f"The run in '{model_dir}' was trained on {earlier} until now, the config asks for "
            f"{now}: choose another --model_dir, or delete {_LABELS} there to go on all the same."
        )


def _in_words(description: Mapping[str, object] | None) -> str:
    if description is None:
        return "given labels"
    kind = "soft" if description["soft"] else "hard"
    details = str(description["method"])
    if "hash" in description:
        details += f", hash {description['hash']}"
    return f"{kind} labels inferred from {description['features']} features ({details})"


def write_training_labels(model_dir: str, description: Mapping[str, object] | None) -> None:
    """Saves the description of the inferred labels that the run is trained on, or None."""
    files.write_json(os.path.join(model_dir, _LABELS), description)


def training_labels(model_dir: str) -> dict[str, object] | None:
    """The description of the inferred labels that a run is trained on; None without any."""
    path = os.path.join(model_dir, _LABELS)
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return upgrade_training_labels(json.load(file))


def write_operative_config(model_dir: str) -> None:
    """Saves all that has been used of the config until now, defaults included."""
    files.write_text(os.path.join(model_dir, "operative_config.gin"), gin.operative_config_str())


def write_divergence(model_dir: str, step: int, terms: Sequence[str]) -> None:
    """Marks a run as diverged."""
    files.write_json(os.path.join(model_dir, DIVERGED), {"step": step, "terms": list(terms)})


def config_path(model_dir: str) -> str:
    """The config that a model directory was made with.

    Raises:
      UserError: It is not a model directory.
    """
    path = os.path.join(model_dir, _CONFIG)
    if not os.path.isfile(path):
        raise UserError(f"'{model_dir}' is not a model directory: it has no {_CONFIG}.")
    return path


def refuse_unsuitable(model_dir: str) -> None:
    """Raises UserError if a run cannot be written to, or go on in, this directory.

    That is so where a file is in its place, its run has diverged, or had other networks than the
    config that gin holds.
    """
    if os.path.exists(model_dir) and not os.path.isdir(model_dir):
        raise UserError(f"--model_dir '{model_dir}' is a file, not a directory.")
    path = os.path.join(model_dir, DIVERGED)
    if os.path.exists(path):
        with open(path) as file:
            note = json.load(file)
        raise UserError(
            f"The run in '{model_dir}' diverged at step {note['step']} "
            f"({', '.join(note['terms'])}); delete the file {DIVERGED} there to go on from its "
            "last checkpoint all the same."
        )
    path = os.path.join(model_dir, _CONFIG)
    if os.path.exists(path):
        with open(path) as file:
            before, now = (_values(text) for text in (file.read(), gin.config_str()))
        for key in ("options.gan_class", "options.architecture", "options.z_dim"):
            if key in before and key in now and before[key] != now[key]:
                raise UserError(
                    f"{key} is {now[key]}, but the run in '{model_dir}' has {before[key]}: choose "
                    "another --model_dir."
                )


def checkpoint_dir(model_dir: str) -> str:
    """The folder of the checkpoints."""
    return os.path.join(model_dir, "checkpoints")


def find_checkpoint(model_dir: str, checkpoint: str | int) -> str:
    """The path of a checkpoint that is given by its step or its path.

    Raises:
      UserError: There is none; the message lists the steps that there are.
    """
    paths = list_checkpoints(checkpoint_dir(model_dir))
    for path in paths:
        if str(checkpoint) in (path, str(step_of(path))):
            return path
    if not paths:
        raise UserError(f"'{model_dir}' holds no checkpoint.")
    steps = ", ".join(str(step_of(path)) for path in paths)
    raise UserError(f"'{model_dir}' has no checkpoint {checkpoint}; its steps are {steps}.")


def load_trained(
    model_dir: str, checkpoint: str | int | None = None, use_ema: bool = True
) -> RestoredModel:
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
    path = None if checkpoint is None else find_checkpoint(model_dir, checkpoint)
    return restore_trained(model_dir, path, use_ema)


def restore_trained(
    model_dir: str, checkpoint: str | None = None, use_ema: bool = True
) -> RestoredModel:
    """`load_trained` under the bindings that gin holds now.

    Args:
      model_dir: What `compare_gan train` wrote.
      checkpoint: A path, or None for the newest that can be read.
      use_ema: Use the averaged generator weights where the run kept them.

    Raises:
      UserError: There is no checkpoint, or it is damaged or of another model.
    """
    with open(os.path.join(model_dir, _MODEL)) as file:
        model = json.load(file)
    options = Options()
    gan = options.make_gan(tuple(model["image_shape"]), model["num_classes"])
    state = TrainState(gan, seed=0, optimization=options.optimization)
    checkpoints = Checkpoints(state, checkpoint_dir(model_dir))
    if checkpoint is not None:
        checkpoints.restore(checkpoint)
    elif checkpoints.restore_newest() is None:
        raise UserError(f"'{model_dir}' holds no checkpoint.")
    generator = state.make_sampling_generator()
    state.update_sampling_generator(generator, use_ema)
    sampler = Sampler(
        generator,
        options.z_dim,
        tuple(model["image_shape"]),
        num_classes=model["num_classes"] if gan.conditional else None,
        class_names=model["class_names"],
        distribution=EvaluationLatents(),
        standing_statistics=StandingStatistics(),
    )
    return RestoredModel(
        sampler=sampler,
        step=int(state.step.numpy()),
        averaged=bool(state.ema) and use_ema,
        state=state,
    )


def _lines(bindings: str) -> set[str]:
    return {line for line in bindings.splitlines() if line and not line.startswith("#")}


def _values(bindings: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in _lines(bindings) if " = " in line)
