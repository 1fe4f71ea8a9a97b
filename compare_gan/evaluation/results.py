"""Result rows: scores with their provenance."""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import PIL.Image

from compare_gan.errors import check_version
from compare_gan.evaluation.provenance import (
    MAY_BE_NONE,
    NONE,
    NOT_RECORDED,
    Provenance,
    compared_options,
    metric_of,
)
from compare_gan.labels.files import upgrade_training_labels

# A value named after a score, with one of these at its end, is a spread of that score, or its
# reference, and no score itself: see `Metric.value`. Names of classes are free.
_ACCOMPANYING = re.compile(r"^(?!.*_class_)(?P<score>.+)_(standard_error|std_over_\w+|real)$")

VERSION = 1  # Of a result row and of the output of `compare_gan metrics`; older ones have none.


@dataclasses.dataclass(frozen=True)
class Score:
    """Mean and standard deviation (ddof 0) of a score over sets of samples.

    Example:
      >>> from compare_gan.evaluation import Score
      >>> Score(mean=12.5, std=0.25)
      Score(mean=12.5, std=0.25)
    """

    mean: float
    std: float


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """The scores of one checkpoint, or of images from elsewhere.

    Attributes:
      step: Generator step of the checkpoint; None for images from elsewhere.
      scores: Scores by name, which contains the extractor's, and the values that accompany them,
        such as KID's standard error.
      provenance: Provenance of the scores.
      metrics: Names of the requested metrics; one that does not apply has no score.
      protocol_name: Name of the protocol that they were measured by; empty if by none.
      training_labels: Description of the inferred labels that the generator was trained on (see
        `labels.files`); None without any.
      config: File, in the run directory, with the config that the checkpoint comes from; empty for
        images from elsewhere and in older rows.
      rollbacks: How often the training diverged and went back to a checkpoint before this one.
      notes: Caveats about scores, such as too few images, each with a remedy.
      fake_hash: Hash of the scored images, in any order; empty for those of a generator. Neither
        this nor `pictures` is written to files or compared.
      pictures: Pictures that metrics have drawn, by the names of scores.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation import score_sets
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> row = score_sets(images, images[:4], metrics=["memorization_pixels"]).row
      >>> list(row.metrics), row.step is None
      (['memorization_pixels'], True)
    """

    step: int | None
    scores: dict[str, Score]
    provenance: Provenance
    metrics: Sequence[str] = ()
    protocol_name: str = ""
    training_labels: Mapping[str, object] | None = None
    config: str = ""
    rollbacks: int = 0
    notes: Sequence[str] = ()
    fake_hash: str = dataclasses.field(default="", compare=False)
    pictures: Mapping[str, PIL.Image.Image] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )

    @functools.cached_property
    def _accompanying(self) -> dict[str, str]:
        """Names of the values that accompany scores, and for each that of its score."""
        found = {name: _ACCOMPANYING.match(name) for name in self.scores}
        owners = {name: match["score"] for name, match in found.items() if match}
        return {name: score for name, score in owners.items() if score in self.scores}

    @property
    def score_names(self) -> list[str]:
        """Names of the scores, without what accompanies them: to be listed, ranked and plotted."""
        return [name for name in self.scores if name not in self._accompanying]

    @property
    def means(self) -> dict[str, float]:
        """The means of the scores by name, without what accompanies them."""
        return {name: self.scores[name].mean for name in self.score_names}

    def accompanying(self, name: str) -> dict[str, float]:
        """The values that accompany a score, by the suffixes of their names.

        `standard_error` and `std_over_…` are spreads of it; `real` is the same measure between real
        images.
        """
        return {
            value[len(name) + 1 :]: self.scores[value].mean
            for value, score in self._accompanying.items()
            if score == name
        }

    def accompanying_text(self, name: str) -> str:
        """The values that accompany a score, in words; empty if there are none."""
        values = {
            "between real images" if suffix == "real" else suffix.replace("_", " "): value
            for suffix, value in self.accompanying(name).items()
        }
        return ", ".join(f"{words} {value:.2g}" for words, value in values.items())

    def score_text(self, name: str) -> str:
        """A score as tables show it: with `±` if it is a mean over several sets of samples."""
        score = self.scores[name]
        spread = f" ± {score.std:.4f}" if len(self.provenance.seeds) > 1 else ""
        own = self.accompanying_text(name)
        return f"{score.mean:.4f}{spread}{f' ({own})' if own else ''}"

    def to_json(self) -> str:
        """One line of results.jsonl, where the provenance is the entry `protocol`."""
        return json.dumps(
            {
                "step": self.step,
                "scores": {name: dataclasses.asdict(score) for name, score in self.scores.items()},
                "protocol": dataclasses.asdict(self.provenance),
                "metrics": self.metrics,
                "protocol_name": self.protocol_name,
                "training_labels": self.training_labels,
                "config": self.config,
                "rollbacks": self.rollbacks,
                "notes": list(self.notes),
            }
        )

    @classmethod
    def from_json(cls, line: str, name: str = "The result row") -> "ResultRow":
        """The inverse of `to_json`; values missing in older rows are `NOT_RECORDED`.

        Also reads the output of `compare_gan metrics`, where scores are plain numbers.

        Args:
          line: The line.
          name: Its name in messages.

        Raises:
          UserError: A newer version of this library wrote it.
          ValueError, KeyError, TypeError, AttributeError: It is not a result row.
        """
        row = json.loads(line)
        check_version(name, row, VERSION)
        scores = {
            name: Score(float(score["mean"]), float(score["std"]))
            if isinstance(score, dict)
            else Score(float(score), 0.0)
            for name, score in row["scores"].items()
        }
        missing = {field.name: NOT_RECORDED for field in dataclasses.fields(Provenance)}
        provenance = Provenance(**missing | row["protocol"])
        return cls(
            row.get("step"),
            scores,
            provenance,
            tuple(row.get("metrics", ())),
            row.get("protocol_name", ""),
            upgrade_training_labels(row.get("training_labels"), f"training_labels in {name}"),
            row.get("config", ""),
            int(row.get("rollbacks", 0)),
            tuple(row.get("notes", ())),
        )


def provenance_differences(a: ResultRow, b: ResultRow) -> dict[str, tuple[object, object]]:
    """Differences of provenance between two rows: field -> (a's value, b's value).

    Scores may be compared if there are none. Options of metrics that only one row has make no
    difference to the scores of the others, nor does a background where no image has an alpha
    channel. Whether a generator is conditional is a property of the generator, not of the
    measurement: an unconditional one may be compared with any other.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation import provenance_differences, score_sets
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> few, more = (
      ...     score_sets(images, images[:n], metrics=["memorization_pixels"]).row for n in (4, 6)
      ... )
      >>> provenance_differences(few, more)
      {'num_fake': (4, 6)}
    """
    first, second = (json.loads(json.dumps(dataclasses.asdict(row.provenance))) for row in (a, b))
    for fields, row in ((first, a), (second, b)):
        fields["metric_options"] = compared_options(fields["metric_options"], row.scores)
    options = first["metric_options"], second["metric_options"]
    if all(isinstance(each, dict) for each in options):
        shared = set.intersection(*({metric_of(option) for option in each} for each in options))
        for fields, each in zip((first, second), options, strict=True):
            kept = {option: value for option, value in each.items() if metric_of(option) in shared}
            fields["metric_options"] = kept
    return {
        name: (first[name], second[name])
        for name in first
        if first[name] != second[name]
        and not (name in MAY_BE_NONE and NONE in (first[name], second[name]))
    }


def spread_note(rows: Iterable[ResultRow]) -> str | None:
    """The meaning of `±` in tables of these rows; None if no score of theirs has one.

    Example:
      >>> from compare_gan.evaluation.results import spread_note
      >>> spread_note([]) is None
      True
    """
    counts = sorted({len(row.provenance.seeds) for row in rows if len(row.provenance.seeds) > 1})
    if not counts:
        return None
    sets = " or ".join(map(str, counts))
    return (
        f"± is the standard deviation over {sets} sets of samples of the same network; it says "
        "nothing about other trainings (seeds)."
    )


def format_scores(rows: Sequence[ResultRow], explained: bool = True) -> str:
    """A few lines of text: how rows were measured, and each score as mean ± standard deviation.

    Args:
      rows: The rows.
      explained: Whether the last line is `spread_note`.
    """
    lines = []
    for row in rows:
        p = row.provenance
        lines.append(
            f"Step {row.step}: {len(p.seeds)} x {p.num_fake} samples ({p.weights} weights) against "
            f"{p.num_real} images of {p.dataset} ({p.split})"
            + (f", protocol {row.protocol_name}" if row.protocol_name else "")
            + (f", after {row.rollbacks} rollbacks of the training" if row.rollbacks else "")
        )
        width = max(map(len, row.score_names), default=0)
        for name in row.score_names:
            lines.append(f"  {name:<{width}}  {row.score_text(name)}")
        lines += [f"  Note: {note}" for note in row.notes]
    note = spread_note(rows) if explained else None
    return "\n".join([*lines, note] if note else lines)
