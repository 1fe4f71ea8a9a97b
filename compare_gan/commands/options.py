"""Options that several commands have."""

import click


def config_options(command):
    """Decorator: what gin is to read, and where data are."""
    for option in reversed(
        (
            click.option(
                "--gin_config",
                "gin_configs",
                multiple=True,
                metavar="FILE",
                help="Gin file; may be repeated, later ones win.",
            ),
            click.option(
                "--gin_bindings",
                multiple=True,
                metavar="BINDING",
                help="Changes anything, e.g. 'options.batch_size = 32'; may be repeated.",
            ),
            click.option(
                "--tfds_data_dir",
                metavar="DIR",
                help="Where TensorFlow Datasets keeps its data.",
            ),
            click.option(
                "--data_fake_dataset",
                is_flag=True,
                help="Noise of the data set's shape instead of its images, to try a config.",
            ),
        )
    ):
        command = option(command)
    return command


def eval_options(command):
    """Decorator: how often checkpoints are sampled, and where scores go."""
    for option in reversed(
        (
            click.option(
                "--num_eval_averaging_runs",
                default=3,
                show_default=True,
                type=click.IntRange(min=1),
                help="Sets of samples that every score is averaged over.",
            ),
            click.option(
                "--score_filename",
                default="scores.csv",
                show_default=True,
                metavar="NAME",
                help="Table of scores, in the model directory.",
            ),
        )
    ):
        command = option(command)
    return command


def dataset_overrides(tfds_data_dir: str | None, fake: bool) -> dict:
    """Arguments of `get_dataset` that --tfds_data_dir and --data_fake_dataset stand for."""
    overrides = {}
    if tfds_data_dir:
        overrides["data_dir"] = tfds_data_dir
    if fake:
        overrides["fake"] = True
    return overrides
