"""Pages of runs and studies as files, written once or again whenever something changes."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence

from compare_gan import files, paths
from compare_gan.errors import UserError
from compare_gan.report import page as pages
from compare_gan.report.page import Page
from compare_gan.report.run_page import run_page
from compare_gan.report.run_records import summarize
from compare_gan.report.study_page import study_page
from compare_gan.studies import StudyDir
from compare_gan.studies.logs import last_error
from compare_gan.studies.records import ENDED, FAILED
from compare_gan.terminal import sentence_of
from compare_gan.training.run_dir import RunDir

_log = logging.getLogger(__name__)

NAME = "report.html"
# Files whose change a page shows; checkpoints come with sample grids.
_WATCHED = (".jsonl", ".json", ".png", "DIVERGED", "study.gin")
_UNWATCHED = ("checkpoints", "tensorboard", "shared", "images", "locks", "modules")
_IDLE_SHARE = 4  # A page takes no more than a fifth of the time: training goes on beside it.


def make_page(path: str, allow_imports: Sequence[str] = ()) -> Page:
    """The page of a run directory or a study directory.

    Args:
      path: The directory.
      allow_imports: Modules that the config of a run may import; see `RunDir.load`.

    Raises:
      UserError: It is neither.

    Example:
      >>> from compare_gan.report import make_page
      >>> make_page("runs/missing")
      Traceback (most recent call last):
      compare_gan.errors.UserError: There is no directory 'runs/missing'.
    """
    if not os.path.isdir(path):
        paths.check_place(path)
        if os.path.exists(path):
            raise UserError(f"'{path}' is a file: name the directory of a run or a study.")
        raise UserError(f"There is no directory '{path}'.")
    study = StudyDir(path)
    if study.exists:
        runs = study.records()
        reasons = {run.name: last_error(study.log(run.name)) for run in runs if run.state == FAILED}
        return study_page(runs, study.definition(), reasons=reasons)
    return run_page(path, allow_imports)


def write_page(path: str, output: str | None = None, allow_imports: Sequence[str] = ()) -> str:
    """Writes the page of a run directory or a study directory; returns the path of the file.

    Args:
      path: The directory.
      output: The file; None = `report.html` in the directory.
      allow_imports: As for `make_page`.

    Raises:
      UserError: It is neither, or the file cannot be written.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.report import write_page
      >>> from compare_gan.studies import StudyDir, define
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     _ = StudyDir(folder).update(define(base="supervised_fashion_mnist", steps=10))
      ...     os.path.basename(write_page(folder))
      'report.html'
    """
    output = output or os.path.join(path, NAME)
    if os.path.isdir(path):  # Before a minute of work.
        files.check_can_write(output)
    pages.write(make_page(path, allow_imports), output)
    return output


def watch(
    path: str,
    output: str | None = None,
    allow_imports: Sequence[str] = (),
    seconds: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Writes the page now, and again whenever the directory has changed, until training has ended.

    Once there is a page, one that cannot be made for a moment is left out with a warning.

    Args:
      path: The directory of a run or a study.
      output: As for `write_page`.
      allow_imports: As for `make_page`.
      seconds: Time between looks at the directory.
      sleep: Function that waits.

    Yields:
      The path of the page, each time that it was written.

    Raises:
      UserError: There is no such directory, or the first page cannot be made.

    Example:
      >>> from compare_gan.report import watch
      >>> next(watch("runs/missing"))
      Traceback (most recent call last):
      compare_gan.errors.UserError: There is no directory 'runs/missing'.
    """
    seen: dict[str, tuple[int, int]] | None = None
    while True:
        found, began, ended = _fingerprint(path), time.monotonic(), False
        try:
            # Looked at first: what a training writes at its end must be on the last page.
            ended = has_ended(path)
            if found != seen:
                yield write_page(path, output, allow_imports)
        except UserError as error:
            if seen is None:
                raise
            if found != seen:
                _log.warning("The page is not written anew: %s", sentence_of(error))
        seen = found
        if ended:
            return
        sleep(max(seconds, _IDLE_SHARE * (time.monotonic() - began)))


def has_ended(path: str) -> bool:
    """Whether the training of a run, or of all runs of a study, has ended.

    Args:
      path: The directory.
    """
    study = StudyDir(path)
    if study.exists:
        return all(run.state in ENDED for run in study.records())
    return summarize(RunDir(path)).state in ("finished", "diverged")


def _fingerprint(path: str) -> dict[str, tuple[int, int]]:
    """Time and size of each watched file, by its path."""
    found = {}
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in _UNWATCHED]
        for name in names:
            if name.endswith(_WATCHED) and not name.startswith("."):
                try:
                    status = os.stat(os.path.join(folder, name))
                except OSError:  # It was replaced or removed.
                    continue
                found[os.path.join(folder, name)] = status.st_mtime_ns, status.st_size
    return found
