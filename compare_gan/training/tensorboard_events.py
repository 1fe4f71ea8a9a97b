"""TensorBoard's event files, written with the package `tensorboard` alone, without TensorFlow."""

import io
import os
import time
from collections.abc import Mapping

from PIL import Image
from tensorboard.compat.proto import (
    event_pb2,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)

# `tensorboard.summary.Writer` and `EventFileWriter` would import TensorFlow where it is installed.
from tensorboard.summary.writer.record_writer import RecordWriter

from compare_gan import locks


class EventWriter:
    """Writes scalars, pictures and texts of a run to a new file that TensorBoard shows.

    Args:
      folder: Folder of the file, created if it does not exist. TensorBoard reads the files of a
        folder one after another: a resumed run continues the curves.
      suffix: End of the name of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.tensorboard_events import EventWriter
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     writer = EventWriter(folder)
      ...     writer.scalars(10, {"loss": 0.5})
      ...     writer.close()
      ...     print([name.split(".")[2] for name in os.listdir(folder)])
      ['tfevents']
    """

    def __init__(self, folder: str, suffix: str = "v2"):
        os.makedirs(folder, exist_ok=True)
        # TensorBoard reads the files in the order of their names: to the nanosecond, because a run
        # can stop and resume within a second.
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = f"{seconds:010}.{nanoseconds:09}.{locks.host()}.{os.getpid()}"
        path = os.path.join(folder, f"events.out.tfevents.{name}.{suffix}")
        self._records = RecordWriter(open(path, "xb"))  # noqa: SIM115
        source = event_pb2.SourceMetadata(writer=__name__)
        self._write(event_pb2.Event(file_version="brain.Event:2", source_metadata=source))
        self.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the curve of each name.

        Args:
          step: The step.
          values: Values by name; a name with a slash is shown in the group before the slash.
        """
        shape = tensor_shape_pb2.TensorShapeProto()
        tensors = {
            name: tensor_pb2.TensorProto(
                dtype=types_pb2.DT_FLOAT, tensor_shape=shape, float_val=[value]
            )
            for name, value in values.items()
        }
        self._summarize(step, "scalars", tensors)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Adds a picture, encoded as PNG."""
        with Image.open(io.BytesIO(png)) as image:
            width, height = image.size
        shown = [str(width).encode(), str(height).encode(), png]
        shape = tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=len(shown))]
        )
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=shown
        )
        self._summarize(step, "images", {name: tensor})

    def text(self, step: int, name: str, content: str) -> None:
        """Adds a text in Markdown."""
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(),
            string_val=[content.encode()],
        )
        self._summarize(step, "text", {name: tensor})

    def summary(self, step: int, summary: summary_pb2.Summary) -> None:
        """Adds a summary that a plugin of TensorBoard has made."""
        self._write(event_pb2.Event(step=step, summary=summary))

    def flush(self) -> None:
        """Hands everything to the file system, where TensorBoard finds it."""
        self._records.flush()

    def close(self) -> None:
        """Hands everything to the file system and closes the file."""
        self._records.close()

    def _summarize(
        self, step: int, plugin: str, tensors: Mapping[str, tensor_pb2.TensorProto]
    ) -> None:
        """Adds values that the plugin of this name shows."""
        metadata = summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin)
        )
        values = [
            summary_pb2.Summary.Value(tag=name, tensor=tensor, metadata=metadata)
            for name, tensor in tensors.items()
        ]
        self.summary(step, summary_pb2.Summary(value=values))

    def _write(self, event: event_pb2.Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
