"""Files of single images, written while the generator computes the next ones."""

import collections
import contextlib
import os
import re
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from compare_gan import files, paths
from compare_gan.engine.progress import tracked
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.folders import CLASSES_FILE, classes_text
from compare_gan.plots import grids
from compare_gan.sampling.numbered import check_numbers, numbered_labels, numbered_latents
from compare_gan.sampling.sampler import BATCH_SIZE, Sampler

_Write = Callable[[int, np.ndarray], None]

_NAME = re.compile(r"\d{6,}(_\d+)?\.png")
# More than this makes single images little smaller, large ones a lot slower.
_COMPRESS_LEVEL = 1


def write_images(
    sampler: Sampler,
    path: str,
    num: int | Sequence[int],
    *,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> str:
    """Writes single images: the first ones of `Sampler.sample`, or some of them.

    Only a few batches of them are in memory at a time.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.sampling import Sampler, write_images
      >>> def network(inputs, training):
      ...     return inputs[0][:, None, None, :] ** 2
      >>> sampler = Sampler(network, z_dim=3, image_shape=(1, 1, 3))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     sorted(os.listdir(write_images(sampler, folder, num=2)))
      ['000000.png', '000001.png']

    Args:
      sampler: Sampler that draws the images.
      path: With the ending `.npz`, a file with `arr_0` (uint8 [num, H, W, C]) and, if there are
        classes, `labels` (int32 [num]) and their names, `class_names`; otherwise a folder for PNGs
        `<number>_<class>.png`, numbered from 0, with a file `classes.json`, which names the
        classes. Files of these names are replaced.
      num: Number of images, or the numbers of those to write; see `numbered`.
      seed: Seed of the latents.
      classes: Names or numbers of the classes that take turns; None = all.

    Returns:
      `path`.

    Raises:
      UserError: The folder holds images that would remain among the new ones, such as those of a
        run with a larger `num`; `path` is a folder with the ending `.npz`; there is no such class;
        or see `check_numbers`.
      OSError: Writing failed.
      DivergenceError: An image is not finite.
    """
    wanted = np.asarray(num).tolist()
    if not isinstance(wanted, list):
        check_positive_integer("num", wanted)
    numbers = wanted if isinstance(wanted, list) else range(wanted)
    check_numbers(sampler, numbers, seed)
    labels = numbered_labels(sampler, numbers, classes)
    if path.lower().endswith(".npz"):
        place, threads = _npz_file(path, len(numbers), labels, sampler.class_names), 1
    else:
        # Half of the cores: a generator on the CPU needs the others.
        threads = min(8, max(1, (os.cpu_count() or 1) // 2))
        place = _png_folder(path, numbers, labels, sampler.class_names)
    with _naming(path), place as write:
        sampler.prepare()
        z = numbered_latents(sampler, numbers, seed, labels)
        batches = sampler.generate_batches(z, labels, min(len(z), BATCH_SIZE))
        with contextlib.closing(write_behind(batches, write, threads)) as written:
            for _ in tracked(written, "images", len(z), size=int):
                pass
    return path


def write_behind(
    batches: Iterable[np.ndarray], write: _Write, threads: int
) -> Generator[int, None, None]:
    """Writes batches in threads, while this one draws further batches from `batches`.

    Args:
      batches: Arrays of images [n, …]; no further one is requested while `threads` + 2 are waiting
        or being written.
      write: Called in a thread with the number of a batch's first image and the batch; in order if
        there is only one thread.
      threads: Number of threads.

    Yields:
      The size of every batch that has been written.

    Raises:
      Exception: Whatever `write` raises; batches that are waiting then are not written.
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
def _png_folder(
    folder: str,
    numbers: Sequence[int],
    labels: np.ndarray | None,
    class_names: Sequence[str] | None,
) -> Iterator[_Write]:
    names = [f"{number:06}.png" for number in numbers]
    if labels is not None:
        pairs = zip(numbers, labels, strict=True)
        names = [f"{number:06}_{label}.png" for number, label in pairs]
    paths.check_place(folder)
    os.makedirs(folder, exist_ok=True)
    others = set(filter(_NAME.fullmatch, os.listdir(folder))) - set(names)
    if others:
        raise UserError(
            f"'{folder}' holds {len(others)} images of an earlier command that this one would not "
            f"replace ({min(others)}, for one): delete them or choose another --out."
        )

    mark = os.path.join(folder, CLASSES_FILE)
    if labels is not None:
        # Only complete sets have one: an earlier one may name other classes.
        with contextlib.suppress(FileNotFoundError):
            os.remove(mark)

    def write(start: int, images: np.ndarray) -> None:
        for name, image in zip(names[start : start + len(images)], images, strict=True):
            # Not flushed to disk, which would take longer than drawing the image again.
            grids.save_png(image, os.path.join(folder, name), _COMPRESS_LEVEL, durable=False)

    try:
        yield write
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"not all {len(names)} images are in '{folder}'") from None
    if labels is not None:
        files.write_text(mark, classes_text(class_names))


@contextlib.contextmanager
def _npz_file(
    path: str, num: int, labels: np.ndarray | None, class_names: Sequence[str] | None
) -> Iterator[_Write]:
    if os.path.isdir(path):
        raise UserError(f"'{path}' is a folder: choose another --out.")
    try:
        with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            arrays = {"labels": labels}
            if labels is not None and class_names is not None:
                arrays["class_names"] = np.array(list(map(str, class_names)), np.str_)
            for key, array in arrays.items():
                if array is not None:
                    with archive.open(f"{key}.npy", "w") as member:
                        np.lib.format.write_array(member, array)
            # As np.savez writes it, but batch by batch.
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
def _naming(path: str) -> Iterator[None]:
    """Adds `path` to an OSError that names no file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or path
        raise
