"""Charts with a row for each name: estimates with intervals, bars."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.charts.chart import Chart
from compare_gan.report.charts.drawing import (
    CHARACTER,
    COLOURS,
    MOST_ROOM,
    WIDTH,
    dot,
    line,
    places,
    row_name,
    svg,
    text_at,
    vertical_ticks,
)
from compare_gan.report.charts.scales import Scale, scale_of
from compare_gan.report.markup import element, number


@dataclasses.dataclass(frozen=True)
class Interval:
    """A row of a forest plot.

    Attributes:
      name: Name of the row.
      value: The estimate; None if there is none.
      low: Lower end of its interval.
      high: Upper end of it.
      points: Single values behind the estimate, such as those of seeds.
      note: Text in place of a mark, such as "3 of 3 diverged".
      series: Number of the colour.

    Example:
      >>> from compare_gan.report.charts import Interval
      >>> row = Interval("hinge", 30.0, low=27.5, high=32.5, points=[28.9, 31.1])
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    points: Sequence[float] = ()
    note: str = ""
    series: int = 0


def forest(
    title: str,
    rows: Sequence[Interval],
    *,
    xlabel: str = "",
    log_x: bool = False,
    reference: float | None = None,
    alt: str = "",
    note: str = "",
) -> Chart:
    """Estimates with intervals, one per row.

    All estimates and points are visible, and intervals as far as half of their range beyond them:
    with two or three seeds a single interval would flatten all the rest. Arrows mark the cut ends.

    Example:
      >>> from compare_gan.report.charts import Interval, forest
      >>> forest("FID", [Interval("hinge", 30.0, 27.5, 32.5)]).alt
      'FID. hinge 30 [27.50, 32.50].'

    Args:
      title: Caption.
      rows: The rows, from the top.
      xlabel: Label of the horizontal axis.
      log_x: Whether the axis is logarithmic; not if a value is 0 or less.
      reference: Place of a vertical line, such as 0 for differences.
      alt: Description; by default the estimates.
      note: A sentence below the chart.
    """
    room, width = _room_and_width([row.name for row in rows])
    height, pitch = 14.0 + 22.0 * len(rows), 22.0
    x = scale_of(_visible(rows, reference), room, width - 12.0, log_x)
    drawn: list[Markup] = [*vertical_ticks(x, 4.0, height, 5)]
    if reference is not None:
        drawn.append(line(x(reference), 4.0, x(reference), height, "reference"))
    for i, row in enumerate(rows):
        drawn.append(_forest_row(row, x, 4.0 + pitch * (i + 0.5), room))
    if xlabel:
        drawn.append(
            text_at((room + width - 12) / 2, height + 30, xlabel, "label", anchor="middle")
        )
    shown = (f"{row.name} {number(row.value)}{_interval_text(row)}" for row in rows)
    alt = alt or f"{title}. {'; '.join(shown)}."
    return Chart(
        title=title,
        alt=alt,
        svg=svg(width, height + (36 if xlabel else 20), alt, *drawn),
        columns=("name", xlabel or "value", "low", "high", "points", "note"),
        rows=[
            (row.name, row.value, row.low, row.high, " ".join(map(repr, map(float, row.points))),
             row.note) for row in rows
        ],
        note=note,
    )  # fmt: skip


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float],
    *,
    xlabel: str = "",
    alt: str = "",
    note: str = "",
) -> Chart:
    """Horizontal bars from 0, one per name.

    Example:
      >>> from compare_gan.report.charts import bars
      >>> bars("Speed", ["a", "b"], [900, 1200], xlabel="images/s").alt
      'Speed. a 900; b 1,200.'

    Args:
      title: Caption.
      names: Names of the bars, from the top.
      values: Their lengths, finite.
      xlabel: Label of the horizontal axis.
      alt: Description; by default the values.
      note: A sentence below the chart.
    """
    room, width = _room_and_width(names)
    height = 8.0 + 20.0 * len(names)
    x = scale_of([0.0, *values], room, width - 44.0, margin=0.0)
    drawn = [*vertical_ticks(x, 4.0, height, 4)]
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        top, ends = 6.0 + 20.0 * i, sorted((x(0.0), x(value)))
        tip = element("title", f"{name}: {number(value)}")
        bar = element("rect", tip, x=ends[0], y=top, width=ends[1] - ends[0], height=15.0)
        drawn += [element("g", bar, class_="s0 bar"), row_name(room, top + 11.5, name, room)]
        drawn.append(text_at(ends[1] + 4, top + 11.5, number(value), "value"))
    if xlabel:
        drawn.append(
            text_at((room + width - 44) / 2, height + 30, xlabel, "label", anchor="middle")
        )
    shown = (f"{name} {number(value)}" for name, value in zip(names, values, strict=True))
    alt = alt or f"{title}. {'; '.join(shown)}."
    return Chart(
        title=title,
        alt=alt,
        svg=svg(width, height + (36 if xlabel else 20), alt, *drawn),
        columns=("name", xlabel or "value"),
        rows=list(zip(names, values, strict=True)),
        note=note,
    )


def _room_and_width(names: Sequence[str]) -> tuple[float, float]:
    """Room for the names of the rows, and the width of a chart that leaves half of it for marks."""
    room = min(MOST_ROOM, 12 + CHARACTER * max(map(len, names), default=0))
    return room, WIDTH + max(0.0, room - WIDTH / 2)


def _visible(rows: Sequence[Interval], reference: float | None) -> list[float | None]:
    """Values that the axis spans."""
    certain = [value for row in rows for value in (row.value, *row.points) if value is not None]
    certain += [] if reference is None else [reference]
    ends = [end for row in rows for end in (row.low, row.high) if end is not None]
    if not certain or not ends:
        return [*certain, *ends]
    reach = 0.5 * (max(certain) - min(certain))
    if not reach:
        return [*certain, *ends]
    low, high = min(certain) - reach, max(certain) + reach
    return [*certain, *(min(max(end, low), high) for end in ends)]


def _forest_row(row: Interval, x: Scale, y: float, room: float) -> Markup:
    marks = [row_name(room, y + 3.5, row.name, room)]
    below = y + 6.0  # On the line of the interval they would not be seen.
    marks += [element("circle", cx=x(p), cy=below, r=2.0, class_="point") for p in row.points]
    if row.low is not None and row.high is not None:
        ends = max(row.low, x.low), min(row.high, x.high)
        marks.append(line(x(ends[0]), y, x(ends[1]), y, "interval"))
        for end, cut, way in zip(ends, (row.low < x.low, row.high > x.high), (-1, 1), strict=True):
            if cut:
                tip = x(end) + 4 * way
                corners = [(tip, y), (x(end) - 2 * way, y - 4), (x(end) - 2 * way, y + 4)]
                marks.append(element("polygon", points=places(corners), class_="arrow"))
    if row.value is not None:
        marks.append(dot(x(row.value), y, f"{row.name}: {number(row.value)}{_interval_text(row)}"))
    if row.note:
        # On the side of the row that its mark leaves free.
        place, anchor = (x.start + x.end) / 2, "middle"
        if row.value is not None:
            is_left = x(row.value) < place
            place, anchor = (x.end, "end") if is_left else (x.start + 3, "start")
        marks.append(text_at(place, y + 3.5, row.note, "note", anchor=anchor))
    return element("g", *marks, class_=f"s{row.series % COLOURS}")


def _interval_text(row: Interval) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" [{number(row.low)}, {number(row.high)}]"
