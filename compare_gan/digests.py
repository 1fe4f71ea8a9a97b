"""Hashes of contents."""

import hashlib
from typing import Any, BinaryIO, Protocol

_PIECE = 2**24


class _Array(Protocol):
    """A NumPy array; NumPy itself is not imported here."""

    @property
    def flags(self) -> Any: ...

    def tobytes(self) -> bytes: ...


class Digest:
    """A running SHA-256 over several parts.

    Parts are joined without separators: put shapes or counts in front of data of varying size.

    Args:
      *parts: The first parts; see `add`.

    Example:
      >>> from compare_gan import files
      >>> running = files.Digest("a")
      >>> running.add(b"b", "c")
      >>> running.hex() == files.digest("abc")
      True
    """

    def __init__(self, *parts: "str | bytes | _Array | BinaryIO"):
        self._hash = hashlib.sha256()
        self.add(*parts)

    def add(self, *parts: "str | bytes | _Array | BinaryIO") -> None:
        """Continues with a text (in UTF-8), bytes, the bytes of an array, or the rest of a file."""
        for part in parts:
            if isinstance(part, str):
                self._hash.update(part.encode(errors="surrogateescape"))
            elif isinstance(part, (bytes, bytearray, memoryview)):
                self._hash.update(part)
            elif hasattr(part, "read"):
                while piece := part.read(_PIECE):
                    self._hash.update(piece)
            else:
                # A contiguous array is read in place.
                self._hash.update(part if part.flags.c_contiguous else part.tobytes())  # type: ignore[arg-type]

    def hex(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()

    def raw(self) -> bytes:
        """32 bytes."""
        return self._hash.digest()


def digest(*parts: "str | bytes | _Array | BinaryIO") -> str:
    """The SHA-256 of texts, bytes, arrays and open files, one after the other, in hexadecimal.

    Example:
      >>> import numpy as np
      >>> from compare_gan import files
      >>> files.digest("abc")[:16]
      'ba7816bf8f01cfea'
      >>> files.digest(np.frombuffer(b"abc", np.uint8))[:16]
      'ba7816bf8f01cfea'
    """
    return Digest(*parts).hex()


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     open(os.path.join(folder, "empty"), "w").close()
      ...     files.file_digest(os.path.join(folder, "empty"))[:8]
      'e3b0c442'
    """
    with open(path, "rb") as file:
        return digest(file)
