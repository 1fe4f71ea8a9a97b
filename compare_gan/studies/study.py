"""A study in Python: a definition in a directory."""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from compare_gan.errors import UserError, with_suggestion
from compare_gan.studies.defining import define
from compare_gan.studies.definition import StudyDefinition, StudyRun
from compare_gan.studies.executor import Executor
from compare_gan.studies.local import LocalExecutor
from compare_gan.studies.study_dir import StudyDir
from compare_gan.studies.study_file import read_study

if TYPE_CHECKING:
    from compare_gan.studies.records import RunRecord
    from compare_gan.studies.table import StudyTable
    from compare_gan.types import Direction


class Study:
    """A study in its directory.

    Args:
      file: Path of a study file, or the name of an example; None if the options are given here, or
        if the study is in the directory already.
      study_dir: Directory of the study.
      only: Names of the runs that all methods concern; None = all.
      **options: Options of the study, see `define`.

    Raises:
      UserError: The definition has a mistake, or there is none; or no run has one of the names.

    Attributes:
      place: The directory.
      definition: The definition as it is in the directory, or will be.
      runs: The runs that all methods concern.

    Example:
      >>> import tempfile
      >>> from compare_gan.studies import Study
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     study = Study(
      ...         study_dir=folder,
      ...         base="supervised_fashion_mnist",
      ...         axes={"loss.fn": ["@hinge", "@wasserstein"]},
      ...         seeds=2,
      ...         steps=100,
      ...     )
      ...     len(study.records())
      4
      >>> study.run(workers=2)  # doctest: +SKIP
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | None = None,
        *,
        study_dir: str | os.PathLike[str],
        only: Iterable[str] | None = None,
        **options: Any,
    ):
        self.place = StudyDir(study_dir)
        self._given: StudyDefinition | None = None
        if file is not None and options:
            raise UserError(
                "A study is defined by a file or by options, received both: "
                f"{', '.join(options)} and '{os.fspath(file)}'."
            )
        if file is not None:
            self._given = read_study(os.fspath(file))
        elif options:
            self._given = define(**options)
        if self._given is None:
            self.definition = self.place.definition()
        else:
            self.definition = self.place.merged(self._given)
        self._chooses = self.definition.trials is not None and only is None
        self.runs = self.definition.runs if only is None else _chosen(self.definition, only)

    def run(
        self,
        workers: int | None = None,
        retries: int = 2,
        executor: Executor | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "list[RunRecord]":
        """Makes the runs that have not ended; in a search, chooses and prunes them too.

        Args:
          workers: Number of runs at the same time, each a process of this machine; None = one per
            GPU, or one.
          retries: Number of further attempts at a run that fails.
          executor: The place where the runs are made; None = this machine.
          environment: Environment variables of the processes; None = those of this process.

        Returns:
          The records of the runs, those that failed included.

        Raises:
          UserError: A config has a mistake, or the definition differs from that of runs that have
            begun; for a search, Optuna is not installed, or another process makes it.
          KeyboardInterrupt: It was interrupted; the running ones have saved their state.
        """
        executor = executor or LocalExecutor(workers, environment)
        if self._chooses:
            return self._search(executor, retries, environment)
        return self._make(executor, retries, self.begin(environment))

    def _search(
        self, executor: Executor, retries: int, environment: Mapping[str, str] | None
    ) -> "list[RunRecord]":
        """Makes the trials, as many at a time as there are slots."""
        from compare_gan.studies.searching import import_optuna, propose

        import_optuna()
        with self.place.claim("search") as lock:
            if lock is None:
                raise UserError(f"Another process makes the search in '{self.place}'.")
            runs = self._make_trials(executor, retries, environment)
            while (left := (self.definition.trials or 0) - len(self.definition.trials_made)) > 0:
                at_once = max(1, executor.slots // len(self.definition.seeds))
                trials = propose(self.definition, runs, min(left, at_once))
                self.definition = self.place.add_trials(trials)
                self.runs = self.definition.runs
                runs = self._make_trials(executor, retries, environment)
        return runs

    def _make_trials(
        self, executor: Executor, retries: int, environment: Mapping[str, str] | None
    ) -> "list[RunRecord]":
        """Makes the runs of the trials; those that pause go on unless their trial is pruned."""
        from compare_gan.studies.display import Display
        from compare_gan.studies.trial_pruning import decide, describe

        label_keys = self.begin(environment)
        if not self.runs:  # A search that begins.
            return []
        runs = self._make(executor, retries, label_keys)
        while decisions := decide(self.definition, runs):
            self.definition = self.place.add_decisions(decisions)
            self.runs = self.definition.runs
            compared = [each.trial for each in decisions]
            variants = [each for each in self.definition.variants if each.axes in compared]
            for variant in variants:
                if variant.pruning is not None:
                    sentence = describe(variant.pruning, self.definition.objective or "")
                    Display(self.title).say(f"{variant.name}: {sentence}")
            # Runs that have failed a moment ago are not tried again already.
            going_on = [run.name for run in self.runs if run.variant in variants]
            runs = self._make(executor, retries, label_keys, going_on)
        return runs

    def _make(
        self,
        executor: Executor,
        retries: int,
        label_keys: Mapping[str, str],
        only: Collection[str] | None = None,
    ) -> "list[RunRecord]":
        from compare_gan.studies.display import Display
        from compare_gan.studies.scheduler import Scheduler

        display = Display(self.title)
        scheduler = Scheduler(
            self.place, self.definition, executor, label_keys, retries, display, self.runs, only
        )
        return scheduler.run()

    def begin(self, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """Checks the configs, see `check`, and writes the definition into the directory.

        Args:
          environment: See `run`.

        Returns:
          See `inspection.inspect`.

        Raises:
          UserError: See `run`.
        """
        label_keys = self.check(environment)
        if self._given is not None:
            self.place.update(self._given)
        return label_keys

    def check(self, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """Checks the configs of the runs that are still to be made, as `train` does.

        Args:
          environment: See `run`.

        Returns:
          See `inspection.inspect`.

        Raises:
          UserError: A config has a mistake.
        """
        from compare_gan.studies.inspection import inspect_apart
        from compare_gan.studies.records import DONE

        names = [record.name for record in self.records() if record.state not in DONE]
        todo = [run for run in self.runs if run.name in names]
        if self._chooses and not self.runs:
            todo = [StudyRun(each, self.definition.seeds[0]) for each in self.definition.samples]
        return inspect_apart(self.definition, todo, environment) if todo else {}

    @property
    def title(self) -> str:
        """The title, or the name of the directory."""
        return self.definition.title or os.path.basename(self.place.path)

    def records(self) -> "list[RunRecord]":
        """The records of the runs."""
        attempts = self.place.journal.attempts()
        return [self.place.record(run, attempts) for run in self.runs]

    def table(
        self, better: "Mapping[str, Direction] | None" = None, may_differ: Collection[str] = ()
    ) -> "StudyTable":
        """The runs as a table; its `frame()` is a pandas DataFrame.

        Args:
          better: See `StudyTable`.
          may_differ: See `StudyTable`.

        Raises:
          UserError: The final scores were measured differently.
        """
        from compare_gan.studies.table import StudyTable  # It needs Keras.

        return StudyTable(self.records(), better, may_differ)


def _chosen(study: StudyDefinition, names: Iterable[str]) -> tuple[StudyRun, ...]:
    """The runs with these names, in the order of the study."""
    known = {run.name: run for run in study.runs}
    wanted = set(names)
    for name in sorted(wanted - known.keys()):
        sentence = with_suggestion(f"The study has no run '{name}'.", name, known)
        raise UserError(f"{sentence} `compare_gan study status` lists all.")
    return tuple(run for name, run in known.items() if name in wanted)
