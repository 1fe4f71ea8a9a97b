"""`compare_gan directions | project`."""

import os

import click

from compare_gan import files
from compare_gan.commands.shared_options import import_options
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout


@click.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option("--out", metavar="FILE", help="PNG; directions.png in DIR if left out.")
@click.option(
    "--count", default=5, show_default=True, type=click.IntRange(min=1), help="Directions."
)
@click.option(
    "--sample",
    "number",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Number of the sample that is moved, as for sample --seeds.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the samples.")
@click.option("--class", "class_name", metavar="CLASS", help="Its class (name or number).")
@click.option(
    "--columns", default=7, show_default=True, type=click.IntRange(min=2), help="Images per row."
)
@click.option(
    "--extent",
    default=3.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Way to either side, in standard deviations of the latents.",
)
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="Use the weights themselves, not their moving average.")
@import_options
def directions(
    model_dir: str,
    out: str | None,
    count: int,
    number: int,
    seed: int,
    class_name: str | None,
    columns: int,
    extent: float,
    checkpoint: str | None,
    raw: bool,
    allow_imports: tuple[str, ...],
) -> None:
    """Move a sample along directions of its latent space.

    A row for each of the directions in which the generator's first layers react most (SeFa): of z,
    or of the styles w of StyleGAN2.
    """
    start_engine()
    from compare_gan import engine, sampling
    from compare_gan.training.run_dir import RunDir

    run = RunDir(model_dir)
    out = out or run.file("directions.png")
    files.check_can_write(out)
    with engine.announced("Restoring the model"):
        sampler = run.load(checkpoint, not raw, allow_imports).sampler
    with engine.announced("Finding directions"):
        path, _ = sampling.write_directions(
            sampler,
            out,
            count,
            number=number,
            seed=seed,
            columns=columns,
            extent=extent,
            classes=None if class_name is None else [class_name],
        )
    click.echo(for_stdout(path))


@click.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option(
    "--images",
    "source",
    required=True,
    metavar="IMAGES",
    help="Images of the model's size: a folder, .npz or data set, as for metrics.",
)
@click.option("--out", metavar="DIR", help="A folder; projection/ in --model_dir if left out.")
@click.option(
    "--num", default=10, show_default=True, type=click.IntRange(min=1), help="Number of images."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the choice of images.")
@click.option(
    "--class", "class_name", metavar="CLASS", help="Class of all; the nearest one if left out."
)
@click.option(
    "--steps", default=300, show_default=True, type=click.IntRange(min=1), help="Steps of descent."
)
@click.option(
    "--candidates",
    default=512,
    show_default=True,
    type=click.IntRange(min=1),
    help="Random latents, of which the nearest is the start.",
)
@click.option(
    "--noise",
    default=0.05,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Difference of pixels (in [0, 1]) that the latent need not explain.",
)
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="Use the weights themselves, not their moving average.")
@import_options
def project(
    model_dir: str,
    source: str,
    out: str | None,
    num: int,
    seed: int,
    class_name: str | None,
    steps: int,
    candidates: int,
    noise: float,
    checkpoint: str | None,
    raw: bool,
    allow_imports: tuple[str, ...],
) -> None:
    """Find latents of real images.

    Writes a picture of the images and what the generator makes of them, and latents.npz.
    """
    start_engine()
    import numpy as np

    from compare_gan import engine, sampling
    from compare_gan.evaluation.image_sets import GivenStatistics, open_images
    from compare_gan.training.run_dir import RunDir

    run = RunDir(model_dir)
    folder = out or run.file("projection")
    for name in ("projection.png", "latents.npz"):
        files.check_can_write(os.path.join(folder, name))
    with engine.announced("Restoring the model"):
        sampler = run.load(checkpoint, not raw, allow_imports).sampler
    opened = open_images(source, progress=True)
    if isinstance(opened, GivenStatistics):
        raise UserError(f"'{source}' holds statistics: images are needed.")
    if opened.shape != tuple(sampler.image_shape):
        raise UserError(
            f"The images of '{source}' are {_size(opened.shape)}, those of the model "
            f"{_size(sampler.image_shape)}: they must have the same size."
        )
    chosen = opened.take(min(num, opened.count), seed)
    images = np.concatenate([batch.images for batch in chosen.batches(chosen.count)])
    options = sampling.ProjectionOptions(steps=steps, candidates=candidates, noise=noise)
    found = sampling.project(sampler, images, class_name, options)
    sampling.write_projection(sampler, folder, images, found)
    click.echo(for_stdout(folder))
    click.echo(f"root mean squared difference of pixels: {np.mean(found.errors):.4f}", err=True)


def _size(shape: tuple[int, int, int] | None) -> str:
    return "of several sizes" if shape is None else "x".join(map(str, shape))
