"""From a path to the images that it stands for."""

import os
from collections.abc import Sequence

from compare_gan.errors import UserError
from compare_gan.folders.arrangement import Arrangement
from compare_gan.folders.arranging import arrange
from compare_gan.folders.storage import open_storage
from compare_gan.folders.tables import is_table, read_table
from compare_gan.unpacking import DAMAGED


def find_images(
    place: str, class_in_name: bool = False, class_order: Sequence[str] | None = None
) -> Arrangement:
    """Finds the images of a folder, a zip archive, or a table of files and labels.

    Args:
      place: Path of the folder, of the archive, or of a `.csv` or `.tsv` (see `tables.read_table`).
      class_in_name: See `arrange`.
      class_order: See `arrange`.

    Raises:
      UserError: It is none of these, or see `arrange`, `open_storage` and `tables.read_table`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.folders import find_images
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     for name in ("cat", "dog"):
      ...         os.mkdir(os.path.join(folder, name))
      ...         open(os.path.join(folder, name, "0.png"), "w").close()
      ...     found = find_images(folder)
      >>> found.class_names
      ('cat', 'dog')
    """
    if not os.path.exists(place):
        raise UserError(f"There is no file or folder '{place}'.")
    if os.path.isfile(place) and is_table(place):
        return read_table(place, class_order)
    try:
        storage = open_storage(place)
    except UserError:
        raise
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"'{place}' cannot be read ({reason}): a folder, a .zip, an .npz or a .csv of files "
            "and labels is needed."
        ) from error
    return arrange(storage, class_in_name, class_order)
