"""All runs of a study in one table, if they were measured alike; its summary in several formats."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from compare_gan import files
from compare_gan.errors import UserError, unknown_name
from compare_gan.evaluation import comparison
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.directions import better_direction
from compare_gan.studies import formats, summary_text, tidy
from compare_gan.studies.measurements import final_measurement, measurements, score_names
from compare_gan.studies.pairwise import Comparison, compare_labels, compare_variants
from compare_gan.studies.records import DIVERGED, PRUNED, RunRecord
from compare_gan.studies.summary import VariantSummary, summarize
from compare_gan.studies.tidy import PROVENANCE
from compare_gan.types import Direction

if TYPE_CHECKING:
    import pandas


class StudyTable:
    """The runs of a study: tidy rows, a summary of the variants, comparisons, and their formats.

    Scores of one table were measured alike: their provenance is equal in all but the version of the
    library, which a note mentions where it differs.

    Args:
      records: The runs.
      better: For scores whose metric is not registered, whether `lower` or `higher` is better.
      may_differ: Fields of the provenance that may differ; a note says so.

    Attributes:
      records: The runs.
      axes: Names of the study's axes.
      scores: Names of all scores.

    Raises:
      UserError: Two runs have the same name, or the same variant and seed, or final scores were
        measured differently; the message has the fields and the runs.

    Example:
      >>> from compare_gan.studies.records import RunRecord
      >>> from compare_gan.studies.table import StudyTable
      >>> run = RunRecord(name="hinge-seed1", variant="hinge", axes={"loss.fn": "hinge"},
      ...     seed=1, steps=10, state="diverged")
      >>> [row] = StudyTable([run]).rows()
      >>> row["loss.fn"], row["seed"], row["state"]
      ('hinge', 1, 'diverged')
    """

    def __init__(
        self,
        records: Iterable[RunRecord],
        better: Mapping[str, Direction] | None = None,
        may_differ: Collection[str] = (),
    ):
        self.records = list(records)
        self.axes = list(dict.fromkeys(axis for each in self.records for axis in each.axes))
        self.scores = score_names(self.records)
        self._better = dict(better or {})
        self._may_differ = list(may_differ)
        for field in self._may_differ:
            if field not in PROVENANCE:
                raise unknown_name("field of the provenance", field, PROVENANCE)
        self._check_names()
        self._check_provenance((each.name, final_measurement(each)) for each in self.records)

    def better(self, score: str) -> Direction:
        """Whether `lower` or `higher` values of a score are better; None if neither is."""
        if score in self._better:
            return self._better[score]
        rows = self._rows_of(score)
        return better_direction(score, rows[0].provenance.extractor) if rows else None

    def headline_score(self, score: str | None = None) -> str:
        """The name of a score; of the first one that was measured if None.

        Raises:
          UserError: There is no such score, or none at all.
        """
        if not self.scores:
            raise UserError("No run of the study has been evaluated yet.")
        if score is None:
            return self.scores[0]
        if score not in self.scores:
            raise unknown_name("score", score, self.scores)
        return score

    def rows(self) -> list[dict[str, Any]]:
        """A row for each run, with its scores at the final step; values not known are None.

        Columns: `run`, `variant`, the axes, `seed`, `state`, `step`, `steps`, in a search that
        pruned trials `pruned_at_step` and `pruned_value`, the scores, each with
        its standard deviation over sets of samples (`_std_over_sets`) where there were several and
        the spreads that its metric gives, e.g. `_standard_error`; the costs, and what the scores'
        rows state, with the provenance as `provenance.<field>`.
        """
        return tidy.run_rows(self.records)

    def step_rows(self) -> list[dict[str, Any]]:
        """A row for each evaluated step of each run, for scores over steps, images or time.

        Columns: those of `rows` up to the scores, with `step` as the evaluated one; `is_final`,
        whether the step is the last one of a finished run; `images_seen`, images up to the
        step; `training_seconds`, the time to train on them at the run's median speed, without
        start, compilation and evaluation.

        Raises:
          UserError: The scores were not measured in the same way at all steps.
        """
        self._check_provenance(
            (f"{run.name} at step {step}", rows)
            for run in self.records
            for step, rows in measurements(run).items()
        )
        return tidy.step_rows(self.records)

    def summary(self, score: str | None = None) -> list[VariantSummary]:
        """A row for each variant; see `VariantSummary`.

        Args:
          score: Name of the score; None = the first one that was measured.
        """
        name = self.headline_score(score)
        return summarize(self.records, name, self.better(name))

    def comparisons(self, score: str | None = None, against: str | None = None) -> list[Comparison]:
        """Comparisons of all pairs of variants, or of all with one; see `compare_variants`.

        Args:
          score: Name of the score; None = the first one that was measured.
          against: Name of the variant that all others are compared with; None = all pairs.
        """
        name = self.headline_score(score)
        return compare_variants(self.records, name, self.better(name), against)

    def axis_comparisons(self, axis: str, score: str | None = None) -> list[Comparison]:
        """Comparisons of all pairs of labels of an axis; see `compare_labels`.

        Args:
          axis: Name of the axis.
          score: Name of the score; None = the first one that was measured.
        """
        name = self.headline_score(score)
        return compare_labels(self.records, name, self.better(name), axis)

    def notes(self, score: str | None = None) -> list[str]:
        """Sentences that belong under the table: divergence, caveats, what differs."""
        name = self.headline_score(score)
        rows = [(run.name, final_measurement(run).get(name)) for run in self.records]
        measured = [(run, row) for run, row in rows if row is not None]
        notes = self.search_notes()
        if diverged := [run.name for run in self.records if run.state == DIVERGED]:
            notes.append(f"Diverged, and in no mean: {', '.join(diverged)}.")
        if pruned := self._pruned():
            notes.append(f"Pruned by the search, and in no mean: {', '.join(pruned)}.")
        versions = dict.fromkeys(row.provenance.code_version for _, row in measured)
        if len(versions) > 1:
            notes.append(f"Versions of the library differ: {', '.join(versions)}.")
        for field in self._may_differ:
            if len({json.dumps(getattr(row.provenance, field)) for _, row in measured}) > 1:
                notes.append(f"The scores differ in {field}, which was allowed.")
        caveats: dict[str, list[str]] = {}
        for run_name, row in measured:
            for caveat in dict.fromkeys(row.notes):
                caveats.setdefault(caveat, []).append(run_name)
        every = len(measured)
        for caveat, names in caveats.items():
            notes.append(caveat if len(names) == every else f"{', '.join(names)}: {caveat}")
        return notes

    def _pruned(self) -> list[str]:
        """The variants that a search has pruned, each with the step."""
        decisions = {run.variant: run.pruning for run in self.records if run.state == PRUNED}
        return [f"{name} (step {each.step:,})" for name, each in decisions.items() if each]

    def search_notes(self) -> list[str]:
        """A sentence for each way in which a search has chosen variants."""
        ways = dict.fromkeys(run.chosen_by for run in self.records if run.chosen_by)
        return [
            f"The variants were chosen by {way}: the best ones look better than they are, and "
            "neither intervals nor tests account for the choice. Compare them anew, with other "
            "seeds."
            for way in ways
        ]

    def frame(self, steps: bool = False) -> "pandas.DataFrame":
        """The rows as a pandas DataFrame.

        Args:
          steps: Take `step_rows` instead of `rows`.

        Raises:
          UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise _missing("pandas") from None
        return formats.frame(self._tidy(steps), pandas, tidy.numbers(self.records))

    def csv(self, steps: bool = False) -> str:
        """The rows as CSV; cells of values that are not known are empty."""
        rows = self._tidy(steps)
        return formats.csv_text(list(rows[0]) if rows else [], [row.values() for row in rows])

    def write_parquet(self, path: str, steps: bool = False) -> None:
        """Writes the rows as a Parquet file.

        Args:
          path: The file.
          steps: Write `step_rows` instead of `rows`.

        Raises:
          UserError: pandas or pyarrow is not installed.
        """
        try:
            import pyarrow  # noqa: F401, pandas imports it.
        except ImportError:
            raise _missing("pyarrow") from None
        frame = self.frame(steps)
        with files.atomic(path) as temporary:
            frame.to_parquet(temporary, engine="pyarrow", index=False)

    def markdown(
        self, score: str | None = None, against: str | None = None, axis: str | None = None
    ) -> str:
        """The summary as Markdown, and comparisons that are asked for.

        Args:
          score: Name of the score; None = the first one that was measured.
          against: Name of a variant that all others are compared with.
          axis: Name of an axis whose labels are compared.
        """
        return "\n".join(map(formats.markdown, self._texts(score, against, axis)))

    def latex(
        self, score: str | None = None, against: str | None = None, axis: str | None = None
    ) -> str:
        """The summary as LaTeX tables for the package booktabs; arguments as of `markdown`."""
        return "\n".join(map(formats.latex, self._texts(score, against, axis)))

    def _texts(
        self, score: str | None, against: str | None, axis: str | None
    ) -> list[formats.TextTable]:
        name = self.headline_score(score)
        better = self.better(name)
        tables = [
            summary_text.summary_table(self.summary(name), self._final_steps(), self.notes(name))
        ]
        if against is not None:
            compared = self.comparisons(name, against)
            tables.append(summary_text.variants_table(compared, name, better, against))
        if axis is not None:
            compared = self.axis_comparisons(axis, name)
            tables.append(summary_text.labels_table(compared, name, better, axis))
        return tables

    def _final_steps(self) -> list[int]:
        return sorted({run.steps for run in self.records})

    def _tidy(self, steps: bool) -> list[dict[str, Any]]:
        return self.step_rows() if steps else self.rows()

    def _rows_of(self, score: str) -> list[ResultRow]:
        return [row for run in self.records for row in run.rows if score in row.scores]

    def _check_names(self) -> None:
        for kind, keys in (
            ("names", [run.name for run in self.records]),
            ("variants and seeds", [f"{run.variant}, seed {run.seed}" for run in self.records]),
        ):
            repeated = sorted({key for key in keys if keys.count(key) > 1})
            if repeated:
                raise UserError(
                    f"Runs of one table must have different {kind}, received several of "
                    f"'{repeated[0]}'."
                )

    def _check_provenance(self, named: Iterable[tuple[str, Mapping[str, ResultRow]]]) -> None:
        named = list(named)
        ignored = ("code_version", *self._may_differ)
        for score in self.scores:
            measured = [(name, rows[score]) for name, rows in named if score in rows]
            if not measured:
                continue
            names, rows = zip(*measured, strict=True)
            if found := comparison.differences(rows, names, ignored):
                raise UserError(
                    f"Scores of one table must be measured alike, but for '{score}' "
                    f"{'; '.join(found)}: choose comparable runs (--where), or allow a field to "
                    "differ (--may_differ)."
                )


def _missing(package: str) -> UserError:
    return UserError(f'{package} is not installed: `pip install "compare_gan[study]"` brings it.')
