"""Twenty steps of S³GAN with everything on 1, 2 and 8 devices of JAX, and on two processes.

`python devices.py FOLDER KIND…` trains on each kind of devices and writes the state to a file.
"""

import pathlib
import sys

import jax
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations
from jax.sharding import Mesh

from compare_gan.engine.jax import Devices, Loop, make_strategy
from compare_gan.training.step import TrainStep

STEPS, BATCH, DISC_ITERS = 20, 8, 1


def train(devices: Devices) -> dict[str, np.ndarray]:
    """The losses, and all variables after the last step."""
    state = computations.make_state("dummy_arch", computations.EVERYTHING, DISC_ITERS)
    image_shape = state.gan.image_shape

    def make_batches(parts, own):
        return computations.batches(image_shape, DISC_ITERS, BATCH, parts, own[0])

    loop = Loop(TrainStep(state), make_batches, devices)
    first, second = loop.run(12), loop.run(STEPS - 12)
    result = {f"value/{name}": np.append(first[name], second[name]) for name in first}
    with loop.local_state():
        for name, variable in state.variables().items():
            result[f"state/{name}"] = np.asarray(variable.numpy())
    if devices.shard_state and len(devices.processes) == 1:
        # Every array that can be is divided: a device holds an eighth.
        shares = {
            variable.path: value.addressable_shards[0].data.size / value.size
            for variable in state.all_variables()
            for value in [variable.value]
            if any(size % devices.mesh.size == 0 for size in value.shape)
        }
        assert shares and set(shares.values()) == {1 / devices.mesh.size}, shares
    return result


def _devices(kind: str) -> Devices:
    if kind.startswith("processes"):
        devices = make_strategy("multi_worker", shard_state=kind.endswith("sharded"))
        assert len(devices.processes) == 2 and devices.num_replicas_in_sync == 4
        return devices
    count = int(kind.removesuffix("_sharded"))
    return Devices(Mesh(np.array(jax.devices()[:count]), ("batch",)), kind.endswith("sharded"))


if __name__ == "__main__":
    folder, *kinds = sys.argv[1:]
    for kind in kinds:
        result = train(_devices(kind))
        np.savez(pathlib.Path(folder) / f"{kind}-{jax.process_index()}.npz", **result)
