"""The record of a run of a study: its place among the variants, its state, scores and costs."""

import dataclasses
from collections.abc import Mapping

from compare_gan.evaluation.results import ResultRow
from compare_gan.studies.definition import PruningDecision

# States of a run. A run that diverged has ended: divergence is a result, not a failure. In a search
# that prunes, a run is paused at a step until its trial is compared, and pruned if that ends it.
WAITING, RUNNING, INTERRUPTED, PAUSED = "waiting", "running", "interrupted", "paused"
FINISHED, DIVERGED, PRUNED, FAILED = "finished", "diverged", "pruned", "failed"
STATES = (WAITING, RUNNING, INTERRUPTED, PAUSED, FINISHED, DIVERGED, PRUNED, FAILED)
ENDED = (FINISHED, DIVERGED, PRUNED, FAILED)
DONE = (FINISHED, DIVERGED, PRUNED)  # Nothing is left to do; a failed run may be tried again.
SETTLED = (*DONE, PAUSED)  # Nothing is left to do for an executor.


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run of a study.

    A value that is not known is None.

    Attributes:
      name: Name of the run, also of its directory.
      variant: Name of the variant: that of all its runs, which differ only in the seed.
      axes: For each axis of the study, by name, the label of the run's value.
      seed: Seed of the run.
      state: One of `STATES`.
      step: Number of finished generator steps.
      steps: Number of generator steps of the whole training.
      rows: Scores of all evaluated checkpoints, in the order of their steps.
      wall_seconds: Seconds that all attempts took.
      cpu_seconds: Processor seconds of all attempts, over all cores.
      gpu_seconds: Seconds of all attempts times the number of GPUs that they held; 0 without any.
      images_per_second: Real images that training consumed per second, as in `log.jsonl` (median).
      images_seen: Real images that the discriminator has seen: for each generator step
        `options.disc_iters` batches.
      attempts: Number of times that the run was started.
      code_version: Version of the library in the last attempt.
      model_dir: The directory of the run.
      chosen_by: What chose its variant, if the study is a search; None in a grid.
      stop: Step at which it pauses until its trial is compared; None = it is trained to the end.
      pruning: The decision that ended its trial; None if the trial was not pruned.

    Example:
      >>> from compare_gan.studies import RunRecord
      >>> record = RunRecord(name="sn-seed1", variant="sn", axes={"norm": "sn"}, seed=1, steps=10)
      >>> record.state, record.rows
      ('waiting', ())
    """

    name: str
    variant: str
    axes: Mapping[str, str]
    seed: int
    state: str = WAITING
    step: int | None = None
    steps: int
    rows: tuple[ResultRow, ...] = ()
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    images_per_second: float | None = None
    images_seen: int | None = None
    attempts: int = 0
    code_version: str | None = None
    model_dir: str = ""
    chosen_by: str | None = None
    stop: int | None = None
    pruning: PruningDecision | None = None
