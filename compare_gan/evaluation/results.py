"""Result rows: scores and the protocol that they were measured by."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

NOT_RECORDED = "not recorded"
# Names in `training_labels` of version 1, which has no `version`, and today's.
_OLD_LABEL_NAMES = {
    "accuracy on hidden labels": "hidden_accuracy",
    "share of images of their cluster's most frequent class": "cluster_purity",
}


@dataclasses.dataclass(frozen=True)
class Score:
    """Mean and standard deviation (ddof 0) of a score over sets of samples."""

    mean: float
    std: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How scores were measured. Two scores are comparable only where all of this matches.

    Attributes:
      dataset: Name of the data set.
      dataset_hash: Names the content of the reference images and labels.
      split: The reference split.
      num_real: Number of reference images.
      num_fake: Number of generated images in each set.
      resolution: Height x width x channels.
      resizer: What happens to images before they reach the extractor.
      extractor: Name of the extractor.
      extractor_hash: Names its weights.
      weights: Of the generator: `ema` or `raw`.
      batch_norm: What it normalizes with: moving averages or standing statistics.
      labels: `in turn` or `none` (unconditional).
      latents: Their distribution.
      truncation: Of the latents.
      seeds: One for each set of samples that a score is averaged over.
      metric_options: Options of the metrics, as `metric.option`.
      code_version: Of this library.
    """

    dataset: str
    dataset_hash: str
    split: str
    num_real: int
    num_fake: int
    resolution: str
    resizer: str
    extractor: str
    extractor_hash: str
    weights: str
    batch_norm: str
    labels: str
    latents: str
    truncation: float
    seeds: Sequence[int]
    metric_options: dict[str, object]
    code_version: str


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """The scores of one checkpoint.

    Attributes:
      step: Its generator step; None for images that came from elsewhere.
      scores: By name; the name bears the extractor.
      protocol: How they were measured.
      metrics: Names of the metrics asked for; one without meaning for the generator has no score.
      protocol_name: Of the named protocol that they were measured by; empty if by none.
      training_labels: Description of the inferred labels that the generator was trained on (see
        `labels.files`); None without any.
    """

    step: int | None
    scores: dict[str, Score]
    protocol: Protocol
    metrics: Sequence[str] = ()
    protocol_name: str = ""
    training_labels: Mapping[str, object] | None = None

    def to_json(self) -> str:
        """One line of results.jsonl."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "ResultRow":
        """The inverse of `to_json`; what an older version did not record is `NOT_RECORDED`.

        Reads what `compare_gan metrics` prints as well, where scores are plain numbers.
        """
        row = json.loads(line)
        scores = {
            name: Score(**score) if isinstance(score, dict) else Score(float(score), 0.0)
            for name, score in row["scores"].items()
        }
        missing = {field.name: NOT_RECORDED for field in dataclasses.fields(Protocol)}
        protocol = Protocol(**missing | row["protocol"])
        return cls(
            row.get("step"),
            scores,
            protocol,
            tuple(row.get("metrics", ())),
            row.get("protocol_name", ""),
            upgrade_training_labels(row.get("training_labels")),
        )


def upgrade_training_labels(
    description: Mapping[str, object] | None,
) -> dict[str, object] | None:
    """A description of inferred labels, of any version, under today's names.

    Example:
      >>> from compare_gan.evaluation.results import upgrade_training_labels
      >>> upgrade_training_labels({"soft": False, "accuracy on hidden labels": 0.9})
      {'version': 1, 'soft': False, 'hidden_accuracy': 0.9}

    Args:
      description: `training_labels` of a result row, or the content of training_labels.json.

    Returns:
      The description; None without inferred labels.
    """
    if description is None:
        return None
    renamed = {_OLD_LABEL_NAMES.get(name, name): value for name, value in description.items()}
    return {"version": 1, **renamed}


def protocol_differences(a: ResultRow, b: ResultRow) -> dict[str, tuple[object, object]]:
    """What differs between the protocols of two rows: field -> (a's value, b's value).

    Options of metrics that only one of them has make no difference to the scores of the others.
    """
    first, second = (json.loads(json.dumps(dataclasses.asdict(row.protocol))) for row in (a, b))
    options = first["metric_options"], second["metric_options"]
    if all(isinstance(each, dict) for each in options):
        shared = set.intersection(*({metric_of(option) for option in each} for each in options))
        for protocol, each in zip((first, second), options, strict=True):
            kept = {option: value for option, value in each.items() if metric_of(option) in shared}
            protocol["metric_options"] = kept
    return {name: (first[name], second[name]) for name in first if first[name] != second[name]}


def metric_of(option: str) -> str:
    """The metric that an entry of `Protocol.metric_options` belongs to."""
    return option.split(".", 1)[0]


def comparable(a: ResultRow, b: ResultRow) -> bool:
    """Whether scores of the same name in two rows may be compared."""
    return not protocol_differences(a, b)


def format_scores(rows: Iterable[ResultRow]) -> str:
    """A few lines to read: what was measured, then each score as mean ± standard deviation."""
    lines = []
    for row in rows:
        p = row.protocol
        lines.append(
            f"Step {row.step}: {len(p.seeds)} x {p.num_fake} samples ({p.weights} weights) against "
            f"{p.num_real} images of {p.dataset} ({p.split})"
            + (f", protocol {row.protocol_name}" if row.protocol_name else "")
        )
        width = max((len(name) for name in row.scores), default=0)
        for name, score in row.scores.items():
            lines.append(f"  {name:<{width}}  {score.mean:.4f} ± {score.std:.4f}")
    return "\n".join(lines)
