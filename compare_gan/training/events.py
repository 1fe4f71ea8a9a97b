"""TensorBoard's event files, written without TensorFlow, which other engines do not load."""

import io
import itertools
import os
import time
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from compare_gan.locks import host

_numbers = itertools.count()


class EventFile:
    """One new event file in a folder, as `tf.summary` writes it.

    Args:
      folder: Folder of the events of a run; created if needed.
    """

    def __init__(self, folder: str):
        os.makedirs(folder, exist_ok=True)
        # TensorBoard recognizes the file by `tfevents` and sorts by the time.
        name = f"events.out.tfevents.{int(time.time())}.{host()}.{os.getpid()}.{next(_numbers)}.v2"
        self._file = open(os.path.join(folder, name), "ab")  # noqa: SIM115
        self._records = RecordWriter(self._file)
        self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def scalar(self, step: int, name: str, value: float) -> None:
        """Adds a number."""
        self._add(step, scalar_pb(name, value))

    def text(self, step: int, name: str, content: str) -> None:
        """Adds a text in Markdown."""
        self._add(step, text_pb(name, content))

    def image(self, step: int, name: str, picture: np.ndarray) -> None:
        """Adds a picture, uint8 [h, w, 1 or 3]."""
        height, width, channels = picture.shape
        png = io.BytesIO()
        Image.fromarray(picture[..., 0] if channels == 1 else picture).save(png, "PNG")
        size = [str(width).encode(), str(height).encode()]
        summary = summary_pb2.Summary()
        summary.value.add(
            tag=name,
            metadata=image_metadata.create_summary_metadata(display_name=None, description=None),
            tensor=make_tensor_proto([*size, png.getvalue()], dtype=np.object_),
        )
        self._add(step, summary)

    def flush(self) -> None:
        """Hands everything over to the operating system."""
        self._records.flush()

    def _add(self, step: int, summary: Any) -> None:
        self._write(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
