"""Sources of weights of 2019: TensorFlow 1 checkpoints and TF-Hub modules.

Files are read as data, by TensorFlow under every Keras backend; nothing in them is executed.
"""

import contextlib
import dataclasses
import os
import re
import tempfile
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from compare_gan import paths
from compare_gan.errors import UserError
from compare_gan.metrics import tfgan
from compare_gan.startup import import_tensorflow
from compare_gan.unpacking import DAMAGED, open_tar

if TYPE_CHECKING:
    from tensorflow.core.protobuf import meta_graph_pb2

_Message = TypeVar("_Message", bound=Any)

EMA = "/ExponentialMovingAverage"
_HUB = "https://tfhub.dev/"
_HANDLE = re.compile(r"google/compare_gan/\w+/\d+")
_MODULE = "saved_model.pb"
_NETWORKS = ("generator/", "discriminator/", "discriminator_")


@dataclasses.dataclass(frozen=True)
class GraphFacts:
    """Facts that the graph saved with the weights shows; None where it does not show one.

    Attributes:
      z_dim: Dimension of the latent.
      image_shape: (H, W, C) of the generated images.
      epsilon: Number that batch norms add to the variance.
    """

    z_dim: int | None = None
    image_shape: tuple[int, int, int] | None = None
    epsilon: float | None = None


class WeightsSource:
    """The variables of a TensorFlow 1 checkpoint, by their names.

    Args:
      prefix: Path of the checkpoint, without `.index`.
      graphs: Graphs that were saved with it.
      plain: Path that TensorFlow reads instead (see `paths.plain`).

    Attributes:
      prefix: Path of the checkpoint.
      shapes: Shape of each weight, statistic and singular vector (`…/kernel/u_var`) by name;
        without averages, variables of optimizers and counters.
      averages: Shapes of the moving averages by the name of the weight.
      step: Number of generator steps of the training; 0 if the checkpoint does not have it.
      facts: Facts that the graphs show.

    Raises:
      UserError: The files cannot be read or contain no generator.
    """

    def __init__(
        self, prefix: str, graphs: "list[meta_graph_pb2.MetaGraphDef]", plain: str | None = None
    ):
        import tensorflow as tf

        self.prefix = prefix
        self._plain = plain or prefix
        try:
            self._reader = tf.train.load_checkpoint(self._plain)
        except (tf.errors.OpError, ValueError) as error:
            raise self._damaged(error) from error
        shapes: dict[str, tuple[int, ...]] = {
            name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()
        }
        if not any(name.startswith("generator/") for name in shapes):
            raise UserError(
                f"'{prefix}' is no checkpoint of the 2019 library: none of its {len(shapes)} "
                "variables is named generator/…."
            )
        self.averages: dict[str, tuple[int, ...]] = {
            n.removesuffix(EMA): s for n, s in shapes.items() if n.endswith(EMA)
        }
        self.shapes: dict[str, tuple[int, ...]] = {
            name: shape
            for name, shape in sorted(shapes.items())
            if not _is_counter(name, shape) and not _belongs_to_a_weight(name, shapes)
        }
        self.step = int(self.read("global_step")) if "global_step" in shapes else 0
        self.facts = _facts(graphs)

    def read(self, name: str) -> np.ndarray:
        """The value of a variable."""
        import tensorflow as tf

        try:
            return self._reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, IndexError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        first = str(error).strip().split("\n", 1)[0].replace(self._plain, self.prefix)
        return UserError(f"'{self.prefix}' cannot be read as a TensorFlow 1 checkpoint: {first}")


def _is_counter(name: str, shape: tuple[int, ...]) -> bool:
    """Whether it is a step or Adam's `beta1_power`, which may be in a network's scope."""
    in_network = name.startswith(_NETWORKS) and "_power" not in name
    return shape == () and not in_network


def _belongs_to_a_weight(name: str, shapes: Container[str]) -> bool:
    """Whether it is a moving average or an optimizer's slot, named `<weight>/<kind>`."""
    weight, _, kind = name.rpartition("/")
    return weight in shapes and kind != "u_var"


@contextlib.contextmanager
def open_source(path: str) -> Iterator[WeightsSource]:
    """Opens the weights that `compare_gan import-weights` was given.

    Args:
      path: Prefix of a checkpoint, directory with a file `checkpoint`, directory of a TF-Hub
        module, such a module as `.tar.gz`, or its handle (`google/compare_gan/…/1` or a
        URL), which is downloaded to TF-Hub's cache.

    Raises:
      UserError: It is none of these or is damaged, or TensorFlow is not installed.
    """
    import_tensorflow("The import of a model of the 2019 library")
    with contextlib.ExitStack() as stack:
        if path.startswith(("http://", "https://")):
            path = _download(path)
        elif _HANDLE.fullmatch(path) and not os.path.exists(path):
            path = _download(_HUB + path)
        if os.path.isfile(path) and path.endswith((".tar.gz", ".tgz", ".tar")):
            path = _unpack(path, stack.enter_context(tempfile.TemporaryDirectory()))
        yield _open(path, stack)


def _open(path: str, stack: contextlib.ExitStack) -> WeightsSource:
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    if os.path.isfile(os.path.join(path, _MODULE)):
        saved = _parse(saved_model_pb2.SavedModel(), os.path.join(path, _MODULE))
        prefix = os.path.join(path, "variables", "variables")
        plain = stack.enter_context(paths.plain(prefix))
        return WeightsSource(prefix, list(saved.meta_graphs), plain)
    prefix = path
    if os.path.isfile(os.path.join(path, "checkpoint")):
        # Not `latest_checkpoint`, which takes the path for a pattern.
        state = tf.train.get_checkpoint_state(path)
        prefix = state.model_checkpoint_path if state else path
    prefix = prefix.removesuffix(".index")
    if not os.path.isfile(f"{prefix}.index"):
        raise UserError(
            f"'{path}' is neither a TensorFlow 1 checkpoint (a prefix, or a directory with a file "
            f"'checkpoint') nor a TF-Hub module (a directory with {_MODULE}, or its .tar.gz)."
        )
    graphs = []
    if os.path.isfile(f"{prefix}.meta"):
        graphs = [_parse(meta_graph_pb2.MetaGraphDef(), f"{prefix}.meta")]
    return WeightsSource(prefix, graphs, stack.enter_context(paths.plain(prefix)))


def _parse(message: _Message, path: str) -> _Message:
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        try:
            message.ParseFromString(file.read())
        except DecodeError as error:
            raise UserError(f"'{path}' is damaged: it contains no TensorFlow graph.") from error
    return message


def _unpack(path: str, folder: str) -> str:
    """Unpacks an archive into a folder; returns the directory of the module in it."""
    try:
        with open_tar(path) as archive:
            archive.extractall(folder, filter="data")  # Refuses paths that lead elsewhere.
    except UserError:
        raise
    except DAMAGED as error:
        raise UserError(f"'{path}' cannot be unpacked: {error}") from error
    for parent, _, files in os.walk(folder):
        if _MODULE in files or "checkpoint" in files:
            return parent
    raise UserError(f"'{path}' contains no TF-Hub module: there is no {_MODULE} in it.")


def _download(url: str) -> str:
    hub = tfgan.load_hub()
    try:
        return hub.resolve(url)
    except Exception as error:  # The network, the disk and TF-Hub raise many kinds.
        first = str(error).strip().split("\n", 1)[0]
        raise UserError(
            f"'{url}' cannot be downloaded ({type(error).__name__}: {first}); fetch the module's "
            ".tar.gz elsewhere and give its path."
        ) from error


def _facts(graphs: "list[meta_graph_pb2.MetaGraphDef]") -> GraphFacts:
    signatures = [s for graph in graphs for s in graph.signature_def.values()]
    z = next((_dims(s.inputs["z"]) for s in signatures if "z" in s.inputs), ())
    images = (_dims(s.outputs["generated"]) for s in signatures if "generated" in s.outputs)
    image = next(images, ())
    image_shape = None
    if len(image) == 4 and min(image[1:]) > 0:
        image_shape = (image[1], image[2], image[3])
    return GraphFacts(
        z_dim=z[-1] if z and z[-1] > 0 else None,
        image_shape=image_shape,
        epsilon=next((e for graph in graphs for e in _epsilons(graph)), None) or None,
    )


def _dims(info: "meta_graph_pb2.TensorInfo") -> tuple[int, ...]:
    return tuple(dim.size for dim in info.tensor_shape.dim)


def _epsilons(graph: "meta_graph_pb2.MetaGraphDef") -> Iterator[float]:
    """The constants that `tf.nn.batch_normalization` adds to the variance."""
    import tensorflow as tf

    for node in graph.graph_def.node:
        if node.op == "Const" and node.name.endswith("batchnorm/add/y"):
            # Written in decimal, a float32 is again the number that the config gave.
            yield float(f"{tf.make_ndarray(node.attr['value'].tensor):.6g}")
