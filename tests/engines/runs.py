"""Trains runs to their end on the current Keras backend: `python runs.py FOLDER…`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations

from compare_gan import config, registry
from compare_gan.training import Experiment, RunDir
from compare_gan.training.trainer import Trainer

SAVE_EVERY = 3
STEPS = 2 * SAVE_EVERY
_CONFIG = f"""
{computations.EVERYTHING}
ModularGAN.conditional = True
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
weights.initializer = "orthogonal"
options.architecture = "dummy_arch"
options.batch_size = 4
options.training_steps = {STEPS}
options.z_dim = 8
dataset.name = "synthetic"
synthetic.num_examples = 40
dataset.image_size = 8
z.distribution_fn = @tf.random.normal
run_config.tf_random_seed = 7
run_config.iterations_per_loop = 1
run_config.save_checkpoints_steps = {SAVE_EVERY}
cosine_decay.steps = {STEPS}
"""


def train(folder: str) -> None:
    """Trains the run to its end, from its newest checkpoint."""
    for kind in ("architecture", "augmentation", "gan", "loss", "penalty", "schedule"):
        registry.load(kind)
    config.parse([], _CONFIG.strip().splitlines())
    Trainer(Experiment.from_gin(), RunDir(folder)).train()


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        train(folder)
