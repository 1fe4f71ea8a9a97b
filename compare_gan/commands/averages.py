"""`compare_gan ema`."""

import click

from compare_gan.commands.shared_options import dataset_overrides, devices_option, import_options
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable


@click.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option(
    "--length",
    "lengths",
    multiple=True,
    type=float,
    help="Length of the average, as a fraction of the training; with --scan several, or none for "
    "eight from 0.02 to 0.25.",
)
@click.option(
    "--half_life",
    "half_lives",
    multiple=True,
    type=float,
    metavar="IMAGES",
    help="In place of --length: a stored average of this half-life, one of "
    "ModularGAN.ema_other_half_lives.",
)
@click.option("--scan", is_flag=True, help="Score each of them; with --out write the best.")
@click.option(
    "--out", metavar="DIR", help="The run directory to write; in --model_dir if left out."
)
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--gin_bindings", multiple=True, metavar="BINDING", help="As for eval, with --scan.")
@click.option("--tfds_data_dir", metavar="DIR", help="As for train, with --scan.")
@click.option("--data_fake_dataset", is_flag=True, help="As for train, with --scan.")
@devices_option
@click.option(
    "--num_eval_averaging_runs",
    type=click.IntRange(min=1),
    help="Sets of samples over which every score of --scan is averaged; 3 if left out.",
)
@import_options
def ema(
    model_dir: str,
    lengths: tuple[float, ...],
    half_lives: tuple[float, ...],
    scan: bool,
    out: str | None,
    checkpoint: str | None,
    gin_bindings: tuple[str, ...],
    tfds_data_dir: str | None,
    data_fake_dataset: bool,
    devices: int | None,
    num_eval_averaging_runs: int | None,
    allow_imports: tuple[str, ...],
) -> None:
    """Write another average of a generator's weights, after the training.

    Writes a run directory that sample, eval and export take. The run needs
    ModularGAN.ema_lengths = (0.05, 0.1), from whose averages those of any length are made.
    """
    if not scan:
        _check_choice(lengths, half_lives)
        _check_unused(gin_bindings, tfds_data_dir, data_fake_dataset, num_eval_averaging_runs)
    start_engine(devices)
    from compare_gan import config, engine
    from compare_gan.training import average_scan, post_hoc
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.images_file import ImageChoice
    from compare_gan.training.run_dir import RunDir

    run = RunDir(model_dir)
    if not lengths and not half_lives:
        lengths = average_scan.LENGTHS
    averages: list[post_hoc.OfLength | post_hoc.OfHalfLife] = [
        *map(post_hoc.OfLength, lengths),
        *map(post_hoc.OfHalfLife, half_lives),
    ]
    chosen = averages[0]
    # A scan without --out writes none.
    folder = out if out is not None or scan else run.file(chosen.folder)
    if folder is not None:
        post_hoc.check_folder(folder)
    newest = run.config
    path = run.find_checkpoint(checkpoint)
    if scan:
        mistakes = config.Mistakes()
        config.parse([newest], gin_bindings, allow_imports, mistakes, run.copies_of(path))
        overrides = dataset_overrides(tfds_data_dir, data_fake_dataset)
        experiment = Experiment.from_gin(mistakes, **overrides).with_class_order(run.class_order)
        experiment = experiment.with_image_choice(ImageChoice(run.training_images))
        rows = average_scan.scan(
            experiment, run, path, averages, num_eval_averaging_runs or 3, allow_imports
        )
        click.echo(printable(average_scan.summary(rows)))
        chosen = averages[average_scan.best(rows)[0]]
    if folder is None:
        return
    with engine.announced("Averaging the weights"):
        values = chosen.read(run, path)
        model = run.load(path, allow_imports=allow_imports).with_average(values, str(chosen))
        post_hoc.write_run(run, model, folder)
    click.echo(for_stdout(folder))


def _check_choice(lengths: tuple[float, ...], half_lives: tuple[float, ...]) -> None:
    """Raises UserError unless one average is to be written."""
    if len(lengths) + len(half_lives) != 1:
        raise UserError(
            "Give one --length (or --half_life) to write its average, or --scan to score several."
        )


def _check_unused(
    gin_bindings: tuple[str, ...],
    tfds_data_dir: str | None,
    data_fake_dataset: bool,
    num_eval_averaging_runs: int | None,
) -> None:
    """Raises UserError if an option of the evaluation is given."""
    given = {
        "--gin_bindings": gin_bindings,
        "--tfds_data_dir": tfds_data_dir,
        "--data_fake_dataset": data_fake_dataset,
        "--num_eval_averaging_runs": num_eval_averaging_runs,
    }
    for option in filter(given.__getitem__, given):
        raise UserError(f"{option} needs --scan, whose evaluation it changes.")
