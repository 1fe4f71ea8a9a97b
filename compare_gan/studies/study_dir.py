"""The directory of a study: its files, and how they are written and read.

study.gin              the study file, with the files that it includes
study.json             version, definition, seeds that were added later, the runs by name
configs/               <variant>.gin: the config of the runs of a variant, without their seeds
runs/                  <run>/: ordinary run directories, such as runs/hinge-sn-seed1/
journal.jsonl          a line for each start and end of an attempt at a run, see journal.py
logs/                  <run>.txt: output of the processes of a run
locks/                 <run>: locked while a process works on the run; empty, and remains;
                       definition: locked while `study.json` changes
shared/                labels/, backbones/: inferred labels and the networks behind them
tensorboard/           axes, seed and final scores of ended runs, see hparams.py
"""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compare_gan import damaged, files, locks, paths
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError, check_positive_integer, check_version
from compare_gan.studies import task_locks
from compare_gan.studies.definition import (
    PruningDecision,
    StudyDefinition,
    StudyRun,
    Variant,
)
from compare_gan.studies.journal import Attempt, Journal

if TYPE_CHECKING:
    from compare_gan.studies.records import RunRecord

_VERSION = 1
_JSON, _SOURCE = "study.json", "study.gin"
_CONFIG = "config.gin"  # Of a run directory.
# Changes of a config that leave the results of finished runs as they are.
_HARMLESS = ("evaluation.metrics", "dataset.data_dir")
_HARMLESS_SCOPES = ("run_config.", "aim.", "mlflow.", "wandb.")
_REMEDY = "choose another --study_dir, or undo the change"
_NO_STUDY = "it does not hold a study"


class StudyDir:
    """The directory of a study, which `--study_dir` names. It may not exist yet.

    Args:
      path: The directory.

    Attributes:
      path: The directory, absolute.
      journal: The attempts at runs.
      backbones: Folder of the networks that inferred labels share.
      tensorboard: Folder of the events for TensorBoard's tab HParams.

    Example:
      >>> import tempfile
      >>> from compare_gan.studies import StudyDir, define
      >>> study = define(base="supervised_fashion_mnist", seeds=2, steps=10)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     place = StudyDir(folder)
      ...     _ = place.update(study)
      ...     [(record.name, record.state) for record in place.records()]
      [('run-seed1', 'waiting'), ('run-seed2', 'waiting')]
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.path.abspath(os.fspath(path))
        self.journal = Journal(self.file("journal.jsonl"))
        self.backbones = self.file("shared", "backbones")
        self.tensorboard = self.file("tensorboard")

    def __str__(self) -> str:
        return self.path

    def file(self, *names: str) -> str:
        """The path of a file of this name, or of these folders and this name."""
        return os.path.join(self.path, *names)

    def run_dir(self, run: str) -> str:
        """The directory of the run of this name."""
        return self.file("runs", run)

    def log(self, run: str) -> str:
        """The file with the output of the processes of a run."""
        return self.file("logs", f"{run}.txt")

    def labels(self, key: str) -> str:
        """The folder of the inferred labels that runs with this key share."""
        return self.file("shared", "labels", key)

    def config(self, variant: str) -> str:
        """The file with the config of a variant."""
        return self.file("configs", f"{variant}.gin")

    @property
    def exists(self) -> bool:
        """Whether there is a study here."""
        return os.path.exists(self.file(_JSON))

    def definition(self) -> StudyDefinition:
        """The study, with the seeds that were added to it later.

        Raises:
          UserError: There is none, or its file is damaged or of a newer version.
        """
        if not self.exists:
            paths.check_place(self.path)
            raise UserError(f"'{self}' is not the directory of a study: it has no {_JSON}.")
        try:
            study, added = _parsed(self.file(_JSON))
        except DamagedFileError as error:
            raise UserError(
                f"{error} `compare_gan study run FILE --study_dir …` writes it anew from the study "
                "file."
            ) from error
        return _with_added(study, added)

    def merged(self, study: StudyDefinition) -> StudyDefinition:
        """The study as it would be here after a change of its file; writes nothing.

        Values, seeds, variants and metrics may have been added, and seeds that `add_seeds` has
        added stay. Runs that are no longer part of the study keep their directories.

        Args:
          study: The study as its file describes it now.

        Raises:
          UserError: The change concerns runs that have begun, or this is no place for a study.
        """
        if os.path.isfile(self.path):
            raise UserError(f"'{self}' is a file: a study needs a directory.")
        if not self.exists and os.path.exists(self.file(_CONFIG)):
            raise UserError(f"'{self}' is the directory of a run: choose another --study_dir.")
        before, added = self._before()
        study = _with_trials(study, before)
        self._refuse_changes(before, study)
        return _with_added(study, added)

    def update(self, study: StudyDefinition) -> StudyDefinition:
        """Begins the study here, or takes up the changes of its file; see `merged`.

        Args:
          study: The study as its file describes it now.

        Returns:
          The study as it is now.

        Raises:
          UserError: The change concerns runs that have begun.
        """
        paths.check_place(self.path)
        with self._changing():
            merged = self.merged(study)
            before, added = self._before()
            if before is None and self.exists:
                damaged.set_aside(self.file(_JSON), _NO_STUDY, "it is written anew")
            self._write(_with_trials(study, before), added)
        return merged

    def _before(self) -> tuple[StudyDefinition | None, tuple[int, ...]]:
        """The definition as it was written here, and the added seeds; None if none can be read."""
        if not self.exists:
            return None, ()
        try:
            return _parsed(self.file(_JSON))
        except DamagedFileError:
            return None, ()

    def add_trials(self, trials: Sequence[Mapping[str, str]]) -> StudyDefinition:
        """Adds combinations that a search has chosen; returns the study.

        Args:
          trials: See `StudyDefinition.trials_made`.

        Raises:
          UserError: There is no study here.
        """
        self.definition()  # Raises an error if there is none.
        with self._changing():
            study, added = _parsed(self.file(_JSON))
            made = [*study.trials_made, *trials]
            self._write(study.with_trials(made, study.pruning_decisions), added)
            return self.definition()

    def add_decisions(self, decisions: Sequence[PruningDecision]) -> StudyDefinition:
        """Adds comparisons of the trials of a search; returns the study.

        Args:
          decisions: The comparisons.

        Raises:
          UserError: There is no study here.
        """
        self.definition()  # Raises an error if there is none.
        with self._changing():
            study, added = _parsed(self.file(_JSON))
            made = [*study.pruning_decisions, *decisions]
            self._write(study.with_trials(study.trials_made, made), added)
            return self.definition()

    def add_seeds(self, count: int) -> StudyDefinition:
        """Adds seeds to all variants: those that follow the largest one; returns the study.

        Args:
          count: Number of seeds.

        Raises:
          UserError: There is no study here.
        """
        check_positive_integer("--seeds", count)
        self.definition()  # Raises an error if there is none.
        with self._changing():
            last = max(self.definition().seeds)
            study, added = _parsed(self.file(_JSON))
            self._write(study, (*added, *range(last + 1, last + 1 + count)))
            return self.definition()

    def _changing(self) -> contextlib.AbstractContextManager[None]:
        """Lets one process at a time change the definition."""
        return locks.locked(self.file("locks", "definition"))

    def _write(self, study: StudyDefinition, added: tuple[int, ...]) -> None:
        for variant in study.variants:
            path = self.config(variant.name)
            if files.read_text(path) != variant.config:  # A search writes often.
                files.write_text(path, variant.config)
        files.write_text(self.file(_SOURCE), study.source)
        content = {
            "version": _VERSION,
            "definition": study.to_json(),
            "added_seeds": list(added),
            "runs": {
                run.name: {"variant": run.variant.name, "axes": run.variant.axes, "seed": run.seed}
                for run in _with_added(study, added).runs
            },
        }
        files.write_json(self.file(_JSON), content)

    def _refuse_changes(self, before: StudyDefinition | None, study: StudyDefinition) -> None:
        """Raises UserError if runs that have begun would have to be made again."""
        runs = self.file("runs")
        begun = os.listdir(runs) if os.path.isdir(runs) else []
        if begun and before and before.averaging_runs != study.averaging_runs:
            raise UserError(
                f"The runs in '{self}' were scored with study.averaging_runs = "
                f"{before.averaging_runs}, which is now {study.averaging_runs}: {_REMEDY}."
            )
        if begun and before and _pruning(before) != _pruning(study):
            raise UserError(
                f"The trials in '{self}' were begun with {_pruning(before)}, and the study now has "
                f"{_pruning(study)}: {_REMEDY}."
            )
        goes_on = False
        for variant in study.variants:
            own = re.compile(rf"{re.escape(variant.name)}-seed\d+")
            if any(own.fullmatch(name) for name in begun):
                goes_on = True
                self._refuse_other_config(variant)
        if begun and not goes_on:
            raise UserError(
                f"'{self}' holds runs of another study, such as {min(begun)}: choose another "
                "--study_dir."
            )

    def _refuse_other_config(self, variant: Variant) -> None:
        text = files.read_text(self.config(variant.name))
        if text in ("", variant.config):
            return
        from compare_gan.config.changes import changes  # It needs Keras.

        for change in changes(text, variant.config):
            if change.key in _HARMLESS or (
                change.is_free and change.key.startswith(_HARMLESS_SCOPES)
            ):
                continue
            raise UserError(
                f"The runs of '{variant.name}' in '{self}' have begun with another config "
                f"({change}): {_REMEDY}."
            )

    def records(self) -> "list[RunRecord]":
        """A record of every run, in the order of execution.

        Raises:
          UserError: There is no study here, or a newer version of this library wrote a file.
        """
        attempts = self.journal.attempts()
        return [self.record(run, attempts) for run in self.definition().runs]

    def record(
        self,
        run: StudyRun,
        attempts: Mapping[str, list[Attempt]] | None = None,
        is_held: bool | None = None,
    ) -> "RunRecord":
        """The record of a run.

        Args:
          run: The run.
          attempts: The attempts at all runs; None = they are read.
          is_held: Whether a process works on the run; None = its lock shows it.
        """
        from compare_gan.studies.run_state import read_record  # It needs Keras.

        attempts = self.journal.attempts() if attempts is None else attempts
        is_held = self.is_held(run.name) if is_held is None else is_held
        return read_record(run, self.run_dir(run.name), attempts.get(run.name, ()), is_held)

    def claim(self, task: str) -> contextlib.AbstractContextManager[int | None]:
        """Locks a task, the name of a run or of labels, see `task_locks.claim`."""
        return task_locks.claim(self.file("locks", task))

    def is_held(self, task: str) -> bool:
        """Whether a process works on a task."""
        return task_locks.is_held(self.file("locks", task))


def _parsed(path: str) -> tuple[StudyDefinition, tuple[int, ...]]:
    """The definition in `study.json`, and the seeds that were added to it.

    Raises:
      DamagedFileError: It does not have the form in which it was written.
      UserError: A newer version of this library wrote it.
    """
    content: dict[str, Any] = damaged.read_object(path)
    check_version(f"'{path}'", content, _VERSION)
    try:
        study = StudyDefinition.from_json(content["definition"])
        return study, tuple(int(seed) for seed in content["added_seeds"])
    except UserError:
        raise
    except damaged.FORM_ERRORS as error:
        raise DamagedFileError(path, _NO_STUDY) from error


def _with_trials(study: StudyDefinition, before: StudyDefinition | None) -> StudyDefinition:
    if before is None or study.trials is None:
        return study
    return study.with_trials(before.trials_made, before.pruning_decisions)


def _pruning(study: StudyDefinition) -> str:
    """How the trials of a search are pruned, in words."""
    if study.pruner == "none":
        return "study.pruner = 'none'"
    return (
        f"study.pruner = '{study.pruner}' at the steps {', '.join(map(str, study.pruning_steps))}"
    )


def _with_added(study: StudyDefinition, added: tuple[int, ...]) -> StudyDefinition:
    return study.with_seeds(list(dict.fromkeys((*study.seeds, *added))))
