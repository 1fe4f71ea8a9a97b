"""The command line and nothing else: `compare_gan train | label | eval | sample | metrics | …`.

Without the name of a command, as in 2019, `train` is meant:
`python -m compare_gan.main --model_dir … --gin_config … --schedule …`.
"""

import os
import sys

# `python -m` puts the working directory first, where a `queue.py` would replace Python's module.
# In a checkout of this library it comes last; elsewhere configs that import from it add it.
if __name__ == "__main__" and sys.path[:1] == [os.getcwd()]:
    sys.path.pop(0)
    if os.path.samefile(os.getcwd(), os.path.join(os.path.dirname(__file__), os.pardir)):
        sys.path.append(os.getcwd())

import errno
import io
import re
from collections.abc import Sequence
from typing import NoReturn

import click

from compare_gan import __version__, interruption, peers
from compare_gan.commands import (
    averages,
    converting,
    latents,
    listing,
    looking,
    models,
    reporting,
    scoring,
    studies,
    training,
)
from compare_gan.errors import DivergenceError, LostProcessError, MistakesError, UserError
from compare_gan.locks import host
from compare_gan.output import safe_output
from compare_gan.terminal import printable, sentence_of


class _TrainByDefault(click.Group):
    """A group of commands that runs `train` where the first argument is an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("--") and args[0] not in ("--help", "--version"):
            args = ["train", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_TrainByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="compare_gan")
def cli() -> None:
    """Train, evaluate and compare GANs from gin configs.

    \b
    Start with
      compare_gan train --gin_config s3gan_fashion_mnist --model_dir runs/s3gan
    """  # noqa: D301


for _command in (
    training.train,
    training.label,
    training.evaluate,
    studies.study,
    models.sample,
    models.export,
    models.import_weights,
    converting.convert,
    averages.ema,
    latents.directions,
    latents.project,
    scoring.metrics,
    scoring.compare,
    reporting.report,
    looking.dataset,
    listing.list_parts,
    listing.configs,
):
    cli.add_command(_command)


def main(args: Sequence[str] | None = None) -> None:
    """Entry point; errors that the program is not to blame for end in one sentence.

    The exit status is 2 for a user's mistake, 3 for divergence, 4 if another process of a run is
    lost, 130 after a signal, and 1 for trouble with files. Neither a closed terminal nor a reader
    of standard output that has gone ends a command.

    Args:
      args: Arguments of the command line; those of the process if None.
    """
    with safe_output() as stdout, interruption.Watch():
        status = 1
        try:
            _run(args)
            stdout.flush()
            if stdout.trouble is not None:
                _exit(1, f"Error: Standard output is incomplete: {stdout.trouble.strerror}.")
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
            raise
        finally:
            peers.leave(status)


def _run(args: Sequence[str] | None) -> None:
    try:
        cli.main(
            args=None if args is None else list(args),
            prog_name="compare_gan",
            standalone_mode=False,
        )
    except UserError as error:
        errors = error.errors if isinstance(error, MistakesError) else [error]
        _exit(2, *(f"Error: {sentence_of(each)}" for each in errors))
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print(printable(shown.getvalue()), end="", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort as error:  # Click's form of KeyboardInterrupt.
        detail = str(error.__cause__ or error.__context__ or "")  # Click 8.1 hides the cause.
        _exit(interruption.EXIT_STATUS, f"Interrupted: {detail}." if detail else "Interrupted.")
    except DivergenceError as error:
        _exit(3, f"Error: {sentence_of(error)}")
    except LostProcessError as error:
        _exit(peers.EXIT_STATUS, f"Error: {sentence_of(error)}")
    except Exception as error:
        if lost := peers.explain(error):
            _exit(peers.EXIT_STATUS, f"Error: {lost}")
        trouble = _file_trouble(error)
        if trouble is None:
            raise
        _exit(1, f"Error: {trouble}")


_FILE_TROUBLES = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOENT,
    errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EMFILE, errno.ELOOP,
)  # fmt: skip


_TEMPORARY = re.compile(rf"\.([^/]+)\.{re.escape(host())}\.\d+\.\d+\.tmp(\.\w+)?")


def _file_trouble(error: Exception) -> str | None:
    """The sentence for trouble with files, None for other errors; TensorFlow has its own types."""
    message = sentence_of(error)
    if isinstance(error, OSError):
        # gin's form of an error has its text alone.
        name = error.filename if error.filename2 is None else error.filename2
        message = f"{error.strerror or message}{'' if name is None else f': {name}'}."
    elif not any(os.strerror(trouble) in message for trouble in _FILE_TROUBLES):
        return None
    return _TEMPORARY.sub(r"\1", message)  # Nobody knows the temporary name of a file.


def _exit(status: int, *messages: str) -> NoReturn:
    for message in messages:
        print(printable(message, keep=""), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
