"""Sample grids of a study on its page: of the best, the median and the worst runs."""

import os
from collections.abc import Sequence

from compare_gan.report.images import PictureFile
from compare_gan.report.markup import Block, number
from compare_gan.report.page import Details, Section, Side
from compare_gan.report.study_scores import ranked
from compare_gan.studies.records import RunRecord
from compare_gan.studies.table import StudyTable
from compare_gan.types import Direction

_MOST_PICTURES = 60  # With more runs, each variant shows only its median: pages remain small.


def sample_section(table: StudyTable, score: str) -> Section | None:
    """Samples side by side; None if no scored run has any, or no direction of the score is better.

    Samples are those of the last step, with the latents that all runs share.
    """
    better = table.better(score)
    if better is None:
        return None
    rows = ranked(table.summary(score))
    scored = [
        (row.scores[run.seed], run)
        for row in rows
        for run in table.records
        if run.variant == row.variant and run.seed in row.scores and sample_file(run)
    ]
    if not scored:
        return None
    blocks: list[Block | str] = [
        Side(_three(scored, score, better, "of all runs", with_name=True), narrow=True)
    ]
    few = len(scored) <= _MOST_PICTURES
    for row in rows:
        of_variant = [(value, run) for value, run in scored if run.variant == row.variant]
        if of_variant:
            pictures = _three(of_variant, score, better, "of this variant", False, not few)
            blocks.append(
                Details(f"{row.variant}: mean {number(row.mean)}", [Side(pictures, narrow=True)])
            )
    return Section(
        "Samples",
        blocks,
        intro=f"The runs are chosen by {score} at the final step, not by their looks; samples are "
        "those of that step, in order and not selected.",
    )


def sample_file(run: RunRecord) -> str | None:
    """The sample grid of the last step, else the newest one; None if there is none."""
    for name in (os.path.join("samples", f"step_{run.steps:07}.png"), "samples.png"):
        path = os.path.join(run.model_dir, name)
        if run.model_dir and os.path.isfile(path):
            return path
    return None


def _three(
    scored: Sequence[tuple[float, RunRecord]],
    score: str,
    better: Direction,
    among: str,
    with_name: bool,
    only_median: bool = False,
) -> list[Block | str]:
    """Grids of the best, the median and the worst run; fewer if there are fewer runs."""
    order = sorted(scored, key=lambda each: each[0], reverse=better == "higher")
    places = {"Best": 0, "Median": (len(order) - 1) // 2, "Worst": len(order) - 1}
    names: dict[int, list[str]] = {}
    for name, place in places.items():
        if name == "Median" or not only_median:
            names.setdefault(place, []).append(name)
    pictures: list[Block | str] = []
    for place, words in names.items():
        value, run = order[place]
        which = " and ".join([words[0], *(word.lower() for word in words[1:])])
        which = which if len(order) > 1 else "The only one"
        who = run.name if with_name else f"seed {run.seed}"
        caption = f"{which} {among}: {who}, {score} {number(value)}"
        path = sample_file(run)
        assert path is not None  # `scored` has only runs with one.
        pictures.append(PictureFile(path, f"Samples. {caption}", caption))
    return pictures
