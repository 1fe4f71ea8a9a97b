"""`compare_gan dataset`: looks at images, without an import of TensorFlow or Keras."""

import sys

import click

from compare_gan.terminal import for_stdout, printable


@click.command()
@click.argument("source")
@click.option(
    "--out",
    default="contact_sheet.png",
    show_default=True,
    metavar="PNG",
    help="Contact sheet of the images, one class per row.",
)
@click.option(
    "--background",
    default="white",
    show_default=True,
    metavar="COLOUR",
    help="Images with an alpha channel are composited over it.",
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
    out: str,
    background: str,
    class_in_name: bool,
    classes: tuple[str, ...],
    min_images: int,
) -> None:
    """Show how a set of images is understood.

    Classes with counts, sizes, modes, splits, alpha, broken files and duplicates, as training and
    metrics find them; and a contact sheet. Nothing is trained.

    \b
    SOURCE is one of
      a folder of images with its subfolders, or a .zip of one
      a .csv of files and labels
      an .npz with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]) and optionally `labels`
    """  # noqa: D301
    import numpy as np

    from compare_gan import paths
    from compare_gan.datasets.inspection import inspect_images
    from compare_gan.folders import ClassChoice
    from compare_gan.plots import grids

    paths.check_place(out)
    choice = ClassChoice(classes or None, min_images)
    found = inspect_images(source, background, class_in_name, _show_progress, choice)
    click.echo(printable(found.report()))
    rows, names = found.contact_sheet()
    if not rows:
        return
    if names:
        picture = grids.class_grid(rows, [printable(name, keep="") for name in names])
    else:
        picture = grids.image_grid(np.concatenate(rows), len(rows[0]))
    grids.save_png(picture, out)
    click.echo(for_stdout(out), err=True)


def _show_progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done:,} of {count:,} images", nl=done == count, err=True)
