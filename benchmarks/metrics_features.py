"""Speed and memory of metrics on features: FID against SciPy, and metrics of nearest neighbors.

    python benchmarks/metrics_features.py

The features are synthetic: positive and correlated, 2048 of them. `rows()` returns the table for
benchmarks/metrics.py.
"""

import multiprocessing
import re
import time
from collections.abc import Callable

import click
import numpy as np


def make_features(n: int, width: int, seed: int) -> np.ndarray:
    """Features float32 [n, width] like those of a network: after a ReLU, with many scales."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(width, width)) / np.sqrt(width)
    mix *= np.exp(-np.arange(width) / (0.2 * width))[:, None]
    x = rng.standard_normal((n, width), np.float32) @ mix.astype(np.float32)
    x += 0.02 * rng.standard_normal((n, width), np.float32)
    return np.maximum(x + 0.05 * seed, 0.0)


def frechet(n: int = 50_000, width: int = 2048) -> dict[str, float]:
    """FID from features to value, by this library and by `np.cov` and `scipy.linalg.sqrtm`."""
    import scipy.linalg

    from compare_gan.metrics import frechet_distance, frechet_distance_from_statistics

    real, fake = make_features(n, width, 1), make_features(n, width, 2)
    means = [x.mean(axis=0, dtype=np.float64) for x in (real, fake)]
    ours, seconds = _timed(lambda: frechet_distance(real, fake))
    covariances, covariance_seconds = _timed(
        lambda: [np.cov(x, rowvar=False) for x in (real, fake)]
    )
    root, root_seconds = _timed(lambda: scipy.linalg.sqrtm(covariances[0] @ covariances[1]))
    _, value_seconds = _timed(
        lambda: frechet_distance_from_statistics(means[0], covariances[0], means[1], covariances[1])
    )
    apart = means[0] - means[1]
    theirs = apart @ apart + sum(map(np.trace, covariances)) - 2 * np.trace(root).real
    return {
        "seconds": seconds,
        "seconds_from_statistics": value_seconds,
        "np_cov_seconds": covariance_seconds,
        "sqrtm_seconds": root_seconds,
        "times_faster_than_sqrtm": root_seconds / seconds,
        "times_faster_than_np_cov_and_sqrtm": (covariance_seconds + root_seconds) / seconds,
        "times_faster_than_sqrtm_from_statistics": root_seconds / value_seconds,
        "relative_difference": abs(ours / theirs - 1),
    }


def neighbours(n: int = 10_000, width: int = 2048) -> dict[str, float]:
    """Precision and recall (k = 3), density and coverage (k = 5) of n against n, in a new process.

    `peak_gb` is the peak memory of the process, including features and libraries.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_neighbours, (n, width))


def _neighbours(n: int, width: int) -> dict[str, float]:
    from compare_gan.metrics import density_coverage, precision_recall

    real, fake = make_features(n, width, 1), make_features(n, width, 2)
    _, shares_seconds = _timed(lambda: precision_recall(real, fake))
    _, densities_seconds = _timed(lambda: density_coverage(real, fake))
    return {
        "precision_recall_seconds": shares_seconds,
        "density_coverage_seconds": densities_seconds,
        "peak_gb": _peak_kilobytes() / 2**20,
    }


def _peak_kilobytes() -> int:
    # Not getrusage, which includes the memory of the process before it started this program.
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1])


def _timed(function: Callable):
    started = time.perf_counter()
    value = function()
    return value, time.perf_counter() - started


def rows(
    frechet_images: int = 50_000, neighbour_images: int = 10_000, width: int = 2048
) -> list[tuple[str, float]]:
    """Pairs of name and measured value."""
    measured = {
        f"FID of {frechet_images} x {width}": frechet(frechet_images, width),
        f"neighbours, {neighbour_images} x {width}": neighbours(neighbour_images, width),
    }
    return [
        (f"{name}: {what.replace('_', ' ')}", value)
        for name, values in measured.items()
        for what, value in values.items()
    ]


@click.command()
@click.option("--frechet_images", default=50_000, show_default=True)
@click.option("--neighbour_images", default=10_000, show_default=True)
@click.option("--width", default=2048, show_default=True, help="Number of features.")
def main(frechet_images, neighbour_images, width):
    """Prints the table."""
    print("| measured | value |\n|---|---|")
    for name, value in rows(frechet_images, neighbour_images, width):
        print(f"| {name} | {value:.3g} |")


if __name__ == "__main__":
    main()
