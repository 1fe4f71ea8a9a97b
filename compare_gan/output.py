"""Standard output and standard error that cannot end the program."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

# A reader that has gone (`| head -1`) and a terminal that was closed.
_GONE = (errno.EPIPE, errno.EIO)


class SafeStream:
    """A text stream whose `write` and `flush` raise no error.

    After an error of the system, text goes to the null device, native code's as well. Characters
    that the encoding lacks are written as escapes.

    Args:
      stream: The stream to write to.

    Attributes:
      trouble: The first error of the system; None without one, or if only the reader has gone.

    Example:
      >>> import io
      >>> from compare_gan.output import SafeStream
      >>> class Full(io.StringIO):
      ...     def write(self, text):
      ...         raise OSError(28, "No space left on device")
      >>> stream = SafeStream(Full())
      >>> print("lost", file=stream)
      >>> stream.trouble
      OSError(28, 'No space left on device')
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.trouble: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes text; returns its length."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except OSError as error:
            self._divert(error)
        except ValueError:  # It has been closed.
            pass
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hands over everything that was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._divert(error)
        except ValueError:
            pass

    def _divert(self, error: OSError) -> None:
        if self.trouble is None and error.errno not in _GONE:
            self.trouble = error
        with contextlib.suppress(OSError, ValueError):  # A stream without a descriptor.
            _open_null(self._stream.fileno())


@contextlib.contextmanager
def safe_output() -> Iterator[SafeStream]:
    """A context in which writing to `sys.stdout` and `sys.stderr` raises no error.

    Descriptors that were closed at the start are opened, so that no file of the program gets the
    number of standard output or standard error.

    Returns:
      The stream of standard output.

    Example:
      >>> from compare_gan.output import safe_output
      >>> with safe_output() as stdout:
      ...     print("text")
      text
      >>> stdout.trouble is None
      True
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _open_null(descriptor)
    before = sys.stdout, sys.stderr
    for stream in before:
        _write_utf_8(stream)
    stdout, stderr = (
        SafeStream(stream or open(os.devnull, "w"))  # noqa: SIM115
        for stream in before
    )
    sys.stdout, sys.stderr = stdout, stderr
    try:
        yield stdout
    finally:
        for stream in (stdout, stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _write_utf_8(stream: TextIO | None) -> None:
    """Lets a stream write UTF-8 whatever the locale, as all files are written.

    Otherwise names and JSON would be damaged where the locale is missing, as in many containers.
    """
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(ValueError, OSError):  # It has been closed.
            stream.reconfigure(encoding="utf-8")


def _open_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
