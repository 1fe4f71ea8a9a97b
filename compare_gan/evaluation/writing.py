"""Many single images, written while the generator makes the next ones."""

import collections
import contextlib
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import tqdm

from compare_gan import files
from compare_gan.errors import UserError
from compare_gan.evaluation import sampling
from compare_gan.report import grids

_Write = Callable[[int, np.ndarray], None]

_NAME = re.compile(r"\d{6,}(_\d+)?\.png")
# More than this makes single images little smaller, large ones a lot slower.
_COMPRESS_LEVEL = 1


def write_images(model, path: str, num: int, *, seed=0, truncation=1.0, label=None) -> str:
    """Writes `num` single images of a `TrainedModel`.

    They are those of `sampling.sample_images`. Only a few batches of them are in memory at a time.

    Args:
      model: See `training.model_dir.load_trained`.
      path: With the ending `.npz` a file with `arr_0` (uint8 [num, H, W, C]) and, if the model has
        classes, `labels` (int32 [num]); otherwise a folder for PNGs `<number>_<class>.png`. What is
        there under these names is replaced.
      num: How many.
      seed: Of the latents.
      truncation: See `sampling.sample_latents`.
      label: The class of all; None = classes take turns.

    Returns:
      `path`.

    Raises:
      UserError: The folder holds images that would be left among the new ones, such as those of a
        run with a larger `num`, or `path` is a folder with the ending `.npz`.
      OSError: Writing failed.
      DivergenceError: An image is not finite.
    """
    if label is None:
        labels = sampling.labels_in_turn(num, model.num_classes)
    else:
        labels = np.full([num], label, np.int32)
    if path.endswith(".npz"):
        place, threads = _npz_file(path, num, labels), 1
    else:
        # Half of the cores: a generator on the CPU needs them, too.
        place, threads = _png_folder(path, num, labels), min(8, max(1, (os.cpu_count() or 1) // 2))
    with _naming(path), place as write:
        sampling.refresh_standing_statistics(
            model.generator, model.z_dim, model.num_classes, truncation=truncation
        )
        z = sampling.sample_latents(num, model.z_dim, seed, truncation)
        batches = sampling.generate_batches(
            model.generator, z, labels, model.num_classes, min(num, sampling.BATCH_SIZE)
        )
        # Shown on a terminal only, and only if it takes a while.
        bar = tqdm.tqdm(total=num, unit="image", disable=None, delay=1, dynamic_ncols=True)
        with bar, contextlib.closing(write_behind(batches, write, threads)) as written:
            for count in written:
                bar.update(count)
    return path


def write_behind(batches: Iterable[np.ndarray], write: _Write, threads: int) -> Iterator[int]:
    """Writes batches in threads, while further ones are drawn from `batches` in this one.

    Args:
      batches: Arrays of images [n, …]. Not asked for a batch while `threads` + 2 are waiting for
        `write` or in it.
      write: Called with the number of a batch's first image and the batch, in a thread; in order
        if there is but one.
      threads: How many.

    Yields:
      The size of every batch that has been written.

    Raises:
      Exception: What `write` raises; batches that are waiting then are not written any more.
    """
    pending: collections.deque[tuple[int, Future]] = collections.deque()
    pool = ThreadPoolExecutor(threads, "write")
    start = 0
    try:
        for images in batches:
            while pending and (pending[0][1].done() or len(pending) >= threads + 2):
                count, written = pending.popleft()
                written.result()
                yield count
            pending.append((len(images), pool.submit(write, start, images)))
            start += len(images)
        for count, written in pending:
            written.result()
            yield count
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _png_folder(folder: str, num: int, labels: np.ndarray | None) -> Iterator[_Write]:
    names = [f"{i:06}.png" if labels is None else f"{i:06}_{labels[i]}.png" for i in range(num)]
    os.makedirs(folder, exist_ok=True)
    others = set(filter(_NAME.fullmatch, os.listdir(folder))) - set(names)
    if others:
        raise UserError(
            f"'{folder}' holds {len(others)} images of an earlier command that this one would not "
            f"replace ({min(others)}, for one): delete them or choose another --out."
        )

    def write(start: int, images: np.ndarray) -> None:
        for name, image in zip(names[start : start + len(images)], images, strict=True):
            grids.save_png(image, os.path.join(folder, name), _COMPRESS_LEVEL)

    try:
        yield write
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"not all {num} images are in '{folder}'") from None


@contextlib.contextmanager
def _npz_file(path: str, num: int, labels: np.ndarray | None) -> Iterator[_Write]:
    if os.path.isdir(path):
        raise UserError(f"'{path}' is a folder: choose another --out.")
    try:
        with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            if labels is not None:
                with archive.open("labels.npy", "w") as member:
                    np.lib.format.write_array(member, labels)
            # As np.savez writes it, but bit by bit.
            with archive.open("arr_0.npy", "w", force_zip64=True) as member:

                def write(start: int, images: np.ndarray) -> None:
                    if start == 0:
                        header = np.lib.format.header_data_from_array_1_0(images)
                        header["shape"] = (num, *images.shape[1:])
                        np.lib.format.write_array_header_1_0(member, header)
                    member.write(images.tobytes())

                yield write
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"'{path}' was not written") from None


@contextlib.contextmanager
def _naming(path: str):
    """Lets an error of writing, which need not know its file, name `path`."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or path
        raise
