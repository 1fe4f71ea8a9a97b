"""Writes `compare_gan/parts.json`, the index that `compare_gan list` prints.

    python scripts/write_parts_index.py

Run it when a part has been added, removed or renamed, or when its first docstring line changed.
"""

import os
import sys

import click

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, _ROOT)  # The index describes this checkout, regardless of the installed version.

from compare_gan import parts_index  # noqa: E402


@click.command()
@click.option("--out", default=os.path.join(_ROOT, "compare_gan", "parts.json"), show_default=True)
def main(out: str) -> None:
    """Writes `out`: the parts of the library by kind, with aliases, summary and paper."""
    parts_index.write_index(out)
    click.echo(out)


if __name__ == "__main__":
    main()
