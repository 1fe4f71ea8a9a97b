"""A matrix as a chart."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.charts.chart import Chart
from compare_gan.report.charts.drawing import (
    CHARACTER,
    MOST_ROOM,
    WIDTH,
    column_name,
    row_name,
    svg,
    text_at,
)
from compare_gan.report.markup import element, join, number

_MOST_WITH_TEXT = 14  # Columns up to which cells grow to hold their texts.


def heatmap(
    title: str,
    matrix: Sequence[Sequence[float | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    xlabel: str = "",
    ylabel: str = "",
    centre: float | None = None,
    limits: tuple[float, float] | None = None,
    above_is_better: bool = True,
    texts: Sequence[Sequence[str]] | None = None,
    alt: str = "",
    note: str = "",
) -> Chart:
    """A matrix of cells, stronger in colour for larger values, such as a confusion of classes.

    Example:
      >>> from compare_gan.report.charts import heatmap
      >>> heatmap("Confusion", [[9, 1], [2, 8]], ["cat", "dog"], ["cat", "dog"]).alt
      'Confusion: a matrix of 2 rows and 2 columns.'

    Args:
      title: Caption.
      matrix: Values by row and column; None leaves a cell empty.
      row_names: Names of the rows.
      column_names: Names of the columns.
      xlabel: Meaning of the columns.
      ylabel: Meaning of the rows.
      centre: Value without a colour; those below and above it have one colour each. By default 0,
        or the smallest value, has none.
      limits: Values with no and with the full colour, instead of `centre`, so that matrices side
        by side have one scale.
      above_is_better: Whether values above the centre have the first colour, and those below it
        the second, which warns.
      texts: Texts of the cells; by default their values. They are shown if there is room for all.
      alt: Description.
      note: A sentence below the chart.
    """
    if limits is not None:
        zero, largest = limits[0], limits[1] - limits[0]
    else:
        finite = [v for row in matrix for v in row if v is not None and math.isfinite(v)]
        zero = centre if centre is not None else min([0.0, *finite])
        largest = max((abs(value - zero) for value in finite), default=0.0)
    scale = (largest or 1.0) * (1 if above_is_better else -1)
    texts = texts or [[number(value, 2) for value in row] for row in matrix]
    room = min(MOST_ROOM, 14 + CHARACTER * max(map(len, [ylabel, *row_names])))
    across, side, has_texts = _sides(texts, (WIDTH - room - 6) / max(1, len(column_names)))
    width = max(float(WIDTH), room + across * len(column_names) + 6)
    head = min(MOST_ROOM, 10 + CHARACTER * max(map(len, column_names), default=0)) + 14
    drawn = [text_at(room, 11, xlabel, "label"), text_at(4, head - 6, ylabel, "label")]
    for j, name in enumerate(column_names):
        drawn.append(column_name(room + across * (j + 0.5) + 3, head - 5, name, head - 14))
    for i, row in enumerate(matrix):
        top = head + side * i
        drawn.append(row_name(room, top + side / 2 + 3.5, row_names[i], room))
        for j, value in enumerate(row):
            if value is None or not math.isfinite(value):
                continue
            tip = f"{row_names[i]}, {column_names[j]}: {number(value)}"
            place, part = (room + across * j, top), (value - zero) / scale
            text = texts[i][j] if has_texts else ""
            drawn.append(_cell(place, (across, side), part, text, tip))
    alt = alt or f"{title}: a matrix of {len(row_names)} rows and {len(column_names)} columns."
    return Chart(
        title=title,
        alt=alt,
        svg=svg(width, head + side * len(row_names) + 6, alt, *drawn),
        columns=(ylabel or "row", xlabel or "column", "value"),
        rows=[
            (row_names[i], column_names[j], value)
            for i, row in enumerate(matrix)
            for j, value in enumerate(row)
        ],
        note=note,
    )


def _sides(texts: Sequence[Sequence[str]], room: float) -> tuple[float, float, bool]:
    """Width and height of a cell, and whether texts are shown: all of them or none.

    Cells are squares, or wider than that where texts need it and the chart has the room.
    """
    needed = 4 + 0.9 * CHARACTER * max((len(text) for row in texts for text in row), default=0)
    side = max(15.0, min(34.0, room))
    if side < needed <= 28 and len(texts[0]) <= _MOST_WITH_TEXT:
        return needed, needed, True
    if side < needed <= room:
        return needed, side, True
    return side, side, needed <= side


def _cell(
    place: tuple[float, float], size: tuple[float, float], part: float, text: str, tip: str
) -> Markup:
    (x, y), (width, height) = place, size
    # Half of the colour at most, so that text in the page's ink is readable on it.
    shade = element(
        "rect", element("title", tip), x=x + 0.5, y=y + 0.5, width=width - 1, height=height - 1,
        class_="below" if part < 0 else "above", fill_opacity=0.04 + 0.5 * min(1.0, abs(part)),
    )  # fmt: skip
    return join(
        [shade, text_at(x + width / 2, y + height / 2 + 3.5, text, "value", anchor="middle")]
    )
