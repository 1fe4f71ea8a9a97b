"""`compare_gan dataset`: what training and metrics would understand of a set of images.

Needs neither TensorFlow nor Keras.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from compare_gan import files
from compare_gan.datasets import decoding, image_headers
from compare_gan.datasets.colours import Colour, colour_name, parse_colour
from compare_gan.datasets.image_headers import ImageError, open_image
from compare_gan.datasets.npz_images import checked, choose_arrays, require_arrays
from compare_gan.datasets.report import Image, Inspection
from compare_gan.errors import UserError
from compare_gan.folders import (
    EVERYTHING,
    WHOLE,
    Arrangement,
    ClassChoice,
    check_for_training,
    check_split,
    choose_classes,
    choose_split,
    divide_path,
    find_images,
)


def inspect_images(
    path: str,
    background: str = "white",
    class_in_name: bool = False,
    progress: Callable[[int, int], None] = lambda done, count: None,
    choice: ClassChoice = EVERYTHING,
) -> Inspection:
    """Looks at all images of a folder, zip, table or `.npz`, and decodes each of them once.

    Args:
      path: Path of the set; `PATH:SPLIT` for one of its splits, of which it is not said whether a
        training would take it: a training reads all of them.
      background: Colour that transparent images are composited over.
      class_in_name: See `folders.arrange`.
      progress: Called with the numbers of images that have been looked at, and of all.
      choice: The classes to take.

    Raises:
      UserError: There is no such set or split, it is not clear what its folders mean, or there are
        no such classes as were chosen.

    Example:
      >>> import os, tempfile
      >>> import PIL.Image
      >>> from compare_gan.datasets.inspection import inspect_images
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     os.chdir(folder)
      ...     os.makedirs("photos/cat")
      ...     PIL.Image.new("RGB", (8, 8)).save("photos/cat/0.png")
      ...     print(inspect_images("photos").report())
      photos
        images      1
        classes     cat: 1
        sizes       8x8
        kinds       PNG RGB
        alpha       none
        broken      none
        duplicates  none
        left out    none
        training    dataset.name = "image_folder"; dataset.data_dir = "photos"
    """
    colour = parse_colour("background", background)
    place, split = divide_path(path)
    if os.path.isfile(place) and place.lower().endswith(".npz"):
        check_split(place, (), split)
        return _inspect_arrays(place, colour_name(colour), progress, choice)
    whole = choose_classes(find_images(place, class_in_name), choice)
    found = choose_split(whole, split)
    names, expected = _listed(found)
    opens = [functools.partial(found.storage.opener, image.name) for image in expected]
    looks = [
        functools.partial(_look, image, open_file, colour)
        for image, open_file in zip(expected, opens, strict=True)
    ]
    return Inspection(
        place,
        _all(looks, progress),
        found.num_classes,
        names,
        colour_name(colour),
        found.left_out(),
        _refusal(whole),
        lambda i: decoding.decode(opens[i], 3, colour),
        choice,
        None if found is whole else split,
    )


def _refusal(found: Arrangement) -> str:
    """The reason why no model can be trained on folders like these; empty if there is none."""
    try:
        check_for_training(found)
    except UserError as error:
        return str(error)
    return ""


def _listed(found: Arrangement) -> tuple[list[str], list[Image]]:
    """The names of the classes, and the images, not looked at yet."""
    names = list(found.class_names or map(str, range(found.num_classes)))
    images = []
    for split, own in found.splits.items():
        labels = own.hard_labels
        known = [-1] * len(own.images) if labels is None else labels.tolist()
        pairs = zip(own.images, known, strict=True)
        images += [Image(name, split, label) for name, label in pairs]
    return names, images


def _look(image: Image, open_file: image_headers.Open, background: Colour) -> Image:
    try:
        header = image_headers.look(open_file, background=background)
        with open_file() as file, open_image(file) as opened:
            kind = f"{opened.format} {opened.mode}"
        pixels = decoding.decode(open_file, header.channels, background)
    except ImageError as error:
        return dataclasses.replace(image, error=str(error))
    return dataclasses.replace(
        image,
        kind=kind,
        size=(header.width, header.height),
        transparent=header.transparent,
        # The same whether a file is gray or gray in colour.
        digest=files.digest(
            f"{pixels.shape[:2]}", np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)
        ),
    )


def _inspect_arrays(
    place: str, background: str, progress: Callable[[int, int], None], choice: ClassChoice
) -> Inspection:
    arrays = require_arrays(place)
    images, labels = checked(place, arrays.images, arrays.labels)
    rows, labels, class_names, left_out = choose_arrays(
        place, labels, arrays.class_names, choice, len(images)
    )
    known = [-1] * len(rows) if labels is None else labels.tolist()
    num_classes = len(class_names or ()) or max(known) + 1
    names = list(class_names or map(str, range(num_classes)))
    height, width, channels = images.shape[1:]

    def look(i: int) -> Image:
        kind, digest = "L" if channels == 1 else "RGB", files.digest(np.asarray(images[rows[i]]))
        return Image(f"image {rows[i]}", WHOLE, known[i], kind, (width, height), digest=digest)

    def read(i: int) -> np.ndarray:
        return np.repeat(images[rows[i]], 3 // channels, axis=-1)

    looks = [functools.partial(look, i) for i in range(len(rows))]
    found = _all(looks, progress)
    return Inspection(place, found, num_classes, names, background, left_out, "", read, choice)


def _all(looks: Sequence[Callable[[], Image]], progress: Callable[[int, int], None]) -> list[Image]:
    found: list[Image] = []
    with ThreadPoolExecutor(image_headers.threads(), "look") as pool:
        pieces = [looks[start : start + 64] for start in range(0, len(looks), 64)]
        for images in pool.map(lambda piece: [look() for look in piece], pieces):
            found += images
            progress(len(found), len(looks))
    return found
