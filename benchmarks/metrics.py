"""Speed and memory of metrics, measured in one run and printed as one table.

    python benchmarks/metrics.py                                # as in benchmarks/README.md
    python benchmarks/metrics.py --extractors fashion_cnn --frechet_images 5000

Extraction: images/s of decoding PNG files, of resizing and of the network, alone and together
(`metrics_extraction.py`). Features to value: FID compared with `scipy.linalg.sqrtm`, and metrics of
nearest neighbors (`metrics_features.py`). Memory: the peak of a process that computes an FID, for
two numbers of images, which are generated when they are read. The command: `compare_gan metrics` on
two folders of Fashion-MNIST as PNG files, including start-up.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

import click
import metrics_extraction
import metrics_features
import numpy as np
from train_step import _quartiles

from compare_gan.errors import UserError
from compare_gan.startup import prepare_tensorflow


def extraction(names: list[str], num: int, size: int, batch_size: int, rounds: int):
    """Rows (name, images/s) of each stage of each extractor."""
    from compare_gan.evaluation.image_sets import open_images

    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        write_pngs(folder, rng.integers(0, 256, (num, size, size, 3), dtype=np.uint8))
        images = open_images(folder)

        def batches():
            return (batch.images for batch in images.batches(batch_size))

        for name in names:
            try:
                extractor = metrics_extraction.make_extractor(name, None)
            except UserError as error:
                yield name, str(error).split("\n", 1)[0]
                continue
            rates = metrics_extraction.extraction_rates(extractor, batches, rounds)
            for stage, values in rates.items():
                yield f"{name}, {size} x {size} pixels: {stage}, images/s", _quartiles(values)


def memory(count: int) -> float:
    """The peak memory in GB of a new process that computes the FID of `count` 64 x 64 images."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_fid_of_made_images, (count,))


def _fid_of_made_images(count: int) -> float:
    from compare_gan.evaluation.image_sets import IndexedImages
    from compare_gan.evaluation.scoring import score_sets

    images = IndexedImages(
        name="made",
        count=count,
        shape=(64, 64, 3),
        read=lambda i: np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8),
        order=np.arange(count),
    )
    score_sets(images, images, ["fid"], "fashion_cnn")
    with open("/proc/self/status") as file:
        [peak] = [line for line in file if line.startswith("VmHWM")]
    # In kB. getrusage would include the memory of the process that started this one.
    return int(peak.split()[1]) / 2**20


def command(count: int, metrics: str) -> float:
    """Seconds of `compare_gan metrics` on two folders of `count` Fashion-MNIST images each."""
    from compare_gan.datasets import as_arrays, get_dataset

    images, _ = as_arrays(get_dataset("fashion_mnist_10k"), num_examples=count)
    with tempfile.TemporaryDirectory() as parent:
        folders = [os.path.join(parent, name) for name in ("real", "mirrored")]
        for folder, made in zip(folders, (images, images[:, :, ::-1]), strict=True):
            write_pngs(folder, made)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "compare_gan.main", "metrics", "--real", folders[0],
             "--fake", folders[1], "--extractor", "fashion_cnn", "--metrics", metrics],
            check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return time.perf_counter() - started


def write_pngs(folder: str, images: np.ndarray) -> None:
    """Writes uint8 [n, H, W, C] as `<number>.png`."""
    from compare_gan.plots import grids

    for i, image in enumerate(images):
        grids.save_png(image, os.path.join(folder, f"{i:06}.png"))


@click.command(help=__doc__.split("\n", 1)[0])
@click.option("--extractors", default="fashion_cnn,efficientnet_lite0,inception", show_default=True)
@click.option("--num", default=512, show_default=True, help="Number of images for extraction.")
@click.option("--size", default=64, show_default=True, help="Side of these images in pixels.")
@click.option("--batch_size", default=32, show_default=True)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--frechet_images", default=50_000, show_default=True)
@click.option("--neighbour_images", default=10_000, show_default=True)
@click.option("--width", default=2048, show_default=True, help="Number of features.")
@click.option("--folder_images", default=10_000, show_default=True, type=click.IntRange(2, 10_000))
@click.option("--metrics", default="fid,kid,prd", show_default=True, help="Metrics of the command.")
def main(
    extractors, num, size, batch_size, rounds, frechet_images, neighbour_images, width,
    folder_images, metrics,
):  # fmt: skip
    """Prints each row when it has been measured."""
    prepare_tensorflow()
    print("| measured | value |\n|---|---|")

    def show(rows):
        for name, value in rows:
            text = value if isinstance(value, str) else f"{value:.3g}"
            print(f"| {name} | {text} |", flush=True)

    show(extraction(extractors.split(","), num, size, batch_size, rounds))
    show(metrics_features.rows(frechet_images, neighbour_images, width))
    for count in (folder_images // 10, folder_images):
        show([(f"FID of {count} against {count} images, streamed: peak GB", memory(count))])
    what = f"compare_gan metrics --metrics {metrics}, {folder_images} PNGs each: seconds"
    show([(what, command(folder_images, metrics))])


if __name__ == "__main__":
    main()
