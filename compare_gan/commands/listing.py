"""`compare_gan list | configs`: lists, without an import of TensorFlow or Keras."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from compare_gan.errors import UserError, unknown_name

if TYPE_CHECKING:
    from compare_gan.parts_index import Entry


@click.command("list")
@click.argument("name", metavar="[KIND | NAME]", required=False)
def list_parts(name: str | None) -> None:
    """List the parts that configs can name.

    All of them, those of one KIND (loss, penalty, architecture, …), or the part of one NAME.
    """
    for each, parts in _listed(name).items():
        click.echo(each)
        for line in _columns((part.name, _description(part)) for part in parts):
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


def _listed(name: str | None) -> dict[str, list["Entry"]]:
    """The parts of a kind, or those of this name or alias, by kind; all parts for None."""
    from compare_gan import parts_index

    index = parts_index.read_index()
    if name is None:
        return index
    if name in index:
        return {name: index[name]}
    named = {
        kind: [part for part in parts if name in (part.name, *part.aliases)]
        for kind, parts in index.items()
    }
    found = {kind: parts for kind, parts in named.items() if parts}
    if not found:
        kinds = unknown_name("kind of part", name, index)
        raise UserError(
            f"{kinds} No part has this name either. docs/parts.md has the options that are not "
            "parts, such as step options and averages."
        )
    return found


def _description(part: "Entry") -> str:
    names = f" Also called {', '.join(part.aliases)}." if part.aliases else ""
    paper = f"  [{part.paper}]" if part.paper else ""
    return f"{part.summary}{names}{paper}"


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {text}" for name, text in rows]
