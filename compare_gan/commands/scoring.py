"""`compare_gan metrics | compare`."""

import os

import click

from compare_gan.errors import UserError
from compare_gan.startup import prepare_tensorflow


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
@click.option("--num_real", type=click.IntRange(min=1), help="So many of the real images.")
@click.option("--num_fake", type=click.IntRange(min=1), help="So many of the others.")
@click.option(
    "--batch_size",
    default=100,
    show_default=True,
    type=click.IntRange(min=1),
    help="Images in one forward of the extractor.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Of the order, and so of which are taken."
)
@click.option(
    "--on_error",
    default="stop",
    show_default=True,
    type=click.Choice(("stop", "skip")),
    help="What to do about a file that is no image; it is named.",
)
@click.option("--pictures", metavar="DIR", help="Write what metrics draw there.")
@click.option("--output", metavar="FILE", help="Write there what is printed, too.")
@click.option(
    "--gin_bindings",
    multiple=True,
    metavar="BINDING",
    help="Options of metrics, extractors and data sets, e.g. 'dataset.data_dir = \"…\"'.",
)
def metrics(
    fake,
    real,
    metrics,
    protocol,
    extractor,
    num_real,
    num_fake,
    batch_size,
    seed,
    on_error,
    pictures,
    output,
    gin_bindings,
):
    """Score any set of images against another; prints JSON.

    \b
    IMAGES is one of
      a folder, read with its subfolders, or a .zip of images
      an .npz with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]), perhaps `labels`
      an .npz with `mu` and `sigma`, for FID alone
      a data set or its split: fashion_mnist_10k, cifar10:test, tfds:NAME:SPLIT
    """  # noqa: D301
    prepare_tensorflow()
    from compare_gan import config, files
    from compare_gan.evaluation import metric_pictures
    from compare_gan.evaluation.score_sets import score_sets

    if output and os.path.isdir(output):
        raise UserError(f"--output must name a file, '{output}' is a folder.")
    if pictures and os.path.isfile(pictures):
        raise UserError(f"--pictures must name a folder, '{pictures}' is a file.")
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
            pictures=pictures is not None,
            progress=True,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("there are no scores") from None
    if pictures:
        metric_pictures.write(result.pictures, pictures)
    if output:
        files.write_text(output, result.to_json() + "\n")
    click.echo(result.to_json())


@click.command()
@click.argument("results", nargs=-1, required=True)
@click.option("--all", "every", is_flag=True, help="All rows, not the last of each.")
def compare(results, every):
    """List scores beside each other, and warn where they were not measured alike.

    RESULTS are model directories, results.jsonl files, and what `compare_gan metrics` wrote.
    """
    from compare_gan.evaluation import comparison

    rows, names = [], []
    for path in results:
        found = comparison.read_rows(path)
        rows += found if every else found[-1:]
        names += [path] * (len(found) if every else 1)
    click.echo(comparison.format_rows(rows, names))
    warning = comparison.warning(rows, names)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
