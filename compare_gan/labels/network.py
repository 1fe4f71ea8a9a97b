"""The network that features come from: read from a file if it has been trained, else trained.

Trained weights are in `backbone-<key>.npz`, an unfinished training is in `pretext-<key>/`, both in
the folder of the labels or in `infer_labels.backbone_dir`. The key names everything that the
weights depend on, so that other labels with the same features find them.
"""

import dataclasses
import functools
import logging
import os
import shutil
from collections.abc import Callable

import keras

from compare_gan import backend, engine, locks
from compare_gan.labels.backbone import make_backbone
from compare_gan.labels.files import DAMAGED, WAITING, read_arrays, write_arrays
from compare_gan.labels.inputs import InferenceInputs, digest_of_key
from compare_gan.labels.pretext import PretextTask

_log = logging.getLogger(__name__)


def get_backbone(
    inputs: InferenceInputs, folder: str, strategy: engine.Strategy
) -> keras.Model | None:
    """The network as the options describe it, trained if necessary.

    Args:
      inputs: Images and given labels to train on, and the options.
      folder: Directory of the labels, and of the network where `infer_labels.backbone_dir` is None.
      strategy: Distribution strategy of the training.

    Returns:
      The network; None where features are raw pixels.

    Raises:
      DivergenceError: The training diverged.
    """
    options = inputs.options
    if not options.infer.uses_network:
        return None
    make = functools.partial(
        make_backbone, options.backbone, inputs.dataset.source.image_shape, options.infer.seed
    )
    backbone = make()
    if not options.infer.trains_network:
        return backbone
    path = network_path(inputs, folder, "backbone")
    weights = f"{path}.npz"
    if os.path.exists(weights) and restore_weights(backbone, weights):
        return backbone
    with locks.locked(f"{path}.lock", WAITING.format(os.path.dirname(path))):
        # Another process may have trained it meanwhile.
        if not (os.path.exists(weights) and restore_weights(backbone, weights)):
            checkpoints = network_path(inputs, folder, "pretext")
            _train(inputs, make, weights, checkpoints, strategy)
            restore_weights(backbone, weights)
    return backbone


def network_path(inputs: InferenceInputs, folder: str, prefix: str) -> str:
    """The path, without extension, of files that belong to the key of the network."""
    name = f"{prefix}-{digest_of_key(inputs.backbone_key())}"
    return os.path.join(inputs.options.infer.backbone_dir or folder, name)


def _train(
    inputs: InferenceInputs,
    make: Callable[..., keras.Model],
    weights: str,
    checkpoints: str,
    strategy: engine.Strategy,
) -> None:
    options, dataset = inputs.options, inputs.dataset
    with strategy.scope():
        backbone = make(synchronized=backend.num_replicas() > 1)
    supervised = options.infer.network_sees_labels
    if supervised:
        # The features of images whose labels the network has learned would make these labels look
        # easier than the others: held-out labels are hidden from it too.
        visible = inputs.given_mask & ~inputs.held_out_mask
        dataset = dataclasses.replace(dataset, given_mask=visible)
    task = PretextTask(backbone, dataset, options.pretext, supervised, options.infer.seed, strategy)
    task.train(checkpoints)
    write_arrays(weights, {str(i): v.numpy() for i, v in enumerate(backbone.variables)})
    # The checkpoints are needed only to resume the training.
    shutil.rmtree(checkpoints, ignore_errors=True)


def restore_weights(backbone: keras.Model, path: str) -> bool:
    """Sets the weights from a file; returns False, with a warning, where the file is damaged."""
    try:
        arrays = read_arrays(path)
        weights = [arrays[str(i)] for i in range(len(backbone.variables))]
    except DAMAGED as error:
        _log.warning("'%s' is damaged (%s): the network is trained anew.", path, error)
        return False
    backbone.set_weights(weights)
    return True
