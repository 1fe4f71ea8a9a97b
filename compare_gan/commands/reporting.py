"""`compare_gan report`: a page of a run or a study."""

import click

from compare_gan.commands.shared_options import import_options
from compare_gan.commands.start import start_engine
from compare_gan.terminal import for_stdout


@click.command()
@click.argument("path")
@click.option("--output", metavar="FILE", help="The page.  [default: PATH/report.html]")
@click.option(
    "--watch", is_flag=True, help="Write it again whenever PATH changes, until training has ended."
)
@import_options
def report(path: str, output: str | None, watch: bool, allow_imports: tuple[str, ...]) -> None:
    """Write a page of a run or a study: one HTML file that opens from disk.

    PATH is the directory of a run or of a study.
    """
    start_engine()
    from compare_gan.report import writing

    if not watch:
        click.echo(for_stdout(writing.write_page(path, output, allow_imports)))
        return
    written = None
    try:
        for name in writing.watch(path, output, allow_imports):
            if written is None:
                click.echo(for_stdout(name))
            written = name
    except KeyboardInterrupt:
        state = f"'{written}' shows what there was" if written else "there is no page"
        raise KeyboardInterrupt(state) from None
