"""Tables of files and labels: CSV files."""

import collections
import csv
import io
import os
import posixpath
from collections.abc import Mapping, Sequence

import numpy as np

from compare_gan.errors import UserError, unknown_name
from compare_gan.folders.arrangement import WHOLE, Arrangement, Split
from compare_gan.folders.names import SPLITS, is_image_name, split_of
from compare_gan.folders.storage import Storage, opener_in
from compare_gan.natural_order import in_natural_order

ENDINGS = (".csv", ".tsv")
_COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "image"),
    "label": ("label", "class", "class_name"),
    "split": ("split",),
}
_UNNAMED = ("file", "label")  # The columns of a table without a row that names them.


def is_table(place: str) -> bool:
    """Whether a path has the ending of a table."""
    return place.lower().endswith(ENDINGS)


def read_table(place: str, class_order: Sequence[str] | None = None) -> Arrangement:
    r"""Reads a table of image files with their labels.

    Its first row names the columns: `file` (or `filename`, `path`, `image`), and optionally `label`
    (or `class`) and `split`. Without such a row the columns are file and label. Paths are relative
    to the table's folder; an empty label means that the image has none. Other columns are ignored
    if there is a column of labels.

    Args:
      place: The table, with commas, semicolons or tabs between its columns.
      class_order: See `arrange`.

    Raises:
      UserError: The table cannot be read, has columns of unknown meaning and none of files or
        labels, or names a file twice.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.folders.tables import read_table
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "labels.csv")
      ...     with open(path, "w") as file:
      ...         _ = file.write("file,label\na.png,10\nb.png,9\n")
      ...     found = read_table(path)
      >>> found.class_names, found.splits["all"].images, found.splits["all"].labels.tolist()
      (('9', '10'), ('a.png', 'b.png'), [1, 0])
    """
    rows = _rows(place)
    files = [posixpath.normpath(row["file"].replace("\\", "/")) for row in rows]
    labels = [row.get("label", "") for row in rows]
    splits = [_split(place, row.get("split", "")) for row in rows]
    name, times = collections.Counter(files).most_common(1)[0]
    if times > 1:
        raise UserError(f"'{place}' names the file '{name}' {times} times.")
    if WHOLE in splits and len(set(splits)) > 1:
        raise UserError(f"'{place}' names the split of some files, but not of all.")
    names = tuple(in_natural_order(set(filter(None, labels))))
    if class_order is not None and sorted(class_order) == sorted(names):
        names = tuple(class_order)
    number = {name: label for label, name in enumerate(names)} | {"": -1}

    def in_split(split: str) -> Split:
        own = [i for i, each in enumerate(splits) if each == split]
        numbers = np.array([number[labels[i]] for i in own], np.int32)
        return Split("", tuple(files[i] for i in own), numbers if names else None)

    folder = os.path.dirname(place)
    order = [WHOLE] if WHOLE in splits else [each for each in SPLITS if each in splits]
    storage = Storage(place, tuple(files), (), 0, opener_in(folder), base=folder)
    return Arrangement(
        storage, {split: in_split(split) for split in order}, len(names), names or None
    )


def _split(place: str, text: str) -> str:
    if not text:
        return WHOLE
    if (split := split_of(text)) is None:
        raise unknown_name(f"split in '{place}'", text, SPLITS)
    return split


def _rows(place: str) -> list[Mapping[str, str]]:
    """The rows that name a file, by the names of their columns."""
    try:
        with open(place, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise UserError(f"'{place}' cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"'{place}' is not a table: it is not text in UTF-8.") from error
    first = text.split("\n", 1)[0]
    delimiter = "\t" if place.lower().endswith(".tsv") else max(",;\t", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [row for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"'{place}' is not a table: {error}.") from error
    if not rows:
        raise UserError(f"'{place}' names no file.")
    columns = _columns(place, rows[0])
    if columns is None:
        columns = _unnamed_columns(place, rows, delimiter)
    else:
        rows = rows[1:]
    found: list[Mapping[str, str]] = []
    for row in rows:
        cells = {name: row[i].strip() if i < len(row) else "" for name, i in columns.items()}
        if not cells["file"]:
            raise UserError(f"A row of '{place}' names no file: {delimiter.join(row)}")
        found.append(cells)
    if not found:
        raise UserError(f"'{place}' names no file.")
    return found


def _unnamed_columns(place: str, rows: Sequence[Sequence[str]], delimiter: str) -> dict[str, int]:
    """The places of the columns of a table without a row that names them."""
    names_image = [any(map(is_image_name, row)) for row in rows[:2]]
    if names_image == [False, True]:
        listed = "', '".join(cell.strip() for cell in rows[0] if cell.strip())
        raise UserError(
            f"'{place}' has no column 'file', but '{listed}': rename the column that holds the "
            "paths of the images to 'file'."
        )
    width = max(map(len, rows))
    if width > len(_UNNAMED):
        raise UserError(
            f"'{place}' has {width} columns, but no row that names them: begin it with a row such "
            f"as {delimiter.join(_COLUMNS)}."
        )
    return {name: i for i, name in enumerate(_UNNAMED[:width])}


def _columns(place: str, row: Sequence[str]) -> dict[str, int] | None:
    """The places of the columns that the first row names; None if it names no file column."""
    names = [cell.strip().lower() for cell in row]
    found = {}
    for column, aliases in _COLUMNS.items():
        index = next((i for i, name in enumerate(names) if name in aliases), None)
        if index is not None:
            found[column] = index
    if "file" not in found:
        return None
    others = [cell.strip() for i, cell in enumerate(row) if i not in found.values()]
    if "label" not in found and any(others):
        listed = "', '".join(filter(None, others))
        raise UserError(
            f"'{place}' has no column 'label', but '{listed}': rename the column that holds the "
            "labels to 'label', or delete the columns that are not needed."
        )
    return found
