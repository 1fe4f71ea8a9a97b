"""Scores of several averages of one training: which length suits it best."""

import dataclasses
from collections.abc import Sequence

from compare_gan import engine
from compare_gan.evaluation.evaluate import evaluate_generator
from compare_gan.evaluation.results import ResultRow, format_scores
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.metrics.directions import better_direction
from compare_gan.terminal import printable
from compare_gan.training.checkpoint_scores import restored_for_scores
from compare_gan.training.experiment import Experiment
from compare_gan.training.post_hoc import OfHalfLife, OfLength
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainer import evaluation_strategy

LENGTHS = (0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25)


def scan(
    experiment: Experiment,
    run: RunDir,
    path: str,
    averages: Sequence[OfLength | OfHalfLife],
    averaging_runs: int = 3,
    allow_imports: Sequence[str] = (),
) -> list[ResultRow]:
    """Scores the generator with several averages of its weights, on all devices of this process.

    The rows are printed, and added to `averages.jsonl` and `averages.csv` in the run directory.

    Args:
      experiment: The experiment that was trained.
      run: The directory of the run.
      path: The checkpoint.
      averages: The averages.
      averaging_runs: Number of sets of samples that scores are averaged over.
      allow_imports: See `RunDir.load`.

    Returns:
      One row for each average.

    Raises:
      UserError: One of the averages cannot be made, which is checked before the first is scored.
    """
    for average in averages:
        average.check(path)
    peers = engine.peers(evaluation_strategy(experiment.run_config, alone=True))
    results = ResultsFile(run.file("averages.jsonl"), run.file("averages.csv"))
    rows: list[ResultRow] = []
    with experiment.bindings.active():
        model = restored_for_scores(experiment, run, path, allow_imports)
        for average in averages:
            changed = model.with_average(average.read(run, path), str(average))
            row = evaluate_generator(
                changed.sampler,
                experiment.dataset,
                experiment.evaluation,
                averaging_runs=averaging_runs,
                weights=changed.weights,
                step=changed.step,
                discriminator=changed.state.gan.discriminator,
                peers=peers,
                progress=True,
            )
            row = dataclasses.replace(
                row,
                training_labels=run.training_labels(),
                config=run.configs.name_of(changed.step),
                rollbacks=run.rollbacks.count_before(changed.step),
            )
            print(printable(format_scores([row], explained=False)))
            results.add([row])
            rows.append(row)
    return rows


def best(rows: Sequence[ResultRow]) -> tuple[int, str]:
    """The row with the best value of the first score that has a best one, and that score's name.

    Example:
      >>> import dataclasses, numpy as np
      >>> from compare_gan.evaluation import Score, score_sets
      >>> from compare_gan.training.average_scan import best
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> row = score_sets(images, images[:4], metrics=["memorization_pixels"]).row
      >>> scores = [{"fid_inception": Score(value, 0.0)} for value in (9.0, 7.5, 8.0)]
      >>> best([dataclasses.replace(row, scores=each) for each in scores])
      (1, 'fid_inception')
    """
    for name in rows[0].score_names:
        direction = better_direction(name, rows[0].provenance.extractor)
        if direction is not None and all(name in row.scores for row in rows):
            sign = 1 if direction == "lower" else -1
            values = [sign * row.scores[name].mean for row in rows]
            return values.index(min(values)), name
    return 0, ""


def summary(rows: Sequence[ResultRow]) -> str:
    """The scores of a scan as lines of text, one for each average, the best one marked."""
    chosen, score = best(rows)
    if not score:
        return ""
    width = max(len(row.provenance.weights) for row in rows)
    lines = [f"{'':{width}}  {score}"]
    for i, row in enumerate(rows):
        mark = "  *" if i == chosen else ""
        lines.append(f"{row.provenance.weights:{width}}  {row.score_text(score)}{mark}")
    return "\n".join(lines)
