"""`compare_gan sample | export | import-weights`."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from compare_gan.commands.shared_options import import_options
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout

if TYPE_CHECKING:
    from compare_gan.datasets import Dataset
    from compare_gan.training.run_dir import RunDir


@click.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option(
    "--out", metavar="PATH", help="PNG; folder or .npz (--num, --seeds); in DIR if left out."
)
@click.option(
    "--num",
    type=click.IntRange(min=1),
    help="Write this many single PNGs instead, or one .npz (arr_0, labels).",
)
@click.option(
    "--seeds",
    metavar="NUMBERS",
    help="Write these samples of --num singly, such as 0-35,40: the numbers in its file names.",
)
@click.option(
    "--interpolate",
    "interpolations",
    type=click.IntRange(min=1),
    help="Write this many rows of images between two latents, left to right.",
)
@click.option(
    "--mix",
    "mixtures",
    type=click.IntRange(min=1),
    help="Write a table of style mixtures with this many rows (StyleGAN2).",
)
@click.option(
    "--video",
    metavar="GIF",
    help="Write this video instead: a walk from sample to sample (--seeds, else 0-5) and back.",
)
@click.option("--frames", type=click.IntRange(min=2), help="Frames of --video; 120 if left out.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds of --video; 6 if left out.",
)
@click.option(
    "--class",
    "class_names",
    multiple=True,
    metavar="CLASS",
    help="Only this class (name or number); may be repeated.",
)
@click.option(
    "--columns", default=10, show_default=True, type=click.IntRange(min=2), help="Images per row."
)
@click.option(
    "--truncation",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=1),
    help="Narrows the latents (StyleGAN2: the styles): less variety, cleaner images.",
)
@click.option(
    "--refine",
    "refinement",
    metavar="NAME",
    help="Let the discriminator choose the latents; `compare_gan list refinement`.",
)
@click.option(
    "--gin_bindings",
    multiple=True,
    metavar="BINDING",
    help="Options of --refine, e.g. 'ddls.steps = 100'; may be repeated.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the latents.")
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="Use the weights themselves, not their moving average.")
@import_options
def sample(
    model_dir: str,
    out: str | None,
    num: int | None,
    seeds: str | None,
    interpolations: int | None,
    mixtures: int | None,
    video: str | None,
    frames: int | None,
    duration: float | None,
    class_names: tuple[str, ...],
    columns: int,
    truncation: float,
    refinement: str | None,
    gin_bindings: tuple[str, ...],
    seed: int,
    checkpoint: str | None,
    raw: bool,
    allow_imports: tuple[str, ...],
) -> None:
    """Draw images from a trained model.

    Reads no data, unless --refine metropolis_hastings calibrates the discriminator. Without --num,
    --seeds, --interpolate, --mix or --video: a grid with one class per row.

    Images of --num are numbered from 0; --seed names the whole sequence. --seeds 40 is number 40 of
    it, the same image whichever others are drawn.
    """
    start_engine()
    from compare_gan import config, engine, registry, sampling
    from compare_gan.sampling.classes import find_classes
    from compare_gan.sampling.video import check_video
    from compare_gan.training.run_dir import RunDir

    _check_modes(num, seeds, interpolations, mixtures, video, out)
    numbers = None if seeds is None else sampling.parse_numbers(seeds)
    walk: dict[str, Any] = dict(frames=frames or 120, duration=duration or 6.0)
    if video is not None:
        check_video(video, **walk)
    elif frames or duration:
        raise UserError("--frames and --duration need --video.")
    if refinement is None and gin_bindings:
        raise UserError("--gin_bindings needs --refine, whose options they change.")
    if refinement is not None and (video or interpolations or mixtures):
        raise UserError(
            "--refine chooses single latents: leave out --interpolate, --mix and --video."
        )
    config.parse((), gin_bindings)
    refine = None if refinement is None else registry.get("refinement", refinement)()
    run = RunDir(model_dir)
    with engine.announced("Restoring the model"):
        sampler = run.load(checkpoint, not raw, allow_imports).sampler
    sampler = dataclasses.replace(sampler, truncation=truncation, refinement=refine)
    if refine is not None and refine.needs_held_out:
        dataset = _dataset_of(run, checkpoint, allow_imports)
        held_out = sampling.HeldOutImages(dataset, sampler.num_classes)
        refine.check(held_out)
        sampler = dataclasses.replace(sampler, held_out=held_out)
    classes = find_classes(sampler, class_names or None)
    chosen: dict[str, Any] = dict(seed=seed, classes=classes)
    if video is not None:
        with engine.announced("Drawing images"):
            path = sampling.write_video(sampler, video, numbers or range(6), **chosen, **walk)
    elif wanted := num or numbers:
        path = sampling.write_images(sampler, out or run.file("images"), wanted, **chosen)
    elif interpolations:
        out = out or run.file("interpolation.png")
        with engine.announced("Drawing images"):
            path = sampling.write_interpolation(sampler, out, interpolations, columns, **chosen)
    elif mixtures:
        out = out or run.file("style_mixtures.png")
        with engine.announced("Drawing images"):
            path = sampling.write_style_mixtures(sampler, out, mixtures, columns, **chosen)
    else:
        out = out or run.file("grid.png")
        with engine.announced("Drawing images"):
            path = sampling.write_grid(sampler, out, columns, **chosen)
    click.echo(for_stdout(path))


@click.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option(
    "--out",
    required=True,
    metavar="PATH",
    help="A path that ends in .keras for a Keras file, any other for a SavedModel's directory.",
)
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="Use the weights themselves, not their moving average.")
@click.option("--discriminator", is_flag=True, help="Write the discriminator as well.")
@import_options
def export(
    model_dir: str,
    out: str,
    checkpoint: str | None,
    raw: bool,
    discriminator: bool,
    allow_imports: tuple[str, ...],
) -> None:
    """Write the generator as a SavedModel or Keras file.

    A SavedModel needs nothing but TensorFlow: its signature takes z (and labels) and returns
    images in [0, 1].
    """
    start_engine()
    from compare_gan import engine
    from compare_gan.hub.exporter import export as write
    from compare_gan.training.run_dir import RunDir

    with engine.announced("Exporting the model"):
        model = RunDir(model_dir).load(checkpoint, not raw, allow_imports)
        paths = write(model, out, discriminator)
    for path in paths:
        click.echo(for_stdout(path))


def _dataset_of(run: "RunDir", checkpoint: str | None, allow_imports: Sequence[str]) -> "Dataset":
    """The data set that the config of a run names."""
    from compare_gan import config
    from compare_gan.training.experiment import Experiment

    with config.bindings_kept():
        path, copies = run.config_of(checkpoint), run.copies_of(checkpoint)
        config.parse([path], allow_imports=allow_imports, copies=copies)
        fake = {"fake": True} if run.description and run.description.is_fake else {}
        return Experiment.from_gin(**fake).with_class_order(run.class_order).dataset


def _check_modes(
    num: int | None,
    seeds: str | None,
    interpolations: int | None,
    mixtures: int | None,
    video: str | None,
    out: str | None,
) -> None:
    """Raises UserError if `sample` is to write two things at once."""
    modes = {
        "--num": num,
        "--seeds": seeds,
        "--interpolate": interpolations,
        "--mix": mixtures,
        "--video": video,
    }
    given = [name for name, value in modes.items() if value is not None]
    if len(given) > 1 and given != ["--seeds", "--video"]:
        raise UserError(f"{' and '.join(given)} exclude each other.")
    if video is not None and out is not None:
        raise UserError("--video and --out exclude each other: --video names the file.")
    if num is None and seeds is None and out and out.lower().endswith(".npz"):
        raise UserError("--out with the ending .npz needs --num or --seeds: a grid is a PNG.")


@click.command("import-weights")
@click.argument("source")
@click.option(
    "--model_dir", required=True, metavar="DIR", help="The directory to make, as train does."
)
@click.option(
    "--gin_config",
    "gin_configs",
    multiple=True,
    metavar="FILE",
    help="Config that the model was trained with; wins over what the weights show.",
)
@click.option("--gin_bindings", multiple=True, metavar="BINDING", help="As for train.")
def import_weights(
    source: str, model_dir: str, gin_configs: tuple[str, ...], gin_bindings: tuple[str, ...]
) -> None:
    """Import a model of the 2019 library.

    \b
    SOURCE is one of
      the prefix of a checkpoint (…/model.ckpt-250000), or a directory with a file `checkpoint`
      the directory of a hub module (saved_model.pb, variables/), or its .tar.gz
      a hub handle (google/compare_gan/s3gan_10_128x128/1), which is downloaded

    Architecture, image size and classes follow from the names and shapes of the variables.
    """  # noqa: D301
    start_engine()
    from compare_gan import engine, hub

    with engine.announced("Importing the model"):
        path = hub.import_weights(source, model_dir, gin_configs, gin_bindings)
    click.echo(for_stdout(path))
