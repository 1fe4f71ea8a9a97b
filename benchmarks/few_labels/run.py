"""Every row of the paper on Fashion-MNIST, for each fraction of labels and each seed, as a table.

    python benchmarks/few_labels/run.py --runs runs/few_labels

Runs are trained and evaluated one after the other, seed by seed, for the same number of generator
steps. Each adds a line to results.jsonl; a run that has a line there is not repeated. A benchmark
that was killed continues where it stopped, or, on another machine, after the last finished run. A
seed determines weights, batches, hidden labels and everything random in inferring them; runs that
need the same inferred labels share them.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator

import click
import jobs

ROWS = {
    "supervised": "supervised",
    "s2gan": "S²GAN",
    "s3gan": "S³GAN",
    "s2gan_co": "S²GAN-CO",
    "s3gan_co": "S³GAN-CO",
    "clustering": "clustering",
    "clustering_ss": "clustering + self-supervision",
    "single_label": "single label",
    "single_label_ss": "single label + self-supervision",
    "random_label": "random label",
    "ssgan": "SSGAN, unconditional",
}
_SCORES = ("fid_fashion_cnn", "is_fashion_cnn", "class_agreement_fashion_cnn")
_DIVERGED = 3  # Exit status of `compare_gan train` for a diverged run.
# The fields of the provenance that make scores comparable. Random labels change the hash of the
# reference labels, on which none of these scores depends.
_PROTOCOL = (
    "dataset", "split", "num_real", "num_fake", "extractor", "extractor_hash", "weights", "seeds",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings shared by all runs."""

    runs: str
    steps: int
    num_fake: int
    averaging_runs: int
    bindings: tuple[str, ...]
    keep: bool = False


@dataclasses.dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
      row: Key of `ROWS`.
      fraction: Fraction of given labels; None if the row has none.
      seed: Seed of the run.
      key: Everything that the result depends on.
      bindings: Bindings added to the config of the row.
      labels: Name of the inferred labels that the run needs; None if it needs none.
    """

    row: str
    fraction: float | None
    seed: int
    key: dict
    bindings: tuple[str, ...]
    labels: str | None

    @property
    def config(self) -> str:
        return f"{self.row}_fashion_mnist.gin"

    @property
    def name(self) -> str:
        fraction = "" if self.fraction is None else f"_{self.fraction:g}"
        return f"{self.row}{fraction}_seed{self.seed}_{self.key['config']}"


def make_jobs(settings: Settings, rows, fractions, seeds: int) -> list[Job]:
    """All runs, in the order of execution."""
    return [
        job
        for seed in range(1, seeds + 1)
        for row in rows
        for job in _jobs_of(settings, row, fractions, seed)
    ]


def _jobs_of(settings: Settings, row: str, fractions, seed: int) -> Iterator[Job]:
    import gin

    from compare_gan import config
    from compare_gan.labels import LabelOptions

    path = str(jobs.CONFIGS / f"{row}_fashion_mnist.gin")
    config.parse([path])
    infers = config.is_bound("dataset.inferred_labels")
    for fraction in fractions if config.is_bound("dataset.labeled_fraction") else [None]:
        bindings = [
            f"run_config.tf_random_seed = {seed}",
            f"dataset.seed = {547 + seed}",
            f"options.training_steps = {settings.steps}",
            f"evaluation.num_fake = {settings.num_fake}",
        ]
        if fraction is not None:
            bindings.append(f"dataset.labeled_fraction = {fraction}")
        if infers:
            bindings.append(f"infer_labels.seed = {seed}")
        bindings += settings.bindings
        config.parse([path], bindings)
        key = {
            "row": row,
            "fraction": fraction,
            "seed": seed,
            "steps": settings.steps,
            "num_fake": settings.num_fake,
            "averaging_runs": settings.averaging_runs,
            "config": jobs.config_hash(),
        }
        needed = None
        if infers:
            name = gin.query_parameter("dataset.name")
            depends = json.dumps([name, LabelOptions.from_gin().key()], sort_keys=True)
            digest = hashlib.sha256(depends.encode()).hexdigest()[:12]
            given = "none" if fraction is None else f"{fraction:g}"
            needed = f"{given}_seed{seed}_{digest}"
        yield Job(row, fraction, seed, key, tuple(bindings), needed)


def run(job: Job, settings: Settings, results: jobs.Results) -> None:
    """Infers the labels that the run needs, trains, evaluates, writes the line, cleans up."""
    from compare_gan.training.run_dir import RunDir
    from compare_gan.version import code_version

    version = code_version()  # Before the run, so that it is the version of the code that runs.
    bindings, about = list(job.bindings), {}
    if job.labels:
        folder = os.path.join(settings.runs, "labels", job.labels)
        about["labels"] = _about_labels(
            jobs.infer_labels(settings.runs, folder, job.config, bindings)
        )
        bindings.append(f"infer_labels.label_dir = '{folder}'")
    model_dir = os.path.join(settings.runs, job.name)
    resumed = os.path.exists(model_dir)
    started = time.monotonic()
    status = _DIVERGED
    if not os.path.exists(
        os.path.join(model_dir, "DIVERGED")
    ):  # Left by a run that was killed at this point.
        status = jobs.compare_gan(
            "train", job.config, bindings,
            "--model_dir", model_dir, "--num_eval_averaging_runs", str(settings.averaging_runs),
        )  # fmt: skip
    if status not in (0, _DIVERGED):
        sys.exit(f"{job.name} ended with status {status}.")
    about |= {
        # An interrupted run would not report its total time.
        "minutes": None if resumed else jobs.minutes_since(started),
        "code_version": version,
    }
    if status == _DIVERGED:
        results.add(job.key, {"diverged": True, **about})
    else:
        [*_, row] = [
            row for row in RunDir(model_dir).results().read() if row.step == settings.steps
        ]
        about["protocol"] = {name: getattr(row.provenance, name) for name in _PROTOCOL}
        scores = {name: score.mean for name, score in row.scores.items()}
        grids = pathlib.Path(settings.runs, "grids")
        grids.mkdir(exist_ok=True)
        shutil.copy(os.path.join(model_dir, "samples.png"), grids / f"{job.name}.png")
        results.add(job.key, {"scores": scores, **about})
    if not settings.keep:
        shutil.rmtree(model_dir)


def _about_labels(manifest: dict) -> dict:
    accuracy = manifest["reported_only"].get("hidden_accuracy")
    return {"accuracy": accuracy, "minutes": round(manifest["seconds"] / 60, 2)}


def table(all_jobs: list[Job], results: jobs.Results) -> str:
    """Mean ± standard deviation over finished seeds, one line per row and fraction."""
    found = [(job, results.find(job.key)) for job in all_jobs]
    names = " | ".join(f"`{name}`" for name in _SCORES)
    lines = [
        f"| row | labels | {names} | inferred labels right, % | minutes | seeds |",
        f"|---|---|{'---|' * len(_SCORES)}---|---|---|",
    ]
    for row, fraction in dict.fromkeys((job.row, job.fraction) for job in all_jobs):
        of_row = [line for job, line in found if (job.row, job.fraction) == (row, fraction)]
        done = [line for line in of_row if line]
        scores = [line.get("scores", {}) for line in done]
        means = [jobs.mean_and_std([s[name] for s in scores if name in s]) for name in _SCORES]
        accuracies = [line.get("labels", {}).get("accuracy") for line in done]
        right = jobs.mean_and_std([100 * a for a in accuracies if a is not None], 1)
        minutes = jobs.mean_and_std([line["minutes"] for line in done if line["minutes"]], 1)
        diverged = sum(line.get("diverged", False) for line in done)
        seeds = f"{len(done)} of {len(of_row)}" + (f", {diverged} diverged" if diverged else "")
        given = "" if fraction is None else f"{100 * fraction:g} %"
        cells = [ROWS[row], given, *means, right, minutes, seeds]
        lines.append(f"| {' | '.join(cells)} |")
    done = [line for _, line in found if line]
    spent = sum(line["minutes"] or 0 for line in done)
    lines += ["", f"{len(done)} of {len(found)} runs, {spent / 60:.1f} hours without the labels."]
    protocols = [json.dumps(line["protocol"]) for line in done if "protocol" in line]
    if len(set(protocols)) > 1:
        lines.append(
            f"The scores were measured differently and cannot be compared: {set(protocols)}."
        )
    if others := len(results.read()) - len(done):
        lines.append(f"{others} more lines are of other settings or configs.")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default="runs/few_labels", show_default=True, help="Folder for the runs.")
@click.option(
    "--steps", default=1500, show_default=True, help="Number of generator steps of each run."
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--fractions",
    multiple=True,
    default=(0.05, 0.1, 0.2),
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Fraction of the labels; may be repeated.",
)
@click.option(
    "--rows",
    multiple=True,
    default=tuple(ROWS),
    type=click.Choice(tuple(ROWS)),
    help="Row; may be repeated; by default all.",
)
@click.option(
    "--num_fake", default=10_000, show_default=True, help="Number of samples of an evaluation."
)
@click.option("--averaging_runs", default=1, show_default=True, help="Number of sets of samples.")
@click.option("--gin_bindings", multiple=True, help="Bindings added to all runs.")
@click.option("--keep", is_flag=True, help="Keep the directories of finished runs.")
@click.option("--table", "table_only", is_flag=True, help="Only print the table of finished runs.")
@click.option(
    "--results",
    "path",
    default=str(pathlib.Path(__file__).with_name("results.jsonl")),
    help="File of finished runs; by default results.jsonl in this folder.",
)
def main(runs, steps, seeds, fractions, rows, num_fake, averaging_runs, gin_bindings, keep,
         table_only, path):  # fmt: skip
    """Run all unfinished jobs, then print the table."""
    from compare_gan.startup import prepare_tensorflow

    prepare_tensorflow()
    settings = Settings(runs, steps, num_fake, averaging_runs, gin_bindings, keep)
    all_jobs = make_jobs(settings, rows, fractions, seeds)
    results = jobs.Results(path)
    if not table_only:
        for index in jobs.pending([(job.name, job.key) for job in all_jobs], runs, results):
            run(all_jobs[index], settings, results)
    print(table(all_jobs, results))


if __name__ == "__main__":
    main()
