"""Choice of runs by their labels."""

from collections.abc import Collection, Iterable, Mapping

from compare_gan.errors import UserError, unknown_name, with_known_names
from compare_gan.studies.records import RunRecord


def select(records: Iterable[RunRecord], where: Mapping[str, Collection[str]]) -> list[RunRecord]:
    """The runs with certain labels.

    Example:
      >>> from compare_gan.studies.records import RunRecord
      >>> from compare_gan.studies.selection import select
      >>> runs = [RunRecord(name=f"{loss}-seed1", variant=loss, axes={"loss.fn": loss}, seed=1,
      ...     steps=10) for loss in ("hinge", "wasserstein")]
      >>> [run.name for run in select(runs, {"loss.fn": ["hinge"]})]
      ['hinge-seed1']

    Args:
      records: Runs.
      where: Allowed labels by the name of the axis.

    Raises:
      UserError: An axis or a label does not exist.
    """
    records = list(records)
    for axis, labels in where.items():
        known = {each.axes[axis] for each in records if axis in each.axes}
        if not known:
            raise unknown_name("axis", axis, {name for each in records for name in each.axes})
        for label in labels:
            if label not in known:
                sentence = f"The axis '{axis}' has no label '{label}'."
                raise UserError(with_known_names(sentence, label, known))
    return [
        each
        for each in records
        if all(each.axes.get(axis) in labels for axis, labels in where.items())
    ]
