"""`compare_gan metrics | compare`."""

import os
from typing import Any

import click

from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable


@click.command()
@click.option("--fake", required=True, metavar="IMAGES", help="The images to score.")
@click.option("--real", metavar="IMAGES", help="The reference, where a metric needs one.")
@click.option("--metrics", metavar="NAMES", help="Separated by commas.  [default: fid]")
@click.option(
    "--protocol",
    metavar="NAME",
    help="Instead of --metrics, --extractor and numbers; `compare_gan list protocol`.",
)
@click.option(
    "--extractor",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto: fashion_cnn for Fashion-MNIST by name, else inception.",
)
@click.option("--num_real", type=click.IntRange(min=1), help="Use this many of the real images.")
@click.option("--num_fake", type=click.IntRange(min=1), help="Use this many of the fake images.")
@click.option(
    "--batch_size",
    default=100,
    show_default=True,
    type=click.IntRange(min=1),
    help="Images in one forward pass of the extractor.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the order, and so of the choice of images.",
)
@click.option(
    "--on_error",
    default="stop",
    show_default=True,
    type=click.Choice(("stop", "skip")),
    help="What to do about a file that is not an image: its name is printed either way.",
)
@click.option(
    "--background",
    default="white",
    show_default=True,
    metavar="COLOUR",
    help="Background colour for images with an alpha channel: a name or '#rrggbb'.",
)
@click.option(
    "--pictures", metavar="DIR", help="Write the pictures that metrics draw to this folder."
)
@click.option("--output", metavar="FILE", help="Also write the JSON to this file.")
@click.option(
    "--gin_bindings",
    multiple=True,
    metavar="BINDING",
    help="Options of metrics, extractors and data sets, e.g. 'dataset.data_dir = \"…\"'.",
)
def metrics(
    fake: str,
    real: str | None,
    metrics: str | None,
    protocol: str | None,
    extractor: str,
    num_real: int | None,
    num_fake: int | None,
    batch_size: int,
    seed: int,
    on_error: str,
    background: str,
    pictures: str | None,
    output: str | None,
    gin_bindings: tuple[str, ...],
) -> None:
    """Score a set of images against another one.

    Prints JSON.

    \b
    IMAGES is one of
      a folder of images with its subfolders, or a .zip of one
      one split of a folder or .zip that holds several: photos:test
      a .csv or .tsv of files and labels
      an .npz with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]) and optionally `labels`
      the same with `mu` and `sigma` of more images, which FID uses (OpenAI's reference batches)
      an .npz with `mu` and `sigma`, for FID only
      a data set or a split of one: fashion_mnist_10k, cifar10:test, tfds:NAME:SPLIT
    """  # noqa: D301
    start_engine()
    from compare_gan import config, engine, files
    from compare_gan.evaluation import pictures as metric_pictures
    from compare_gan.evaluation.scoring import score_sets

    if output and os.path.isdir(output):
        raise UserError(f"--output must name a file, '{output}' is a folder.")
    if pictures and os.path.isfile(pictures):
        raise UserError(f"--pictures must name a folder, '{pictures}' is a file.")
    # Before hours of work, whose scores are printed even if they cannot be written in the end.
    for path in (output, pictures and os.path.join(pictures, "picture.png")):
        if path:
            files.check_can_write(path)
    config.parse((), gin_bindings)
    names = [name.strip() for name in (metrics or "").split(",") if name.strip()]
    try:
        result = score_sets(
            real,
            fake,
            names,
            extractor,
            num_real=num_real,
            num_fake=num_fake,
            batch_size=batch_size,
            seed=seed,
            protocol=protocol,
            on_error=on_error,
            background=background,
            pictures=pictures is not None,
            progress=True,
            devices=engine.peers(engine.make_strategy("mirrored", alone=True)).devices,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("there are no scores") from None
    click.echo(result.to_json())
    if output:
        files.write_text(output, result.to_json() + "\n")
    if pictures:
        metric_pictures.write(result.pictures, pictures)


@click.command()
@click.argument("results", nargs=-1, required=True)
@click.option("--all", "every", is_flag=True, help="All rows, not only the last of each.")
@click.option(
    "--page",
    metavar="FILE",
    help="Also write a page with configs, scores, curves and samples of run directories.",
)
def compare(results: tuple[str, ...], every: bool, page: str | None) -> None:
    """List scores side by side.

    Warns if they were measured differently.

    RESULTS are run directories, results.jsonl files, and files that `compare_gan metrics` wrote.
    """
    start_engine()
    from compare_gan import files
    from compare_gan.evaluation import comparison

    if page:
        from compare_gan.report import page as pages
        from compare_gan.report.comparison_page import comparison_page

        content = comparison_page(results)
        files.check_can_write(page)
        pages.write(content, page)

    rows: list[Any] = []
    names: list[str] = []
    for path in results:
        found = comparison.read_rows(path)
        rows += found if every else found[-1:]
        names += [path] * (len(found) if every else 1)
    click.echo(printable(comparison.format_rows(rows, names)))
    warning = comparison.warning(rows, names)
    if warning:
        click.echo(printable(f"Warning: {warning}"), err=True)
    if page:
        click.echo(for_stdout(page))
