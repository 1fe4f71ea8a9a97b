"""Griffe extension for the site: a section `Example:` of a docstring is shown as code.

Google's style knows the section `Examples`; this library's docstrings have one example and call the
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
