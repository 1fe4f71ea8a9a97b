"""Numbers of R3GAN's program, and networks with its weights."""

import pathlib
import re
import zlib

import numpy as np

_PATH = pathlib.Path(__file__).parents[1] / "data" / "r3gan_golden.npz"
# The small networks of the recorded numbers: widths 16, 16 and 8 with 4, 4 and 2 groups.
TINY = {"ch": 16, "group_size": 8, "full_width_size": 8, "blocks_per_size": 1}


def read_numbers():
    """All recorded arrays by key."""
    with np.load(_PATH, allow_pickle=False) as arrays:
        return dict(arrays)


def recorded_name(variable, num_sizes):
    """The name of a variable in the recorded numbers, without that of its network."""
    network, name = variable.path.split("/", 1)
    # The authors count the discriminator's stages in the order of computation.
    last = num_sizes - 1 if network == "discriminator" else 0
    for ours, theirs in {
        "seed/": "stage0/transition/",
        "fc_noise/": "stage0/transition/dense/",
        "pool/": f"stage{last}/transition/",
        "fc/": f"stage{last}/transition/dense/",
        "embed_y/": "embed/",
    }.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)

    def stage(match):
        part = "transition/" if match[2] in ("up", "down") else f"{match[2]}/"
        return f"stage{abs(last - int(match[1]))}/{part}"

    return re.sub(r"^stage(\d)_(\w+)/", stage, name)


def fill(network, numbers, section):
    """Assigns the recorded weights of `uncond` or `cond`; returns the variables by name.

    They are recorded as a recipe: draws that follow from the name, with an offset and a scale.
    """
    letter = network.name[0]
    scope = f"r3gan/{letter}_cond/" if section == "cond" else f"r3gan/{letter}/"
    recorded = {
        key: [numbers[f"r3gan/{section}/weights/{column}"][i] for column in ("offsets", "scales")]
        for i, key in enumerate(numbers[f"r3gan/{section}/weights/names"])
        if key.startswith(scope)
    }
    variables = {scope + recorded_name(v, num_sizes=3): v for v in network.trainable_variables}
    assert variables.keys() == recorded.keys()
    for name, (offset, scale) in recorded.items():
        draws = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
        variables[name].assign(offset + scale * draws.normal(size=variables[name].shape))
    return variables
