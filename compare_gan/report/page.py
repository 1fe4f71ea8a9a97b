"""The page: sections of blocks in one self-contained HTML file."""

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
import re
import time
from collections.abc import Mapping, Sequence

import jinja2
from markupsafe import Markup

from compare_gan import files
from compare_gan.report.markup import Block, element
from compare_gan.version import code_version


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page, with a heading and an entry in the contents.

    Attributes:
      title: The heading.
      blocks: Texts, which become paragraphs, and anything with `__html__`: charts, tables,
        pictures, `Facts`, `Side`, `Group`, `Details`, `Code`.
      intro: A paragraph below the heading.

    Example:
      >>> from compare_gan.report import Section
      >>> Section("Scores", ["No scores yet."]).title
      'Scores'
    """

    title: str
    blocks: Sequence[Block | str]
    intro: str = ""


@dataclasses.dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
      title: Heading of the page.
      sections: Its sections; those without blocks are left out.
      kind: A word or two above the heading: "Run", "Study".
      lead: A paragraph below it.
      facts: Few short facts at the top, by name.

    Example:
      >>> from compare_gan.report import Page, Section
      >>> page = Page("Losses", [Section("Scores", ["No scores yet."])], kind="Study")
    """

    title: str
    sections: Sequence[Section]
    kind: str = ""
    lead: str = ""
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)


def render(page: Page) -> str:
    """The page as HTML that needs nothing from elsewhere.

    Example:
      >>> from compare_gan.report import Page, Section, render
      >>> html = render(Page("A & B", [Section("Scores", ["No scores yet."])]))
      >>> "<title>A &amp; B</title>" in html, "No scores yet." in html
      (True, True)
    """
    style, script = _asset("style.css"), _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sections = [section for section in page.sections if section.blocks]
    return _environment().get_template("page.html").render(
        page=page,
        sections=list(zip(_anchors(sections), sections, strict=True)),
        style=Markup(style),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        made=time.strftime("%Y-%m-%d %H:%M"),
        code_version=code_version(),
    )  # fmt: skip


def write(page: Page, path: str) -> None:
    """Writes the page, whole or not at all; halves of surrogate pairs in names become `?`."""
    files.write_text(path, render(page).encode("utf-8", "replace").decode())


@dataclasses.dataclass(frozen=True)
class Facts:
    """Names and values, in two columns."""

    facts: Mapping[str, object]

    def __html__(self) -> str:
        pairs = [
            element("div", element("dt", name), element("dd", value))
            for name, value in self.facts.items()
        ]
        return element("dl", *pairs, class_="facts")


@dataclasses.dataclass(frozen=True)
class Side:
    """Blocks side by side where the page is wide enough.

    Attributes:
      blocks: The blocks.
      narrow: Whether most screens show three side by side, instead of two.
    """

    blocks: Sequence[Block | str]
    narrow: bool = False

    def __html__(self) -> str:
        kind = "side narrow" if self.narrow else "side"
        return element("div", *map(paragraph, self.blocks), class_=kind)


@dataclasses.dataclass(frozen=True)
class Group:
    """Blocks under a heading of their own inside a section."""

    title: str
    blocks: Sequence[Block | str]

    def __html__(self) -> str:
        return element(
            "div", element("h3", self.title), *map(paragraph, self.blocks), class_="group"
        )


@dataclasses.dataclass(frozen=True)
class Details:
    """Blocks that a click opens."""

    title: str
    blocks: Sequence[Block | str]
    open: bool = False

    def __html__(self) -> str:
        return element(
            "details", element("summary", self.title), *map(paragraph, self.blocks), open=self.open
        )


@dataclasses.dataclass(frozen=True)
class Note:
    """A paragraph that must not be overlooked."""

    text: str

    def __html__(self) -> str:
        return element("p", self.text, class_="note")


@dataclasses.dataclass(frozen=True)
class Code:
    """Text with its line breaks, such as a config; lines that begin with + or - can be marked.

    Attributes:
      text: The text.
      diff: Whether lines that begin with + or - are those of a diff.
    """

    text: str
    diff: bool = False

    def __html__(self) -> str:
        lines: list[object] = [self.text]
        if self.diff:
            kinds = {"+": "ins", "-": "del"}
            lines = [
                element(kinds[line[0]], line) if line[:1] in kinds else line
                for line in self.text.splitlines(keepends=True)
            ]
        return element("pre", element("code", *lines), tabindex=0)


def paragraph(block: Block | str) -> Block:
    """A block; a text becomes a paragraph."""
    return element("p", block) if isinstance(block, str) and not _is_markup(block) else block  # type: ignore[return-value]


def _is_markup(block: object) -> bool:
    return hasattr(block, "__html__")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["paragraph"] = paragraph
    return environment


@functools.cache
def _asset(name: str) -> str:
    folder = importlib.resources.files("compare_gan.report") / "assets"
    return (folder / name).read_text(encoding="utf-8")


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Names of the sections in links, each once."""
    anchors: list[str] = []
    for section in sections:
        anchor = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        while anchor in anchors:
            anchor += "-"
        anchors.append(anchor)
    return anchors
