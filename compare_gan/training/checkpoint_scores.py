"""Scores of the checkpoints of a run: which are to be scored, and their rows."""

import dataclasses
import logging
import os
from collections.abc import Iterable, Iterator, Sequence

from compare_gan import engine
from compare_gan.config import bindings_kept, parse
from compare_gan.engine import DamagedCheckpointError, step_of
from compare_gan.errors import UserError
from compare_gan.evaluation import comparison
from compare_gan.evaluation.evaluate import contribute_to_evaluation, evaluate_generator
from compare_gan.evaluation.results import ResultRow, format_scores, spread_note
from compare_gan.evaluation.spread import ending_together
from compare_gan.terminal import printable
from compare_gan.training.checkpoint_choice import listed
from compare_gan.training.config_history import NEWEST
from compare_gan.training.experiment import Experiment
from compare_gan.training.restored import RestoredModel
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import Options
from compare_gan.training.summaries import record_scores

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """The choice of the checkpoints to evaluate, and the number of evaluations of each.

    Attributes:
      averaging_runs: Number of sets of samples over which each score is averaged.
      every_steps: Interval of the checkpoints to evaluate, in steps; the last is evaluated too.
      score_filename: Name of the table of scores in the directory of the run.
    """

    averaging_runs: int = 3
    every_steps: int = 5000
    score_filename: str = "scores.csv"

    def selects(self, step: int, last_step: int) -> bool:
        """Whether the checkpoint of `step` is to be evaluated."""
        return step == last_step or (step > 0 and step % self.every_steps == 0)


def selected_checkpoints(
    run_dir: RunDir,
    experiment: Experiment,
    plan: EvaluationPlan,
    quiet: bool = False,
    stop_step: int | None = None,
) -> list[str]:
    """The checkpoints to evaluate; unless `quiet`, the log says why there are none.

    Args:
      run_dir: The directory of the run.
      experiment: The experiment that was trained.
      plan: Choice of the checkpoints.
      quiet: Whether the log says nothing.
      stop_step: The last step, if the training ended before `options.training_steps`.
    """
    last, paths = stop_step or experiment.options.training_steps, run_dir.list_checkpoints()
    selected = [path for path in paths if plan.selects(step_of(path), last)]
    if not selected and not quiet:
        _log.warning(
            "No checkpoint is scored: none of those in '%s' (%s) is at a multiple of "
            "--eval_every_steps, %d, or at %s, %d; `compare_gan eval` scores any of them.",
            run_dir,
            listed([step_of(path) for path in paths]),
            plan.every_steps,
            "options.training_steps" if stop_step is None else "--stop_step",
            last,
        )
    return selected


def unscored_checkpoints(
    paths: Iterable[str],
    experiment: Experiment,
    run_dir: RunDir,
    plan: EvaluationPlan,
    tried: list[str] | None = None,
) -> Iterator[str]:
    """The checkpoints without a row that has the provenance of an evaluation now.

    Each is looked up when its turn comes: another process may have scored it meanwhile.

    Args:
      paths: Checkpoints.
      experiment: The experiment that was trained.
      run_dir: The directory of the run.
      plan: Number of evaluations of each.
      tried: List to which each of them is added.
    """
    for path in paths:
        step = step_of(path)
        configs = ("", NEWEST, run_dir.configs.name_of(step))  # Older rows name none.
        rows = (row for row in run_dir.results().read() if row.step == step)
        if any(
            row.config in configs
            and experiment.evaluation.matches(
                row, experiment.dataset, experiment.eval_latents, plan.averaging_runs
            )
            for row in rows
        ):
            _log.info("Step %d has been scored already.", step)
            continue
        if tried is not None:
            tried.append(path)
        yield path


def evaluate_checkpoints(
    experiment: Experiment,
    run_dir: RunDir,
    paths: Iterable[str | None],
    plan: EvaluationPlan,
    skip_damaged: bool = False,
    peers: engine.Peers = engine.ALONE,
    allow_imports: Sequence[str] | None = None,
) -> list[str | None]:
    """Scores checkpoints one by one; adds rows to scores.csv and results.jsonl.

    Several processes share the work: each calls this, and the first one decides and writes.

    Args:
      experiment: The experiment that was trained.
      run_dir: The directory of the run.
      paths: Checkpoints; None is the newest readable one.
      plan: Number of evaluations of each, and the name of the table.
      skip_damaged: Whether to skip, with a warning, checkpoints that cannot be read or that the
        training removes meanwhile.
      peers: The devices that share the work.
      allow_imports: See `RunDir.load`; None = the configs of the run may import anything.

    Returns:
      The paths of the scored checkpoints; none in other processes than the first.

    Raises:
      DamagedCheckpointError: A checkpoint cannot be read, and `skip_damaged` is False.
    """
    scored: list[str | None] = []
    measured: list[ResultRow] = []
    results = run_dir.results(plan.score_filename)
    for path in _agreed(run_dir, paths, peers):
        known = [] if peers.index else results.read()
        try:
            with experiment.bindings.active():
                row = _measure(experiment, run_dir, path, plan, peers, allow_imports)
        except UserError as error:
            removed = path is not None and path not in run_dir.list_checkpoints()
            if not skip_damaged or not (removed or isinstance(error, DamagedCheckpointError)):
                raise
            if removed:
                _log.warning(
                    "Checkpoint '%s' was removed before it was scored: a larger "
                    "run_config.keep_checkpoint_max keeps more.",
                    path,
                )
            else:
                _log.warning("%s It is not scored.", error)
            continue
        except KeyboardInterrupt:
            checkpoint = "the newest checkpoint" if path is None else f"step {step_of(path)}"
            raise KeyboardInterrupt(f"{checkpoint} is not scored; nothing else is lost") from None
        if row is not None:
            # Printed first, so that the scores are not lost if the file cannot be written.
            print(printable(format_scores([row], explained=False)))
            measured.append(row)
            results.add([row], known)
            if row.step is not None:
                record_scores(run_dir.tensorboard_scores, row.step, row.means)
            run_dir.trackers.scores()
            scored.append(path)
    if note := spread_note(measured):
        print(printable(note))
    if scored:
        rows = results.read()
        warning = comparison.warning(rows, [f"step {row.step}" for row in rows])
        if warning:
            _log.warning("%s: %s", plan.score_filename, warning)
    return scored


def _agreed(
    run_dir: RunDir, paths: Iterable[str | None], peers: engine.Peers
) -> Iterator[str | None]:
    """The checkpoints that the first process names, in all processes."""
    if peers.count == 1:
        yield from paths
        return
    listed_paths = list(paths)
    for i in range(peers.agree_on(len(listed_paths))):
        path = None if peers.index else listed_paths[i]
        # A file system of the network may show the newest one later.
        step = peers.agree_on(-1 if path is None else step_of(path))
        yield (
            path
            if peers.index == 0 or step < 0
            else os.path.join(run_dir.checkpoints, f"step-{step}")
        )


def _measure(
    experiment: Experiment,
    run_dir: RunDir,
    path: str | None,
    plan: EvaluationPlan,
    peers: engine.Peers,
    allow_imports: Sequence[str] | None,
) -> ResultRow | None:
    """The scores of a checkpoint; None in other processes than the first.

    Raises:
      UserError: One of the processes cannot restore it.
    """
    damage: UserError | None = None
    with ending_together(peers):
        try:
            model = restored_for_scores(experiment, run_dir, path, allow_imports)
        except UserError as error:
            damage = error
    step = peers.agree_on(-1 if damage is not None else model.step)
    if peers.any(damage is not None or model.step != step):
        raise damage or DamagedCheckpointError(
            path or run_dir.checkpoints, "another process cannot read it, or finds a newer one"
        )
    arguments = (model.sampler, experiment.dataset, experiment.evaluation)
    discriminator = model.state.gan.discriminator
    if peers.index:
        with engine.announced(f"Scoring step {step} together with the first process"):
            contribute_to_evaluation(
                *arguments,
                averaging_runs=plan.averaging_runs,
                discriminator=discriminator,
                peers=peers,
            )
        return None
    row = evaluate_generator(
        *arguments,
        averaging_runs=plan.averaging_runs,
        weights=model.weights,
        step=model.step,
        discriminator=discriminator,
        pictures_dir=run_dir.pictures,
        peers=peers,
        progress=True,
    )
    return dataclasses.replace(
        row,
        training_labels=run_dir.training_labels(),
        config=run_dir.configs.name_of(model.step),
        rollbacks=run_dir.rollbacks.count_before(model.step),
    )


def restored_for_scores(
    experiment: Experiment,
    run_dir: RunDir,
    path: str | None,
    allow_imports: Sequence[str] | None,
) -> RestoredModel:
    """The model of a checkpoint, from the config that it comes from if the run had several.

    Example:
      >>> from compare_gan.training.checkpoint_scores import restored_for_scores
      >>> model = restored_for_scores(experiment, run_dir, path, None)  # doctest: +SKIP
    """
    options, config = experiment.model_options, run_dir.config_of(path)
    if config == run_dir.config:
        return run_dir.restore(options, path)
    with bindings_kept():
        parse([config], allow_imports=allow_imports, copies=run_dir.copies_of(path))
        return run_dir.restore(dataclasses.replace(options, options=Options.from_gin()), path)
