"""The code blocks of the documentation."""

import dataclasses
import pathlib
import re
from collections.abc import Callable

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
_FENCE = re.compile(
    r"(?P<skip><!-- not run: .+ -->\n)?"
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
      language: Word after the fence; empty without one.
      title: Name of the file that the block shows; empty without one.
      text: The code.
      runs: Whether tests run it: False if it is included from a file, or marked as not run.
    """

    language: str
    title: str
    text: str
    runs: bool


@pytest.fixture(name="blocks", scope="session")
def _blocks() -> Callable[..., list[Block]]:
    """`blocks(page, language)`: the blocks of this language on a page, in order."""

    def find(page: str, language: str) -> list[Block]:
        found = []
        for match in _FENCE.finditer((_ROOT / page).read_text()):
            runs = not match["skip"] and "--8<--" not in match["text"]
            found.append(Block(match["language"], match["title"] or "", match["text"], runs))
        return [block for block in found if block.language == language]

    return find
