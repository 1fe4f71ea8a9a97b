"""The output of a run's command, which a study keeps in `logs/<run>.txt`."""

import os
import re

_TAIL_BYTES = 4000


def last_error(log: str, begin: int = 0) -> str:
    r"""The last error in the output of a command; empty without any.

    Args:
      log: The file of the output, which need not exist.
      begin: The byte at which the output of the last attempt begins.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.studies.logs import last_error
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.txt")
      ...     with open(path, "w") as file:
      ...         _ = file.write("step 1\nError: The disk is full.\n")
      ...     last_error(path)
      'The disk is full.'
    """
    try:
        with open(log, "rb") as file:
            file.seek(max(begin, os.path.getsize(log) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if re.match(r"Error: |[\w.]+Error\b", line)]
    return errors[-1].removeprefix("Error: ").strip() if errors else ""
