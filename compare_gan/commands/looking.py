"""`compare_gan dataset`: looks at images, without an import of TensorFlow or Keras."""

import os
import sys

import click

from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable


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
def dataset(
    source: str,
    out: str | None,
    background: str,
    class_in_name: bool,
    classes: tuple[str, ...],
    min_images: int,
) -> None:
    """Show how a set of images is understood.

    Classes with counts, sizes, modes, splits, alpha, broken files and duplicates, as training and
    metrics find them; with --out, a contact sheet. Nothing is trained or changed.

    \b
    SOURCE is one of
      a folder of images with its subfolders, or a .zip of one
      a .csv or .tsv of files and labels
      an .npz with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]) and optionally `labels`
    """  # noqa: D301
    import numpy as np

    from compare_gan import files
    from compare_gan.datasets.inspection import inspect_images
    from compare_gan.folders import ClassChoice
    from compare_gan.plots import grids

    if out:
        _check_outside(out, source)
        files.check_can_write(out)
    choice = ClassChoice(classes or None, min_images)
    found = inspect_images(source, background, class_in_name, _show_progress, choice)
    click.echo(printable(found.report()))
    rows, names = found.contact_sheet() if out else ([], [])
    if not out or not rows:
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
