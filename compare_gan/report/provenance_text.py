"""The provenance of scores in words."""

import dataclasses
from collections.abc import Mapping

from compare_gan.evaluation.results import ResultRow


def provenance_facts(row: ResultRow) -> dict[str, str]:
    """What a row states about its scores, by name.

    Args:
      row: The row.
    """
    facts: dict[str, object] = {"protocol": row.protocol_name} if row.protocol_name else {}
    for name, value in dataclasses.asdict(row.provenance).items():
        facts[name.replace("_", " ")] = value
    facts |= {"training labels": row.training_labels} if row.training_labels else {}
    facts |= {"config": row.config} if row.config else {}
    facts |= {"rollbacks": row.rollbacks} if row.rollbacks else {}
    return {name: in_words(value) for name, value in facts.items()}


def in_words(value: object) -> str:
    """A value of a record: lists and objects without brackets, integers with separators.

    Seeds have no separators: they count nothing.

    Example:
      >>> from compare_gan.report.provenance_text import in_words
      >>> in_words({"kid.subset_size": 1000, "kid.seed": 2020}), in_words([1, 2]), in_words({})
      ('kid.subset_size = 1,000, kid.seed = 2020', '1, 2', 'none')
    """
    if isinstance(value, Mapping):
        shown = {
            name: str(each) if name.endswith("seed") else in_words(each)
            for name, each in value.items()
        }
        return ", ".join(f"{name} = {each}" for name, each in shown.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
