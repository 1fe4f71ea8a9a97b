"""Griffe extension for the site: what docstrings of this library mean in Markdown.

A section `Example:` is shown as code: Google's style knows the section `Examples`, but a docstring
here has one example. A paragraph of lines in columns, such as a list of files, keeps its columns.
"""

import re
from typing import Any

import griffe

_TITLE = re.compile(r"^( *)Example:$", flags=re.MULTILINE)
_COLUMNS = re.compile(r"\S {2,}\S")


class Docstrings(griffe.Extension):
    """Rewrites docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes the docstring of an object when it has been collected."""
        if obj.docstring is None:
            return
        obj.docstring.value = _TITLE.sub(r"\1Examples:", obj.docstring.value)
        if obj.is_module:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_with_columns, paragraphs))


def _with_columns(paragraph: str) -> str:
    lines = paragraph.splitlines()
    in_columns = [line for line in lines if _COLUMNS.search(line)]
    if len(lines) < 2 or len(in_columns) < len(lines) / 2 or paragraph.startswith(" "):
        return paragraph
    return f"```text\n{paragraph}\n```"
