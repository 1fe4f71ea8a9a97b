"""Share of 95 % intervals of the mean over seeds that contain the true mean, as a table.

    python benchmarks/interval_coverage.py

The scores are synthetic. docs/study_statistics.md has the table; it takes a minute.
"""

import click
import numpy as np

from compare_gan.studies.statistics import bootstrap_interval, student_interval

_SEEDS = (2, 3, 5, 8, 10, 20)
_METHODS = {
    "Student's t": student_interval,
    "bootstrap": lambda scores: bootstrap_interval(scores, resamples=1000),
}


def coverage(interval, scores: np.ndarray, mean: float) -> float:
    """The share of studies, rows of scores [studies, seeds], whose interval contains the mean."""
    return float(np.mean([low <= mean <= high for low, high in map(interval, scores)]))


@click.command()
@click.option("--studies", default=4000, show_default=True, type=click.IntRange(min=1))
def main(studies: int) -> None:
    """Prints the table."""
    rng = np.random.default_rng(0)
    print(f"| seeds | {' | '.join(map(str, _SEEDS))} |\n|---|{'---:|' * len(_SEEDS)}")
    for distribution, transform, mean in (
        ("normal scores", lambda x: x, 0.0),
        ("skewed scores (log-normal, σ = 0.5)", lambda x: np.exp(0.5 * x), np.exp(0.125)),
    ):
        samples = [transform(rng.normal(size=(studies, seeds))) for seeds in _SEEDS]
        for method, interval in _METHODS.items():
            shares = [f"{100 * coverage(interval, scores, mean):.0f} %" for scores in samples]
            print(f"| {distribution}, {method} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
