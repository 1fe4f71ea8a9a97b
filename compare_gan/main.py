"""The command line, and nothing else: `compare_gan train | label | eval | sample | metrics | …`.

`python -m compare_gan.main --model_dir … --gin_config … --schedule …`, as in 2019, is `train`.
"""

import errno
import os
import sys

import click

from compare_gan.commands import models, scoring, training
from compare_gan.errors import DivergenceError, UserError
from compare_gan.startup import prepare_tensorflow


class _TrainByDefault(click.Group):
    """A group whose first argument may be an option: then `train` is meant."""

    def parse_args(self, ctx, args):
        if args and args[0].startswith("--") and args[0] not in ("--help", "--version"):
            args = ["train", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_TrainByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="compare_gan")
def cli():
    """Train, evaluate and compare GANs from gin configs.

    \b
    Start with
      compare_gan train --gin_config example_configs/s3gan_fashion_mnist.gin --model_dir runs/s3gan
    """  # noqa: D301


@cli.command("list")
@click.argument("kind", required=False)
def list_parts(kind):
    """List the parts that configs can name: all, or those of one KIND."""
    prepare_tensorflow()
    from compare_gan import registry

    for each in [kind] if kind else registry.kinds():
        parts = registry.components(each)
        click.echo(f"{each}")
        width = max((len(part.name) for part in parts), default=0)
        for part in parts:
            paper = f"  [{part.paper}]" if part.paper else ""
            click.echo(f"  {part.name:<{width}}  {part.summary}{paper}")


for _command in (
    training.train,
    training.label,
    training.evaluate,
    models.sample,
    models.export,
    models.import_weights,
    scoring.metrics,
    scoring.compare,
):
    cli.add_command(_command)


def main(args=None) -> None:
    """Entry point: errors that are no fault of the program's end in one sentence.

    The status is 2 for a user's mistake, 3 for divergence, 1 for trouble with files.
    """
    try:
        cli.main(args=args, prog_name="compare_gan", standalone_mode=False)
    except UserError as error:
        sentence = str(error).split("\n", 1)[0]  # Gin appends lines where an error passes it.
        _exit(2, f"Error: {sentence}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as error:  # What click makes of KeyboardInterrupt.
        detail = str(error.__cause__ or "") or "steps since the last checkpoint are lost"
        _exit(130, f"Interrupted: {detail}.")
    except DivergenceError as error:
        _exit(3, f"Error: {error}")
    except Exception as error:
        sentence = _about_files(error)
        if sentence is None:
            raise
        _exit(1, f"Error: {sentence}")


def _about_files(error: Exception) -> str | None:
    """The sentence for trouble with files, which TensorFlow has errors of its own for, or None."""
    if isinstance(error, OSError):
        names = " -> ".join(str(n) for n in (error.filename, error.filename2) if n is not None)
        return (error.strerror or str(error)) + (f": {names}" if names else "") + "."
    troubles = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
    message = str(error).strip().split("\n", 1)[0]
    if any(os.strerror(trouble) in message for trouble in troubles):
        return message
    return None


def _exit(status: int, message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
