"""`compare_gan list | configs`: lists, without an import of TensorFlow or Keras."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from compare_gan.parts_index import Entry


@click.command("list")
@click.argument("kind", required=False)
def list_parts(kind: str | None) -> None:
    """List the parts that configs can name.

    All of them, or those of one KIND: loss, penalty, architecture, …
    """
    from compare_gan import parts_index

    for each, parts in parts_index.read_index(kind).items():
        click.echo(each)
        for line in _columns((part.name, _with_paper(part)) for part in parts):
            click.echo(f"  {line}")


@click.command()
def configs() -> None:
    """List the example configs and studies, with their headlines.

    --gin_config takes these names; `compare_gan train --dry-run` prints what a config amounts to.
    `compare_gan study run` takes the names that begin with studies/.
    """
    from compare_gan.config import example_configs, example_studies

    found = (*example_configs(), *example_studies())
    for line in _columns((config.name, config.headline) for config in found):
        click.echo(line)


def _with_paper(part: "Entry") -> str:
    return f"{part.summary}  [{part.paper}]" if part.paper else part.summary


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {text}" for name, text in rows]
