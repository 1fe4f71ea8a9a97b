"""Wrote rliable.json: statistics of synthetic scores by rliable 1.2.0, arch 7.2.0, pandas 2.

    python tests/studies/tables/record_rliable.py

It takes two minutes. Tests only read the file.
"""

import json
import pathlib

import numpy as np
from rliable import library, metrics

rng = np.random.default_rng(7)
x = np.round(rng.normal(10.0, 2.0, (9, 3)), 2)
y = np.round(rng.normal(11.0, 2.0, (7, 3)), 2)
y[2, 1] = x[4, 1]  # A tie.
np.random.seed(0)  # noqa: NPY002, rliable's resamples use this generator.


def interval(function, *scores, reps):
    """The ends of rliable's 95 % percentile interval."""
    given = scores[0] if len(scores) == 1 else list(scores)
    _, intervals = library.get_interval_estimates(
        {"": given}, lambda *arrays: np.array([function(*arrays)]), reps=reps
    )
    return intervals[""].ravel().tolist()


iqm, mean = metrics.aggregate_iqm, metrics.aggregate_mean
improvement = metrics.probability_of_improvement
recorded = {
    "x": x.tolist(),
    "y": y.tolist(),
    "mean": float(mean(x)),
    "iqm": float(iqm(x)),
    "iqm_of_one_task": float(iqm(x[:, :1])),
    "improvement": float(improvement(x, y)),
    "iqm_interval": interval(iqm, x, reps=50_000),
    "mean_interval": interval(mean, x, reps=50_000),
    "iqm_of_one_task_interval": interval(iqm, x[:, :1], reps=50_000),
    "improvement_interval": interval(improvement, x, y, reps=20_000),
}
pathlib.Path(__file__).with_name("rliable.json").write_text(json.dumps(recorded, indent=1) + "\n")
