"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def config_options(command: _Command) -> _Command:
    """Decorator: adds the options that name gin files, bindings and data."""
    return _add(
        command,
        click.option(
            "--gin_config",
            "gin_configs",
            multiple=True,
            metavar="FILE",
            help="Gin file, or the name of an example config; may be repeated, later ones win.",
        ),
        click.option(
            "--gin_bindings",
            multiple=True,
            metavar="BINDING",
            help="Changes any value, e.g. 'options.batch_size = 32'; may be repeated.",
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


def devices_option(command: _Command) -> _Command:
    """Decorator: adds the number of devices."""
    return _add(
        command,
        click.option(
            "--devices",
            type=click.IntRange(min=1),
            metavar="NUMBER",
            help="Use so many devices of this machine: GPUs, or else its CPU divided into logical "
            "devices.  [default: all GPUs, or the CPU as one]",
        ),
    )


def eval_options(command: _Command) -> _Command:
    """Decorator: adds the options of an evaluation."""
    return _add(
        command,
        click.option(
            "--num_eval_averaging_runs",
            default=3,
            show_default=True,
            type=click.IntRange(min=1),
            help="Sets of samples over which every score is averaged.",
        ),
        click.option(
            "--score_filename",
            default="scores.csv",
            show_default=True,
            metavar="NAME",
            help="Table of scores, in the run directory.",
        ),
    )


def import_options(command: _Command) -> _Command:
    """Decorator: adds the option that names modules which the config of a run may import."""
    return _add(
        command,
        click.option(
            "--allow_imports",
            multiple=True,
            metavar="MODULE",
            help="A module that the run's config may import though it is not installed, or a "
            "folder modules/STEP of the run, whose copies it may import; may be repeated.",
        ),
    )


def dataset_overrides(tfds_data_dir: str | None, fake: bool) -> dict[str, Any]:
    """Values of the scope `dataset` for --tfds_data_dir and --data_fake_dataset."""
    overrides: dict[str, Any] = {}
    if tfds_data_dir:
        overrides["data_dir"] = tfds_data_dir
    if fake:
        overrides["fake"] = True
    return overrides


def _add(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """The command with the options, in the help in this order."""
    for option in reversed(options):
        command = option(command)
    return command
