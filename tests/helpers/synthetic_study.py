"""A study that nobody trained: records of runs with scores that follow from their labels."""

import itertools
import os

import numpy as np

from compare_gan.evaluation import Score
from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow
from compare_gan.plots import grids
from compare_gan.studies import RunRecord, define
from compare_gan.studies.records import DIVERGED, FAILED, FINISHED
from compare_gan.training.diverged_file import DivergedFile

LOSSES = {"hinge": 30.0, "non_saturating": 35.0, "wasserstein": 60.0, "least_squares": 40.0}
NORMS = {"none": 12.0, "spectral_norm": 0.0, "layer_norm": 4.0}
STEPS = 1500


def provenance(**fields):
    """The provenance of a synthetic score."""
    stated = dict.fromkeys(Provenance.__dataclass_fields__, "as ever")
    stated |= {"extractor": "fashion_cnn", "seeds": [0, 1], "metric_options": {}}
    return Provenance(**stated | {"num_fake": 10000} | fields)


def define_study():
    """The definition of the study: 4 losses, 3 normalizations, 5 seeds."""
    return define(
        base="supervised_fashion_mnist",
        title="Losses and normalizations on Fashion-MNIST",
        description="Four losses with three normalizations of the discriminator, five seeds each.",
        axes={
            "loss.fn": [f"@{loss}" for loss in LOSSES],
            "norm": {norm: [f"D.spectral_norm = {norm == 'spectral_norm'}"] for norm in NORMS},
        },
        exclude=[{"loss.fn": "least_squares", "norm": "none"}],
        seeds=5,
        steps=STEPS,
    )


def records(folder=None, seeds=5, shape=(28, 28, 1)):
    """The records of all runs.

    Args:
      folder: Folder for directories of the runs with a sample grid each; None = none are made.
      seeds: Number of seeds.
      shape: Shape of the samples.
    """
    rng = np.random.default_rng(0)
    made = []
    for number, (loss, norm) in enumerate(itertools.product(LOSSES, NORMS)):
        for seed in range(1, seeds + 1):
            variant = f"{loss}-{norm}"
            name = f"{variant}-seed{seed}"
            state = FINISHED
            if (loss, norm) == ("wasserstein", "none"):
                state = DIVERGED
            elif number == 4 and seed == 2:
                state = FAILED
            model_dir = os.path.join(folder, "runs", name) if folder else ""
            if folder:
                _write_files(model_dir, state, rng, shape)
            made.append(
                RunRecord(
                    name=name, variant=variant, axes={"loss.fn": loss, "norm": norm}, seed=seed,
                    state=state, step=STEPS if state == FINISHED else 700, steps=STEPS,
                    rows=tuple(_rows(loss, norm, state, rng)), wall_seconds=600.0 + 9 * number,
                    cpu_seconds=1150.0, gpu_seconds=0.0, images_per_second=900.0 - 20 * number,
                    images_seen=STEPS * 64, attempts=1, code_version="4.0", model_dir=model_dir,
                )
            )  # fmt: skip
    return made


def _rows(loss, norm, state, rng):
    final = LOSSES[loss] + NORMS[norm] + rng.normal(0, 2)
    stated = provenance()
    for step in range(250, (STEPS if state == FINISHED else 500) + 1, 250):
        fid = final + 250 * np.exp(-step / 250)
        yield ResultRow(
            step,
            {
                "fid_fashion_cnn": Score(float(fid), 0.3),
                "inception_score_fashion_cnn": Score(float(9 - fid / 40), 0.05),
            },
            stated,
            ("fid", "inception_score"),
        )


def _write_files(model_dir, state, rng, shape):
    images = rng.integers(0, 256, (100, *shape), dtype=np.uint8)
    # Real samples have as much detail as noise of this resolution.
    smooth = images[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    grids.save_png(grids.image_grid(smooth, 10), os.path.join(model_dir, "samples.png"))
    if state == DIVERGED:
        DivergedFile(os.path.join(model_dir, "DIVERGED")).write(700, ["loss/discriminator"])
