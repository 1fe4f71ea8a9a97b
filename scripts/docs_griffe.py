"""Griffe extension for the site: shows the section `Example:` of a docstring as code.

Google's style defines the section `Examples`; the docstrings of this library have one example in a
section `Example`.
"""

import re
from typing import Any

import griffe

_TITLE = re.compile(r"^( *)Example:$", flags=re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Reads `Example:` as `Examples:`."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes the docstring of an object when it has been collected."""
        if obj.docstring is not None:
            obj.docstring.value = _TITLE.sub(r"\1Examples:", obj.docstring.value)
