"""Data of a page as CSV, behind links that need no script."""

import math
import re
import urllib.parse
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.markup import element
from compare_gan.studies import formats


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV; None and NaN are empty, numbers are written in full."""
    return formats.csv_text(columns, [[_csv_value(value) for value in row] for row in rows])


def csv_link(title: str, text: str) -> Markup:
    """A link that saves CSV; it needs no script."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "data"
    data = urllib.parse.quote(text, safe=",.:;/@$!*()+-", errors="replace")
    return element(
        "a", "CSV", class_="csv", download=f"{name}.csv",
        href=f"data:text/csv;charset=utf-8,{data}", aria_label=f"Data of “{title}” as CSV",
    )  # fmt: skip


def _csv_value(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):
        return None
    return float(value) if isinstance(value, float) else value
