"""Checkpoints of earlier versions of this library, in TensorFlow's format; they are only read."""

import contextlib
import re
from collections.abc import Mapping

import numpy as np

from compare_gan import paths
from compare_gan.engine.checkpoint_files import DamagedCheckpointError, Entry, Region
from compare_gan.errors import UserError

_KEY = re.compile(r"variables/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_ESCAPED = re.compile(r"\.(S|\.)")


class TensorFlowReader(contextlib.AbstractContextManager):
    """A checkpoint in TensorFlow's format that is open for reading.

    Args:
      path: The common beginning of its files' names.

    Attributes:
      variables: Dtypes and shapes by name.

    Raises:
      DamagedCheckpointError: It cannot be read.
      UserError: TensorFlow is not installed.
    """

    def __init__(self, path: str):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise UserError(
                f"Checkpoint '{path}' is in TensorFlow's format: install TensorFlow to read it, or "
                "choose another --model_dir."
            ) from error
        self._path = path
        self._errors = (tf.errors.OpError, OSError, ValueError, IndexError, RuntimeError)
        self._stack = contextlib.ExitStack()
        self._plain = self._stack.enter_context(paths.plain(path))
        try:
            self._reader = tf.train.load_checkpoint(self._plain)
            shapes = self._reader.get_variable_to_shape_map()
            dtypes = self._reader.get_variable_to_dtype_map()
        except self._errors as error:
            self._stack.close()
            raise self._damaged(error) from error
        self._keys = {_unescape(m[1]): m[0] for m in map(_KEY.fullmatch, sorted(shapes)) if m}
        self.variables: Mapping[str, Entry] = {
            name: Entry(dtypes[key].name, tuple(shapes[key])) for name, key in self._keys.items()
        }

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, name: str, region: Region | None = None) -> np.ndarray:
        """The value of a variable, or a region of it.

        Raises:
          DamagedCheckpointError: It cannot be read.
        """
        try:
            value = np.asarray(self._reader.get_tensor(self._keys[name]))
        except self._errors as error:
            raise self._damaged(error) from error
        return value if region is None else value[region]

    def _damaged(self, error: Exception) -> DamagedCheckpointError:
        """The error with the path that the user knows."""
        return DamagedCheckpointError(self._path, str(error).replace(self._plain, self._path))


def _unescape(name: str) -> str:
    return _ESCAPED.sub(lambda match: "/" if match[1] == "S" else ".", name)
