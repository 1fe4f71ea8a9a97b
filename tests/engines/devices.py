"""Twenty steps of S³GAN with everything on 1, 2 and 8 devices of JAX, and on two processes.

`python devices.py FILE KIND` trains on one KIND of devices and writes the weights to FILE.
"""

import os
import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import computations
from jax.sharding import Mesh

from compare_gan.engine.jax import Devices, Loop, make_strategy
from compare_gan.training.step import TrainStep

STEPS, BATCH, DISC_ITERS = 20, 8, 2


def train(devices: Devices) -> dict[str, np.ndarray]:
    """The losses, and all variables after the last step."""
    state = computations.make_state("dummy_arch", computations.EVERYTHING, DISC_ITERS)
    image_shape = state.gan.image_shape

    def make_batches(parts, own):
        return computations.batches(image_shape, DISC_ITERS, BATCH, parts, own[0])

    loop = Loop(TrainStep(state), make_batches, devices)
    first, second = loop.run(12), loop.run(STEPS - 12)
    result = {f"value/{name}": np.append(first[name], second[name]) for name in first}
    for name, variable in state.variables().items():
        result[f"state/{name}"] = variable.numpy()
    if devices.shard_state and len(devices.processes) == 1:
        # Every array that can be is divided: a device holds an eighth.
        shares = [
            value.addressable_shards[0].data.size / value.size
            for value in (variable.value for variable in state.all_variables())
            if max(value.shape, default=0) % devices.mesh.size == 0 and value.size
        ]
        assert shares and set(shares) == {1 / devices.mesh.size}
    return result


if __name__ == "__main__":
    file, kind = sys.argv[1:]
    if kind == "processes":
        devices = make_strategy("multi_worker", shard_state="SHARD" in os.environ)
        assert len(devices.processes) == 2 and devices.num_replicas_in_sync == 4
    else:
        count = int(kind.removesuffix("_sharded"))
        devices = Devices(
            Mesh(np.array(jax.devices()[:count]), ("batch",)), kind.endswith("_sharded")
        )
    np.savez(file, **train(devices))
