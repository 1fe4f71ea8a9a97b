"""Trains tiny runs on JAX: `python divergence_on_jax.py FOLDER`; prints findings as JSON."""

import json
import os
import sys

if os.environ["KERAS_BACKEND"] == "jax":
    sys.modules["tensorflow"] = None  # Keras would import it with a seed, which takes seconds.

import numpy as np

from compare_gan import config, engine, registry
from compare_gan.training import Experiment, RunDir, Trainer
from compare_gan.training.recorder import Recorder

_CONFIG = (
    "options.gan_class = @ModularGAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 4",
    "options.training_steps = 4",
    "options.z_dim = 4",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 8",
    "synthetic.num_examples = 40",
    "D.spectral_norm = True",
    "run_config.tf_random_seed = 3",
    "run_config.iterations_per_loop = 1",
    "run_config.save_checkpoints_steps = 2",
)


def _train(folder: str, *bindings: str) -> dict[str, np.ndarray]:
    config.parse([], [*_CONFIG, *bindings])
    Trainer(Experiment.from_gin(), RunDir(folder)).train()
    return engine.read_checkpoint(RunDir(folder).list_checkpoints()[-1])


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def main(folder: str) -> None:
    for kind in ("architecture", "gan", "normalization", "optimizer", "schedule"):
        registry.load(kind)
    watched = os.path.join(folder, "watched")
    with_monitors = _train(watched)
    without = _train(os.path.join(folder, "not_watched"), "run_config.monitors = False")
    with open(os.path.join(watched, "monitors.jsonl")) as file:
        rows = [json.loads(line) for line in file]

    record, left = Recorder.on_steps, [1]

    def break_once(self, step, history, seconds):
        record(self, step, history, seconds)
        if step == 3 and left[0]:
            left[0] -= 1
            weight = self._state.gan.generator.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.inf))

    Recorder.on_steps = break_once
    broken = os.path.join(folder, "broken")
    back = _train(broken, "run_config.on_divergence = 'rollback'")
    print(
        json.dumps(
            {
                "same with and without monitors": _same(with_monitors, without),
                "values": sorted(rows[-1]["values"]),
                "rollbacks": [entry.checkpoint for entry in RunDir(broken).rollbacks.read()],
                "same after a rollback": _same(with_monitors, back),
                "finite after a rollback": all(np.all(np.isfinite(v)) for v in back.values()),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
