"""The scores of a run by step, where a checkpoint may have been measured more than once."""

from collections.abc import Iterable, Mapping

from compare_gan.evaluation.results import ResultRow
from compare_gan.studies.records import FINISHED, RunRecord


def measurements(record: RunRecord) -> dict[int, dict[str, ResultRow]]:
    """For each evaluated step, the row of each score; of several rows with a score, the last.

    Example:
      >>> from compare_gan.studies.measurements import measurements
      >>> from compare_gan.studies.records import RunRecord
      >>> measurements(RunRecord(name="a-seed1", variant="a", axes={}, seed=1, steps=10))
      {}
    """
    by_step: dict[int, dict[str, ResultRow]] = {}
    for row in record.rows:
        if row.step is not None:
            by_step.setdefault(row.step, {}).update(dict.fromkeys(row.score_names, row))
    return dict(sorted(by_step.items()))


def final_measurement(record: RunRecord) -> Mapping[str, ResultRow]:
    """The rows of the scores at the last step of a finished run, by score; else none.

    A run that diverged or failed has no final scores, even if earlier checkpoints were evaluated.

    Example:
      >>> from compare_gan.studies.measurements import final_measurement
      >>> from compare_gan.studies.records import RunRecord
      >>> final_measurement(RunRecord(name="a-seed1", variant="a", axes={}, seed=1, steps=10))
      {}
    """
    return measurements(record).get(record.steps, {}) if record.state == FINISHED else {}


def score_names(records: Iterable[RunRecord]) -> list[str]:
    """The names of all scores of the runs, in the order in which they were measured.

    Example:
      >>> from compare_gan.studies.measurements import score_names
      >>> score_names([])
      []
    """
    rows = (row for each in records for row in each.rows)
    return list(dict.fromkeys(name for row in rows for name in row.score_names))
