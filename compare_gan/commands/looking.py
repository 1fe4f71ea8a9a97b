"""`compare_gan dataset`: looks at images, without an import of TensorFlow or Keras."""

import os
import sys
from typing import TYPE_CHECKING

import click

from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable

if TYPE_CHECKING:
    from compare_gan.datasets.report import Inspection


@click.command()
@click.argument("source")
@click.option(
    "--out",
    metavar="PNG",
    help="Draw a contact sheet: up to 10 images of each of the first 10 classes.",
)
@click.option(
    "--background",
    default="white",
    show_default=True,
    metavar="COLOUR",
    help="Background colour for images with an alpha channel: a name or '#rrggbb'.",
)
@click.option(
    "--class_in_name",
    is_flag=True,
    help="Files <number>_<class>.png have these classes: sets of earlier versions.",
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME",
    help="Only this class, as by image_folder.classes; may be repeated.",
)
@click.option(
    "--min_images",
    default=0,
    type=click.IntRange(min=0),
    help="Leave out classes with fewer images, as by image_folder.min_images.",
)
@click.option(
    "--check",
    is_flag=True,
    help="For scripts: end with status 2 if a training would refuse the images.",
)
def dataset(
    source: str,
    out: str | None,
    background: str,
    class_in_name: bool,
    classes: tuple[str, ...],
    min_images: int,
    check: bool,
) -> None:
    """Show how a set of images is understood.

    Classes with counts, sizes, modes, splits, alpha, broken files and duplicates, as training and
    metrics find them; with --out, a contact sheet. Nothing is trained or changed. The exit status
    is 0 whatever is found, unless --check is given.

    \b
    SOURCE is one of
      a folder of images with its subfolders, or a .zip of one
      a .csv or .tsv of files and labels
      an .npz with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]) and optionally `labels`
      one split of a folder or .zip that holds several: photos:test
    """  # noqa: D301
    from compare_gan import files
    from compare_gan.datasets.inspection import inspect_images
    from compare_gan.folders import ClassChoice, divide_path

    place, split = divide_path(source)
    if check and split is not None:
        raise UserError(f"--check is for all that a training reads: name '{place}', no split.")
    if out:
        _check_outside(out, place)
        files.check_can_write(out)
    choice = ClassChoice(classes or None, min_images)
    found = inspect_images(source, background, class_in_name, _show_progress, choice)
    click.echo(printable(found.report()))
    if out:
        _draw(found, out)
    if check and (refusal := found.why_not_trained()):
        raise UserError(f"A training would refuse '{source}': {refusal.rstrip('.')}.")


def _draw(found: "Inspection", out: str) -> None:
    """Writes the contact sheet, if an image can be read."""
    import numpy as np

    from compare_gan.plots import grids

    rows, names = found.contact_sheet()
    if not rows:
        return
    if names:
        picture = grids.class_grid(rows, [printable(name, keep="") for name in names])
    else:
        picture = grids.image_grid(np.concatenate(rows), len(rows[0]))
    grids.save_png(picture, out)
    click.echo(for_stdout(out), err=True)


def _check_outside(out: str, source: str) -> None:
    place = os.path.realpath(source)
    if os.path.commonpath([place, os.path.realpath(out)]) == place:
        raise UserError(
            f"--out '{out}' would become part of the images in '{source}': choose a file outside."
        )


def _show_progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done:,} of {count:,} images", nl=done == count, err=True)
