"""Trains runs on the current Keras backend: `python runs.py FOLDER STEPS [FOLDER STEPS …]`.

With STEPS = `killed` the process ends, as by `kill -9`, in the step after the first checkpoint.
"""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations

from compare_gan import config, registry
from compare_gan.training import Experiment, RunDir
from compare_gan.training.trainer import Trainer

SAVE_EVERY = 5
_CONFIG = f"""
{computations.EVERYTHING}
ModularGAN.conditional = True
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
weights.initializer = "orthogonal"
options.architecture = "dummy_arch"
options.batch_size = 4
options.disc_iters = 2
options.z_dim = 8
dataset.name = "synthetic"
synthetic.num_examples = 40
dataset.image_size = 8
z.distribution_fn = @tf.random.normal
run_config.tf_random_seed = 7
run_config.iterations_per_loop = 1
run_config.save_checkpoints_steps = {SAVE_EVERY}
cosine_decay.steps = {2 * SAVE_EVERY}
"""


def train(folder: str, steps: int, batches=None) -> None:
    """Trains the run to this step, from its newest checkpoint."""
    for kind in ("architecture", "augmentation", "gan", "loss", "penalty", "schedule"):
        registry.load(kind)
    config.parse([], [*_CONFIG.strip().splitlines(), f"options.training_steps = {steps}"])
    trainer = Trainer(Experiment.from_gin(), RunDir(folder))
    if batches:
        trainer.loop.iterator = batches(trainer)
    trainer.train()


def _killed_after_a_checkpoint(trainer: Trainer):
    for i, batch in enumerate(trainer.batches()):
        if i > SAVE_EVERY:
            while not trainer.run.list_checkpoints()[1:]:  # The first is that of step 0.
                time.sleep(0.01)
            os._exit(9)
        yield batch


if __name__ == "__main__":
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    for folder, steps in pairs:
        if steps == "killed":
            train(folder, 2 * SAVE_EVERY, _killed_after_a_checkpoint)
        else:
            train(folder, int(steps))
