"""`compare_gan convert`."""

import os

import click

from compare_gan import files
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable


@click.group()
def convert() -> None:
    """Write a gin config from a config of another library."""


@convert.command()
@click.argument("config", metavar="CONFIG.yaml")
@click.option("--output", metavar="FILE", help="The gin file; standard output if left out.")
def studiogan(config: str, output: str | None) -> None:
    """Convert a YAML config of StudioGAN.

    Settings without a counterpart are listed at the head of the gin file, and on standard error.
    """
    if not os.path.isfile(config):
        raise UserError(f"There is no file '{config}'.")
    if output is not None:
        if os.path.exists(output):
            raise UserError(f"'{output}' exists already: choose another --output.")
        files.check_can_write(output)
    start_engine()
    from compare_gan.hub.studiogan import convert as convert_text

    try:
        text = files.read_text(config)
    except UnicodeDecodeError:
        raise UserError(f"'{config}' is not text in UTF-8.") from None
    converted = convert_text(text, os.path.basename(config))
    if output is None:
        click.echo(printable(converted.gin), nl=False)
    else:
        files.write_text(output, converted.gin)
        click.echo(for_stdout(output))
    if converted.missing:
        click.echo("Without a counterpart, or different:", err=True)
        for sentence in converted.missing:
            click.echo(printable(f"  {sentence}"), err=True)
