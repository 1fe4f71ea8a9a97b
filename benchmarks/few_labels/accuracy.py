"""Accuracy of inferred labels by fraction of labels and kind of features, as a table.

    python benchmarks/few_labels/accuracy.py --runs runs/accuracy

Hidden labels of Fashion-MNIST's training images are inferred as in `s2gan_fashion_mnist.gin`, and
from other features. A draw determines the hidden labels and everything else that is random. Each
result is a line of accuracy.jsonl; a job that has a line there is not repeated.
"""

import os
import pathlib
import shutil

import click
import jobs

_CONFIG = "s2gan_fashion_mnist.gin"
FEATURES = {
    "raw": "raw pixels",
    "untrained": "untrained",
    "self_supervised": "self-supervised",
    "semi_supervised": "semi-supervised",
}


def make_jobs(
    dataset: str, fractions, draws: int, more: tuple[str, ...]
) -> list[tuple[dict, list]]:
    """Keys and bindings of all jobs, in the order of execution."""
    from compare_gan import config

    made = []
    for draw in range(1, draws + 1):
        for fraction in fractions:
            for features in FEATURES:
                bindings = [
                    f"dataset.name = '{dataset}'",
                    f"dataset.seed = {547 + draw}",
                    f"dataset.labeled_fraction = {fraction}",
                    f"infer_labels.features = '{features}'",
                    f"infer_labels.seed = {draw}",
                    *more,
                ]
                config.parse([str(jobs.CONFIGS / _CONFIG)], bindings)
                key = {
                    "dataset": dataset,
                    "features": features,
                    "fraction": fraction,
                    "draw": draw,
                    "config": jobs.config_hash(),
                }
                made.append((key, bindings))
    return made


def run(key: dict, bindings: list, runs: str, results: jobs.Results) -> None:
    """Infers the labels, writes the line, deletes everything except the network."""
    from compare_gan.version import code_version

    version = code_version()
    folder = os.path.join(runs, _name(key))
    manifest = jobs.infer_labels(runs, folder, _CONFIG, bindings)
    values = {
        "accuracy": manifest["reported_only"]["hidden_accuracy"],
        "classifier": manifest["classifier"],
        "num_images": manifest["num_images"],
        "minutes": round(manifest["seconds"] / 60, 2),
        "code_version": version,
    }
    results.add(key, values)
    shutil.rmtree(folder)


def _name(key: dict) -> str:
    return f"{key['features']}_{key['fraction']:g}_draw{key['draw']}_{key['config']}"


def table(all_jobs: list[tuple[dict, list]], results: jobs.Results) -> str:
    """Mean ± standard deviation over finished draws, in percent."""
    found = [(key, line) for key, _ in all_jobs if (line := results.find(key))]
    lines = [f"| labels | {' | '.join(FEATURES.values())} |", f"|---|{'---|' * len(FEATURES)}"]
    for fraction in dict.fromkeys(key["fraction"] for key, _ in all_jobs):
        cells = []
        for features in FEATURES:
            wanted = {"fraction": fraction, "features": features}
            values = [
                100 * line["accuracy"] for key, line in found if wanted.items() <= key.items()
            ]
            cells.append(jobs.mean_and_std(values, 1))
        lines.append(f"| {100 * fraction:g} % | {' | '.join(cells)} |")
    spent = sum(line["minutes"] for _, line in found)
    lines += ["", f"{len(found)} of {len(all_jobs)} done, {spent / 60:.1f} hours."]
    return "\n".join(lines)


@click.command()
@click.option("--runs", default="runs/accuracy", show_default=True, help="Working folder.")
@click.option(
    "--dataset",
    default="fashion_mnist_idx",
    show_default=True,
    help="Training images; or fashion_mnist_10k, the packaged images.",
)
@click.option(
    "--fractions",
    multiple=True,
    default=(0.01, 0.05, 0.1, 0.2),
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Fraction of the labels; may be repeated.",
)
@click.option("--draws", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--gin_bindings", multiple=True, help="Change all.")
@click.option("--table", "table_only", is_flag=True, help="Only print the table of finished jobs.")
@click.option(
    "--results",
    "path",
    default=str(pathlib.Path(__file__).with_name("accuracy.jsonl")),
    help="File of finished jobs; by default accuracy.jsonl in this folder.",
)
def main(runs, dataset, fractions, draws, gin_bindings, table_only, path):
    """Run all unfinished jobs, then print the table."""
    from compare_gan.startup import prepare_tensorflow

    prepare_tensorflow()
    all_jobs = make_jobs(dataset, fractions, draws, gin_bindings)
    results = jobs.Results(path)
    if not table_only:
        for index in jobs.pending([(_name(key), key) for key, _ in all_jobs], runs, results):
            run(*all_jobs[index], runs, results)
    print(table(all_jobs, results))


if __name__ == "__main__":
    main()
