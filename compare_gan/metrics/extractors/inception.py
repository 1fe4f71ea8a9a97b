"""The canonical Inception network, which published FID and Inception Scores come from."""

import hashlib
import os

import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics import tfgan
from compare_gan.metrics.extractors.base import Extractor

_SIZE = 299
_OUTPUTS = {"pool_3": 2048, "logits": 1008}


@registry.register("extractor", "inception", paper="https://arxiv.org/abs/1512.00567")
class Inception(Extractor):
    """The canonical TF-Slim Inception of 2015, as TF-GAN publishes it on TF-Hub.

    Features: `pool_3` [n, 2048]; logits [n, 1008]. Images are resized as in the first FID code:
    bilinear as TensorFlow 1 did it, then (x - 128) / 128.

    Args:
      path: Folder of the unpacked TF-Hub module; None = the one that TF-Hub has cached
        (TFHUB_CACHE_DIR), downloaded if it is not there.

    Raises:
      UserError: The network cannot be had, or is not the canonical one by its outputs.
    """

    name = "inception"
    resizer = f"TF1 bilinear, no antialiasing, to {_SIZE}x{_SIZE}; gray repeated to RGB"
    canonical = True

    def __init__(self, path: str | None = None):
        tfgan_eval = tfgan.load().eval
        import tensorflow_hub

        if path is not None and not os.path.isfile(os.path.join(path, "saved_model.pb")):
            raise UserError(f"inception.path: '{path}' holds no TF-Hub module (saved_model.pb).")
        source = path or tfgan_eval.INCEPTION_TFHUB
        try:
            folder = path or tensorflow_hub.resolve(source)
            self._module = tensorflow_hub.load(folder)
        except Exception as error:  # The network, the disk and TF-Hub raise many kinds.
            first = str(error).strip().split("\n", 1)[0]
            raise UserError(
                f"The canonical Inception cannot be had from '{source}' ({type(error).__name__}: "
                f"{first}); unpack the module elsewhere and set inception.path, or put it into "
                "TFHUB_CACHE_DIR."
            ) from error
        self.weights_hash = _hash_files(folder)
        self._check_outputs(folder)

    def forward(self, images):
        x = tf.cast(images, tf.float32)
        if x.shape[-1] == 1:
            x = tf.repeat(x, 3, axis=-1)
        x = tf.compat.v1.image.resize_bilinear(x, (_SIZE, _SIZE))
        outputs = self._module((x - 128.0) / 128.0)
        rows = tf.shape(images)[0]
        return tuple(tf.reshape(outputs[name], [rows, width]) for name, width in _OUTPUTS.items())

    def _check_outputs(self, folder):
        try:
            outputs = self._module(tf.zeros([1, _SIZE, _SIZE, 3]))
            found = {name: int(tf.size(value)) for name, value in outputs.items()}
        except Exception as error:  # A module may have any signature, and fail in any way.
            first = str(error).strip().split("\n", 1)[0]
            raise UserError(f"'{folder}' is not the canonical Inception: {first}") from error
        if any(found.get(name) != width for name, width in _OUTPUTS.items()):
            raise UserError(
                f"'{folder}' is not the canonical Inception: its outputs are {found}, which must "
                f"hold {_OUTPUTS}."
            )


def _hash_files(folder: str) -> str:
    """sha256 over the names and contents of the module's weights and graph, 16 digits."""
    digest = hashlib.sha256()
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            # The other files (assets, fingerprints) do not change what it computes.
            if name == "saved_model.pb" or name.startswith("variables."):
                digest.update(os.path.relpath(os.path.join(parent, name), folder).encode())
                with open(os.path.join(parent, name), "rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
    return digest.hexdigest()[:16]
