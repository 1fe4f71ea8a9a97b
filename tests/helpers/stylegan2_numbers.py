"""Numbers of StyleGAN2, recorded from its authors' program, and the weights that give them."""

import functools
import pathlib
import zlib

import numpy as np

_FILE = pathlib.Path(__file__).parents[1] / "data" / "stylegan2_golden.npz"
# Parts of our paths, in order, and those of the recorded names.
_RENAMED = (
    ("synthesis/constant", "synthesis/b4/const"),
    ("_to_image", "/torgb"),
    ("_from_image", "/fromrgb"),
    ("noise/strength", "noise_strength"),
    ("noise/noise", "noise_const"),
    ("/conv/kernel", "/kernel"),
    ("/conv/bias", "/bias"),
    ("/conv/affine", "/affine"),
    ("kernel", "weight"),
)
_LAST_LAYERS = ("conv", "fc", "out")  # Of the discriminator: at 4 x 4.


@functools.cache
def golden() -> dict[str, np.ndarray]:
    """All arrays by key, without the prefix `stylegan2/`."""
    with np.load(_FILE, allow_pickle=False) as arrays:
        return {key.removeprefix("stylegan2/"): arrays[key] for key in arrays.files}


@functools.cache
def _distributions() -> dict[str, tuple[float, float]]:
    """Offset and scale of the weight of each name."""
    columns = (golden()[f"weights/{key}"] for key in ("names", "offsets", "scales"))
    return {str(name): (offset, scale) for name, offset, scale in zip(*columns, strict=True)}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a recorded name, `<section>/<path>`."""
    name = f"stylegan2/{name}"
    offset, scale = _distributions()[name]
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    return (offset + scale * random.normal(size=shape)).astype(np.float32)


def recorded_name(path: str) -> str:
    """The recorded path for that of a variable in a network, whose name it leaves out."""
    own = path.split("/")
    if own[1] in _LAST_LAYERS:
        return f"b4/{'/'.join(own[1:])}".replace("kernel", "weight")
    for old, new in _RENAMED:
        path = path.replace(old, new)
    parts = path.split("/")[1:]
    return "/".join(parts[1:] if parts[0] in ("synthesis", "trunk") else parts)


def load(network, **sections: str) -> None:
    """Gives the variables of a network the recorded values.

    Args:
      network: Generator or discriminator, built.
      **sections: Section of the weights by the layer of the network that they are for; `others`
        for all other layers.
    """
    for variable in network.variables:
        layer = variable.path.split("/")[1]
        if variable.name != "average":
            section = sections.get(layer) or sections["others"]
            name = recorded_name(variable.path)
            if layer == "mapping" and layer in sections:
                name = name.removeprefix("mapping/")
            variable.assign(weight(f"{section}/{name}", variable.shape))
