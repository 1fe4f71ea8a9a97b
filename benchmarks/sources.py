"""Speed and memory of every form of a data set: images/s of reading, and the memory that it takes.

    python benchmarks/sources.py                       # as in benchmarks/README.md
    python benchmarks/sources.py --num 5000 --form zip --form csv

Each form holds the same coloured images as JPEG or PNG files (`.npz` as pixels,
IDX gray). Each is opened in processes of its own: the first reads every image once from the files
and fills the cache of decoded images, the second reads from that cache, in the order of a training.
Memory is the greatest resident size of the process beyond that before the data set was opened.
"""

import csv
import dataclasses
import gzip
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

import click
import numpy as np

_FORMS = ("folder", "zip", "stylegan", "csv", "npz", "idx")
_CLASSES = 10
_BATCH = 500


@dataclasses.dataclass(frozen=True)
class Reading:
    """One process that opened a data set and read each of its images once.

    Attributes:
      opening: Seconds until the data set was open: its files listed and their headers read.
      reading: Seconds of the pass over all images.
      cpu: Seconds of processor time of that pass.
      memory: Bytes of resident memory that opening and reading added.
    """

    opening: float
    reading: float
    cpu: float
    memory: int


def make_images(num: int, size: int) -> np.ndarray:
    """Smooth random images, which compress about as well as photographs; uint8 [n, s, s, 3]."""
    random = np.random.default_rng(0)
    coarse = random.normal(size=(num, 8, 8, 3)).astype(np.float32)
    axis = np.linspace(0, 7, size)
    low = np.minimum(axis.astype(int), 6)
    weight = (axis - low).astype(np.float32)
    rows = coarse[:, low] * (1 - weight[:, None, None]) + coarse[:, low + 1] * weight[:, None, None]
    images = rows[:, :, low] * (1 - weight[:, None]) + rows[:, :, low + 1] * weight[:, None]
    images += 0.1 * random.standard_normal(images.shape, np.float32)
    return np.clip(images * 50 + 128, 0, 255).astype(np.uint8)


def write_forms(folder: pathlib.Path, forms, num: int, size: int, kind: str) -> None:
    """Writes the forms to `folder`, in pieces, so that few images are in memory at once."""
    from PIL import Image

    photos = folder / "folder"
    names, labels = [], []
    for start in range(0, num, 1000):
        for index, image in enumerate(make_images(min(1000, num - start), size), start):
            name = f"class{index % _CLASSES}/{index:06}.{kind}"
            names.append(name)
            labels.append(index % _CLASSES)
            path = photos / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, quality=90)
    if "zip" in forms:
        with zipfile.ZipFile(folder / "zip.zip", "w") as archive:
            for name in names:
                archive.write(photos / name, name)
    if "stylegan" in forms:
        with zipfile.ZipFile(folder / "stylegan.zip", "w") as archive:
            for name in names:
                archive.write(photos / name, name)
            pairs = [list(pair) for pair in zip(names, labels, strict=True)]
            archive.writestr("dataset.json", json.dumps({"labels": pairs}))
    if "csv" in forms:
        with open(folder / "table.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "label"])
            rows.writerows(
                (f"folder/{name}", label) for name, label in zip(names, labels, strict=True)
            )
    if "npz" in forms or "idx" in forms:
        images = np.concatenate(
            [make_images(min(1000, num - start), size) for start in range(0, num, 1000)]
        )
        if "npz" in forms:
            np.savez(folder / "npz.npz", images=images, labels=np.array(labels))
        if "idx" in forms:
            _write_idx(folder / "idx", images[..., 0], np.array(labels, np.uint8))


def _write_idx(folder: pathlib.Path, images: np.ndarray, labels: np.ndarray) -> None:
    folder.mkdir()
    for split, part in (("train", slice(None)), ("t10k", slice(100))):
        for kind, array in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            with gzip.open(folder / f"{split}-{kind}-ubyte.gz", "wb", 1) as file:
                file.write(header + array.tobytes())


_PLACES = {
    "folder": ("image_folder", "folder"),
    "zip": ("image_folder", "zip.zip"),
    "stylegan": ("image_folder", "stylegan.zip"),
    "csv": ("image_folder", "table.csv"),
    "npz": ("image_folder", "npz.npz"),
    "idx": ("idx", "idx"),
}


def read_once(form: str, folder: str) -> Reading:
    """Opens a form and reads each image of the training split once, in this process."""
    from compare_gan import datasets
    from compare_gan.startup import prepare_tensorflow

    prepare_tensorflow()
    import tensorflow as tf

    next(iter(tf.data.Dataset.range(1)))  # Its threads and memory are not those of the data set.
    before = _resident()
    name, place = _PLACES[form]
    started = time.perf_counter()
    dataset = datasets.get_dataset(name, data_dir=os.path.join(folder, place))
    opening = time.perf_counter() - started
    count = dataset.splits["train"]
    batches = datasets.train_batches(dataset, batch_size=_BATCH, disc_iters=0, z_dim=1, seed=0)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in batches.take(count // _BATCH).as_numpy_iterator():
        pass
    reading, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Reading(opening, reading, cpu, _peak() - before)


def _resident() -> int:
    with open("/proc/self/statm") as file:  # Linux.
        return int(file.read().split()[1]) * resource.getpagesize()


def _peak() -> int:
    # Not `ru_maxrss`, which includes the peak of the process that started this one.
    with open("/proc/self/status") as file:
        [line] = [line for line in file if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _measure(form: str, folder: str) -> Reading:
    process = [sys.executable, __file__, "--read", form, "--folder", folder]
    environment = os.environ | {"COMPARE_GAN_CACHE": os.path.join(folder, "cache")}
    output = subprocess.run(process, env=environment, check=True, stdout=subprocess.PIPE).stdout
    return Reading(**json.loads(output))


@click.command()
@click.option("--num", default=100_000, show_default=True, type=click.IntRange(min=_BATCH))
@click.option("--size", default=64, show_default=True, help="Height and width in pixels.")
@click.option("--kind", default="jpg", show_default=True, type=click.Choice(["jpg", "png"]))
@click.option("--form", "forms", multiple=True, default=_FORMS, type=click.Choice(_FORMS))
@click.option("--folder", hidden=True)
@click.option("--read", type=click.Choice(_FORMS), hidden=True)
def main(num, size, kind, forms, folder, read):
    """Print a row for each form: the pass over the files, and that over the cache."""
    if read:
        print(json.dumps(dataclasses.asdict(read_once(read, folder))))
        return
    with tempfile.TemporaryDirectory() as own:
        write_forms(pathlib.Path(own), forms, num, size, kind)
        print(
            "| form | s to open, first and again | images/s, first and again | "
            "images per CPU second, first and again | MiB, first and again |\n|---|---|---|---|---|"
        )
        for form in forms:
            both = [_measure(form, own) for _ in range(2)]
            cells = [
                [f"{each.opening:.1f}" for each in both],
                [f"{num // _BATCH * _BATCH / each.reading:,.0f}" for each in both],
                [f"{num // _BATCH * _BATCH / each.cpu:,.0f}" for each in both],
                [f"{each.memory / 2**20:,.0f}" for each in both],
            ]
            print(f"| {form} | {' | '.join(', '.join(cell) for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
