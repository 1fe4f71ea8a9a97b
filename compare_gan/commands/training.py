"""`compare_gan train | label | eval`."""

import time

import click

from compare_gan.commands.shared_options import (
    config_options,
    dataset_overrides,
    devices_option,
    eval_options,
    import_options,
)
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable

# `--schedule` is the name of 2019; in code what it chooses is the mode.
_MODES = ("train", "eval_after_train", "continuous_eval")


@click.command()
@click.option("--model_dir", metavar="DIR", help="Directory for checkpoints, pictures and scores.")
@config_options
@devices_option
@eval_options
@click.option(
    "--eval_every_steps",
    default=5000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Evaluate checkpoints at multiples of this step, and the last one.",
)
@click.option(
    "--stop_step",
    metavar="STEP",
    type=click.IntRange(min=1),
    help="End the training at this step, and evaluate it; the same command without the option "
    "continues it, with the result of a training in one go.",
)
@click.option(
    "--schedule",
    "mode",
    default="eval_after_train",
    show_default=True,
    type=click.Choice(_MODES),
    help="Train only; train, then evaluate; or evaluate what another process trains.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only check everything, and print the bindings of the config, classes, extractor, "
    "parameter counts, and the estimated memory, disk space and time.",
)
@click.option(
    "--defaults",
    is_flag=True,
    help="With --dry-run: also print the parameters that the config leaves at their defaults.",
)
@click.option(
    "--allow_config_change",
    is_flag=True,
    help="Continue a run even if its architecture, data, seed, … have changed.",
)
def train(
    model_dir: str | None,
    gin_configs: tuple[str, ...],
    gin_bindings: tuple[str, ...],
    tfds_data_dir: str | None,
    data_fake_dataset: bool,
    devices: int | None,
    num_eval_averaging_runs: int,
    eval_every_steps: int,
    score_filename: str,
    stop_step: int | None,
    mode: str,
    dry_run: bool,
    defaults: bool,
    allow_config_change: bool,
) -> None:
    """Train from a gin config, then evaluate.

    A run that is started again with the same --model_dir resumes from its newest checkpoint.
    Learning rates, batch size, steps and periods may then differ.
    `compare_gan configs` lists the configs that --gin_config takes by name.
    """
    started = time.monotonic()
    start_engine(devices)
    from compare_gan import config, engine
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir

    stages = engine.Stages(started)
    if defaults and not dry_run:
        raise UserError("--defaults needs --dry-run, which prints the config.")
    if not model_dir and not dry_run:
        raise UserError("--model_dir is needed: the directory that the run is written to.")
    if not gin_configs and not gin_bindings:
        raise UserError("--gin_config is needed: the gin file that says what to train.")
    mistakes = config.Mistakes()
    config.parse(gin_configs, gin_bindings, mistakes=mistakes)
    overrides = dataset_overrides(tfds_data_dir, data_fake_dataset)
    experiment = Experiment.from_gin(mistakes, **overrides)
    run = RunDir(model_dir) if model_dir else None
    if dry_run or run is None:
        from compare_gan.training.dry_run import describe

        text = describe(experiment, run, mode != "train", allow_config_change, defaults)
        click.echo(printable(text))
        return
    evaluation = modes.EvaluationPlan(
        averaging_runs=num_eval_averaging_runs,
        every_steps=eval_every_steps,
        score_filename=score_filename,
    )
    modes.run(mode, experiment, run, evaluation, allow_config_change, stages, stop_step)


@click.command()
@click.option(
    "--label_dir", metavar="DIR", help="Directory for labels; infer_labels.label_dir if left out."
)
@config_options
@devices_option
def label(
    label_dir: str | None,
    gin_configs: tuple[str, ...],
    gin_bindings: tuple[str, ...],
    tfds_data_dir: str | None,
    data_fake_dataset: bool,
    devices: int | None,
) -> None:
    """Infer missing labels, or cluster images.

    The missing labels of a config's data set are inferred from the given ones; only the parts of
    the config that concern data and labels are read. `train` does the same by itself where
    dataset.inferred_labels = True; runs that name the folder in infer_labels.label_dir share it.
    When it is started again after an interruption, it resumes from its newest checkpoint.
    """
    start_engine(devices)
    from compare_gan import config
    from compare_gan.training.labelling import infer_labels

    if not gin_configs and not gin_bindings:
        raise UserError("--gin_config is needed: the gin file that says which labels to infer.")
    config.parse(gin_configs, gin_bindings)
    folder = infer_labels(label_dir, **dataset_overrides(tfds_data_dir, data_fake_dataset))
    click.echo(for_stdout(folder))


@click.command("eval")
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--gin_bindings", multiple=True, metavar="BINDING", help="As for train.")
@click.option("--tfds_data_dir", metavar="DIR", help="As for train.")
@click.option("--data_fake_dataset", is_flag=True, help="As for train.")
@devices_option
@eval_options
@import_options
def evaluate(
    model_dir: str,
    checkpoint: str | None,
    gin_bindings: tuple[str, ...],
    tfds_data_dir: str | None,
    data_fake_dataset: bool,
    devices: int | None,
    num_eval_averaging_runs: int,
    score_filename: str,
    allow_imports: tuple[str, ...],
) -> None:
    """Score a checkpoint of a trained model.

    Adds a row to scores.csv and to results.jsonl.
    """
    start_engine(devices)
    from compare_gan import config
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir

    run = RunDir(model_dir)
    mistakes = config.Mistakes()
    newest = run.config
    path = None if checkpoint is None else run.find_checkpoint(checkpoint)
    config.parse([newest], gin_bindings, allow_imports, mistakes, run.copies_of(path))
    run.warn_of_other_modules(path)
    overrides = dataset_overrides(tfds_data_dir, data_fake_dataset)
    experiment = Experiment.from_gin(mistakes, **overrides)
    plan = modes.EvaluationPlan(
        averaging_runs=num_eval_averaging_runs, score_filename=score_filename
    )
    modes.evaluate(experiment, run, path, plan, allow_imports)
