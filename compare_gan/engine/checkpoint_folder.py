"""The folder of a run's checkpoints: their names, and what may be removed there.

A checkpoint `step-<n>` is a folder with an index. In TensorFlow's format, of earlier versions, it
is the files `step-<n>.index` and `step-<n>.data-…`. Names are compared as they are: no path is
taken for a pattern. A link is removed itself, never the files of the run that it leads to.
"""

import contextlib
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator

from compare_gan import files
from compare_gan.engine.checkpoint_files import (
    ARRAYS,
    INDEX,
    DamagedCheckpointError,
    check_files,
    read_index,
)
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_TENSORFLOW_DATA = re.compile(r"(step-\d+)\.data-\d{5}-of-\d{5}")
_TENSORFLOW_LEFTOVER = re.compile(r"step-\d+_temp")
_TEMPORARY = re.compile(rf"\.({ARRAYS.pattern}|{re.escape(INDEX)})\..+\.tmp")


def list_checkpoints(folder: str) -> list[str]:
    """Paths of the finished checkpoints in a folder, oldest first.

    Example:
      >>> from compare_gan import engine
      >>> engine.list_checkpoints("runs/new/checkpoints")
      []
    """
    names = {name for name in _steps(folder) if is_complete(os.path.join(folder, name))}
    for name in _names(folder):
        if re.fullmatch(r"step-\d+\.index", name):
            names.add(name.removesuffix(".index"))
    return sorted((os.path.join(folder, name) for name in names), key=step_of)


def step_of(path: str) -> int:
    """The number of finished steps in a checkpoint's name.

    Example:
      >>> from compare_gan import engine
      >>> engine.step_of("runs/s3gan/checkpoints/step-500")
      500
    """
    match = re.search(r"-(\d+)$", path)
    if not match:
        raise UserError(f"'{path}' is not the path of a checkpoint (…/step-<number>).")
    return int(match.group(1))


def is_complete(path: str) -> bool:
    """Whether this is the folder of a checkpoint; its index is written last."""
    return os.path.isfile(os.path.join(path, INDEX))


def damage_of(path: str) -> DamagedCheckpointError | None:
    """The damage of a checkpoint that shows without reading its arrays; None if there is none."""
    if not is_complete(path):
        folder, step = os.path.split(path)
        found = map(_TENSORFLOW_DATA.fullmatch, _names(folder))
        has_data = any(match and match[1] == step for match in found)
        return None if has_data else DamagedCheckpointError(path, "its data is missing")
    try:
        check_files(path)
    except DamagedCheckpointError as error:
        return error
    except UserError:  # A newer version's, which it can read.
        pass
    return None


def remove(path: str) -> None:
    """Removes a checkpoint of any format; other files in its folder remain."""
    with _reported(path):
        if os.path.islink(path):
            os.remove(path)
        elif is_complete(path):
            os.remove(os.path.join(path, INDEX))  # First: a half removed one is not complete.
            _empty(path)
        remove_tensorflow(path)


def remove_tensorflow(path: str) -> None:
    """Removes a checkpoint in TensorFlow's format."""
    with _reported(path):
        if os.path.lexists(f"{path}.index"):
            os.remove(f"{path}.index")
            folder, step = os.path.split(path)
            for name in _names(folder):
                match = _TENSORFLOW_DATA.fullmatch(name)
                if match and match[1] == step:
                    os.remove(os.path.join(folder, name))


def tidy(folder: str, except_for: str) -> None:
    """Removes what processes that died while saving have left.

    Only the process that trains in the folder may call this.

    Args:
      folder: The folder of the checkpoints.
      except_for: Path of the checkpoint that is being saved.
    """
    if not os.path.isdir(folder):
        return
    files.remove_leftovers(folder)
    for name in _names(folder):
        path = os.path.join(folder, name)
        if _TENSORFLOW_LEFTOVER.fullmatch(name) and os.path.isdir(path):
            _log.info("Removing '%s', which a process that died has left.", path)
            with _reported(path):
                shutil.rmtree(path)
    for name in _steps(folder):
        path = os.path.join(folder, name)
        if path == except_for or os.path.islink(path):
            continue
        with _reported(path):
            if is_complete(path):
                remove_superseded(path)
            else:
                _empty(path)


def remove_superseded(path: str) -> None:
    """Removes arrays in a checkpoint's folder that its index does not name."""
    try:
        entries = read_index(path).values()
    except DamagedCheckpointError:
        return
    except UserError:  # A newer version's.
        return
    with _reported(path):
        _empty(path, {part.file for entry in entries for part in entry.parts})


def _empty(path: str, but: Collection[str] = ()) -> None:
    """Removes the arrays and temporary files in a checkpoint's folder, and the folder if empty."""
    for name in _names(path):
        if name not in but and (ARRAYS.fullmatch(name) or _TEMPORARY.fullmatch(name)):
            os.remove(os.path.join(path, name))
    with contextlib.suppress(OSError):  # Not empty.
        os.rmdir(path)


@contextlib.contextmanager
def _reported(path: str) -> Iterator[None]:
    """Reports that files cannot be removed, which is no reason to end a training."""
    try:
        yield
    except OSError as error:
        _log.warning("'%s' cannot be removed: %s.", path, error.strerror)


def _steps(folder: str) -> list[str]:
    return [name for name in _names(folder) if re.fullmatch(r"step-\d+", name)]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
