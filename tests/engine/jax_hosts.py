"""Two processes of JAX that train together: their seed, and an error of the first one.

`python jax_hosts.py FOLDER` with COORDINATOR_ADDRESS, NUM_PROCESSES and PROCESS_ID set.
"""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
if __name__ == "__main__":
    sys.modules["tensorflow"] = None  # Keras would import it with a seed, which takes seconds.
import jax
import numpy as np
from jax_engine import AddingStep

from compare_gan import config, engine
from compare_gan.errors import UserError
from compare_gan.evaluation import spread
from compare_gan.evaluation.image_sets import GeneratedImages
from compare_gan.evaluation.no_extractor import NO_EXTRACTOR
from compare_gan.metrics import PixelMemorization
from compare_gan.sampling import Sampler
from compare_gan.training import Experiment, RunDir
from compare_gan.training.trainer import Trainer

_CONFIG = """
options.gan_class = @ModularGAN
options.architecture = "dummy_arch"
options.batch_size = 4
options.training_steps = 1
options.z_dim = 2
dataset.name = "synthetic"
dataset.image_size = 8
run_config.compilation_cache = False
"""


def check_seed(folder):
    """Without a seed in the config, both processes draw the first one's."""
    config.parse([], _CONFIG.strip().splitlines())
    trainer = Trainer(Experiment.from_gin(), RunDir(folder))
    weights = [v.numpy() for v in trainer.gan.generator_variables]
    sums = [float(np.sum(weight, dtype=np.float64)) for weight in weights]
    return int(trainer.state.seed), sums


def check_images(strategy):
    """The greatest difference of images that both processes draw from those that one draws."""
    peers = engine.peers(strategy)
    assert (peers.count, peers.index, len(peers.devices)) == (2, jax.process_index(), 1)
    sampler = Sampler(lambda inputs, training: inputs[0].reshape(-1, 8, 8, 3), 192, (8, 8, 3))
    [images] = GeneratedImages.of(sampler, 30, [0], weights="raw", devices=peers.devices)
    with spread.ending_together(peers):
        shared = list(spread.gathered(images, [PixelMemorization()], NO_EXTRACTOR, 4, peers))
    found, alone = (
        np.concatenate([batch.images for batch in batches]).astype(int)
        for batches in (shared, images.batches(4))
    )
    assert found.shape == (30, 8, 8, 3) and found.std() > 10
    return np.abs(found - alone).max()


def check_error(folder, strategy, failing):
    """An error of the first process in a callback ends both."""

    class Failing(engine.Callback):
        every = 2

        def _fail(self, name):
            if name == failing:
                raise OSError("no space left")

        def on_begin(self, step):
            self._fail("on_begin")

        def on_steps(self, step, history, seconds):
            self._fail("on_steps")

        def on_due(self, step):
            self._fail("on_due")

    step = AddingStep(processes=2)
    loop = engine.Loop(step, step.batches, strategy)
    checkpoints = engine.Checkpoints(step, os.path.join(folder, failing))
    try:
        engine.fit(loop, checkpoints, [Failing()], last_step=4)
    except OSError as error:
        return str(error)
    except UserError as error:
        return str(error)
    raise AssertionError("no error")


def main(folder):
    before = signal.getsignal(signal.SIGTERM)
    strategy = engine.make_strategy("multi_worker")
    assert signal.getsignal(signal.SIGTERM) == before  # JAX has not taken it.
    for number in (7, 2**31 - 1):
        mine = number if jax.process_index() == 0 else 3
        assert engine.agree_on(mine, strategy) == number
    bits = np.array([0, 1, 1]) if jax.process_index() == 0 else np.zeros(3, int)
    assert engine.of_first(bits, strategy).tolist() == [0, 1, 1]
    print("seed", *check_seed(folder), sep=" | ")
    print("images", check_images(strategy), sep=" | ")
    for failing in ("on_begin", "on_steps", "on_due"):
        print("error", failing, check_error(folder, strategy, failing), sep=" | ", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
