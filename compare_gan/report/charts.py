"""Charts as inline SVG, which follow the page's theme, with their data as CSV."""

import csv
import dataclasses
import io
import math
import re
import urllib.parse
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.markup import element, join, number
from compare_gan.report.scales import Scale, scale_of, tick_text

WIDTH = 360  # Of a chart, in CSS pixels on a phone; larger screens enlarge it a little.
# Of the style sheet: further series repeat the colours with dashes.
_COLOURS, _DASHES = 8, 4
_CHARACTER = 6.1  # Mean width of a character of a label in a wide font.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure: an SVG with caption, legend, a description in words, and its data as CSV.

    Attributes:
      title: Caption.
      alt: What the chart shows, for those who cannot see it.
      svg: The drawing.
      columns: Names of the columns of the data.
      rows: The data.
      legend: Names of the series, in the order of their colours; shown if there are several.
      note: A sentence below the chart.
    """

    title: str
    alt: str
    svg: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    legend: Sequence[str] = ()
    note: str = ""

    def csv(self) -> str:
        """The data as CSV (RFC 4180, but lines end in a line feed); a missing value is empty."""
        return csv_text(self.columns, self.rows)

    def __html__(self) -> str:
        legend = [
            element(
                "li",
                element(
                    "button", _swatch(i), name, type="button", aria_pressed="true", data_for=str(i)
                ),
            )
            for i, name in enumerate(self.legend)
        ]
        note = [self.note, " "] if self.note else []
        return element(
            "figure",
            element("div", self.svg, class_="plot"),
            element("ul", *legend, class_="legend") if len(legend) > 1 else "",
            element(
                "figcaption",
                element("strong", self.title),
                " ",
                *note,
                csv_link(self.title, self.csv()),
            ),
            class_="chart",
        )


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV; None and NaN are empty, numbers are written in full."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_value(value) for value in row] for row in rows)
    return written.getvalue()


def csv_link(title: str, text: str) -> Markup:
    """A link that saves CSV; it needs no script."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "data"
    data = urllib.parse.quote(text, safe=",.:;/@$!*()+- ")
    return element(
        "a", "CSV", class_="csv", download=f"{name}.csv",
        href=f"data:text/csv;charset=utf-8,{data}", aria_label=f"Data of “{title}” as CSV",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Line:
    """A series of a line chart.

    Attributes:
      name: Name in the legend.
      x: Values along the horizontal axis, rising.
      y: Values; None and NaN leave a gap.
      low: Lower ends of a band around the line.
      high: Upper ends of it.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


def lines(
    title: str,
    series: Sequence[Line],
    *,
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
    alt: str = "",
    note: str = "",
) -> Chart:
    """Curves, each optionally with a band.

    Args:
      title: Caption.
      series: The curves.
      xlabel: Label of the horizontal axis.
      ylabel: Label of the vertical axis.
      log_x: Whether the horizontal axis is logarithmic; not if a value is 0 or less.
      log_y: As `log_x`, for the vertical axis.
      alt: Description; by default, the first and last values of each curve.
      note: A sentence below the chart.

    Example:
      >>> from compare_gan.report.charts import Line, lines
      >>> print(lines("Loss", [Line("G", [1, 2], [0.5, 0.25])], xlabel="step").csv())
      series,step,value,low,high
      G,1,0.5,,
      G,2,0.25,,
      <BLANKLINE>
    """
    values = [v for each in series for v in (*each.y, *(each.low or ()), *(each.high or ()))]
    plot = _Plot.of([x for each in series for x in each.x], values, xlabel, ylabel, log_x, log_y)
    drawn = []
    for i, each in enumerate(series):
        marks = [_band(plot, each), *_polylines(plot, each)]
        drawn.append(element("g", *marks, class_=_series(i), data_series=str(i)))
    rows = [
        (each.name, x, _finite(y), *_band_at(each, j))
        for each in series
        for j, (x, y) in enumerate(zip(each.x, each.y, strict=True))
    ]
    cursor = element("line", class_="cursor", y1=plot.y.end, y2=plot.y.start, visibility="hidden")
    alt = alt or f"{title}. {' '.join(map(_line_in_words, series))}".strip()
    return Chart(
        title=title,
        alt=alt,
        svg=plot.svg(alt, *drawn, cursor, reads_values=True),
        columns=("series", xlabel or "x", "value", "low", "high"),
        rows=rows,
        legend=[each.name for each in series],
        note=note,
    )


@dataclasses.dataclass(frozen=True)
class Points:
    """A group of points of a scatter plot.

    Attributes:
      name: Name in the legend.
      x: Values along the horizontal axis.
      y: Values along the vertical axis.
      labels: Name of each point; by default that of the group.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[str] = ()


def scatter(
    title: str,
    groups: Sequence[Points],
    *,
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
    alt: str = "",
    note: str = "",
) -> Chart:
    """Points in a plane; arguments are those of `lines`."""
    plot = _Plot.of(
        [x for each in groups for x in each.x], [y for each in groups for y in each.y],
        xlabel, ylabel, log_x, log_y,
    )  # fmt: skip
    drawn, rows = [], []
    for i, each in enumerate(groups):
        dots = []
        for j, (x, y) in enumerate(zip(each.x, each.y, strict=True)):
            label = each.labels[j] if each.labels else each.name
            rows.append((each.name, label, x, y))
            if math.isfinite(x) and math.isfinite(y):
                shown = f"{label}: {number(x)}, {number(y)}"
                dots.append(_dot(plot.x(x), plot.y(y), shown, hollow=i >= _COLOURS))
        drawn.append(element("g", *dots, class_=_series(i), data_series=str(i)))
    alt = alt or f"{title}: {len(rows)} points in {len(groups)} groups."
    return Chart(
        title=title,
        alt=alt,
        svg=plot.svg(alt, *drawn),
        columns=("group", "name", xlabel or "x", ylabel or "y"),
        rows=rows,
        legend=[each.name for each in groups],
        note=note,
    )


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

    Args:
      title: Caption.
      rows: The rows, from the top.
      xlabel: Label of the horizontal axis.
      log_x: Whether the axis is logarithmic; not if a value is 0 or less.
      reference: Place of a vertical line, such as 0 for differences.
      alt: Description; by default the estimates.
      note: A sentence below the chart.
    """
    room = min(150.0, 12 + _CHARACTER * max((len(row.name) for row in rows), default=0))
    height, pitch = 14.0 + 22.0 * len(rows), 22.0
    x = scale_of(
        [v for row in rows for v in (row.value, row.low, row.high, *row.points)]
        + ([] if reference is None else [reference]),
        room, WIDTH - 12.0, log_x,
    )  # fmt: skip
    drawn: list[Markup] = [*_vertical_ticks(x, 4.0, height, 5)]
    if reference is not None:
        drawn.append(_line(x(reference), 4.0, x(reference), height, "reference"))
    for i, row in enumerate(rows):
        drawn.append(_forest_row(row, x, 4.0 + pitch * (i + 0.5), room))
    if xlabel:
        drawn.append(_text((room + WIDTH - 12) / 2, height + 30, xlabel, "label", anchor="middle"))
    shown = (f"{row.name} {number(row.value)}{_interval_text(row)}" for row in rows)
    alt = alt or f"{title}. {'; '.join(shown)}."
    return Chart(
        title=title,
        alt=alt,
        svg=_svg(WIDTH, height + (36 if xlabel else 20), alt, *drawn),
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

    Args:
      title: Caption.
      names: Names of the bars, from the top.
      values: Their lengths, finite.
      xlabel: Label of the horizontal axis.
      alt: Description; by default the values.
      note: A sentence below the chart.
    """
    room = min(150.0, 12 + _CHARACTER * max(map(len, names), default=0))
    height = 8.0 + 20.0 * len(names)
    x = scale_of([0.0, *values], room, WIDTH - 44.0, margin=0.0)
    drawn = [*_vertical_ticks(x, 4.0, height, 4)]
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        top, ends = 6.0 + 20.0 * i, sorted((x(0.0), x(value)))
        tip = element("title", f"{name}: {number(value)}")
        bar = element("rect", tip, x=ends[0], y=top, width=ends[1] - ends[0], height=15.0)
        drawn += [element("g", bar, class_="s0 bar"), _name(room, top + 11.5, name, room)]
        drawn.append(_text(ends[1] + 4, top + 11.5, number(value), "value"))
    if xlabel:
        drawn.append(_text((room + WIDTH - 44) / 2, height + 30, xlabel, "label", anchor="middle"))
    shown = (f"{name} {number(value)}" for name, value in zip(names, values, strict=True))
    alt = alt or f"{title}. {'; '.join(shown)}."
    return Chart(
        title=title,
        alt=alt,
        svg=_svg(WIDTH, height + (36 if xlabel else 20), alt, *drawn),
        columns=("name", xlabel or "value"),
        rows=list(zip(names, values, strict=True)),
        note=note,
    )


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Sequence[float] | dict[str, Sequence[float]],
    *,
    xlabel: str = "",
    ylabel: str = "",
    alt: str = "",
    note: str = "",
) -> Chart:
    """Counts between edges; several series are drawn as outlines over each other.

    Args:
      title: Caption.
      edges: Ends of the bins, rising; one more than counts.
      counts: Height of each bin, or heights by the name of the series.
      xlabel: Label of the horizontal axis.
      ylabel: Label of the vertical axis.
      alt: Description.
      note: A sentence below the chart.
    """
    series = counts if isinstance(counts, dict) else {"": counts}
    values = [value for each in series.values() for value in each]
    plot = _Plot.of(edges, [0.0, *values], xlabel, ylabel, margin=0.0)
    drawn = []
    for i, each in enumerate(series.values()):
        corners = [(plot.x(edges[0]), plot.y(0.0))]
        for j, value in enumerate(each):
            corners += [(plot.x(edge), plot.y(value)) for edge in (edges[j], edges[j + 1])]
        corners.append((plot.x(edges[-1]), plot.y(0.0)))
        shape = element("polygon", points=_places(corners), class_="outline")
        drawn.append(element("g", shape, class_=_series(i), data_series=str(i)))
    rows = [
        (name, edges[j], edges[j + 1], value)
        for name, each in series.items()
        for j, value in enumerate(each)
    ]
    alt = alt or f"{title}: a histogram of {len(edges) - 1} bins from {number(edges[0])} to " \
                 f"{number(edges[-1])}."  # fmt: skip
    return Chart(
        title=title,
        alt=alt,
        svg=plot.svg(alt, *drawn),
        columns=("series", "from", "to", ylabel or "count"),
        rows=rows,
        legend=list(series),
        note=note,
    )


def heatmap(
    title: str,
    matrix: Sequence[Sequence[float | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    xlabel: str = "",
    ylabel: str = "",
    centre: float | None = None,
    texts: Sequence[Sequence[str]] | None = None,
    alt: str = "",
    note: str = "",
) -> Chart:
    """A matrix of cells, darker for larger values, such as a confusion of classes.

    Args:
      title: Caption.
      matrix: Values by row and column; None leaves a cell empty.
      row_names: Names of the rows.
      column_names: Names of the columns.
      xlabel: Meaning of the columns.
      ylabel: Meaning of the rows.
      centre: Value without a colour; those below and above it have one colour each. By default 0,
        or the smallest value, has none.
      texts: Texts of the cells; by default their values, where there is room.
      alt: Description.
      note: A sentence below the chart.
    """
    room = min(130.0, 14 + _CHARACTER * max(map(len, row_names), default=0))
    side = max(15.0, min(34.0, (WIDTH - room - 6) / max(1, len(column_names))))
    width = max(float(WIDTH), room + side * len(column_names) + 6)
    head = min(110.0, 10 + _CHARACTER * max(map(len, column_names), default=0)) + 14
    finite = [v for row in matrix for v in row if v is not None and math.isfinite(v)]
    zero = centre if centre is not None else min([0.0, *finite])
    largest = max((abs(value - zero) for value in finite), default=0.0) or 1.0
    drawn = [_text(room, 11, xlabel, "label"), _text(4, head - 6, ylabel, "label")]
    for j, name in enumerate(column_names):
        drawn.append(_slanted(room + side * (j + 0.5) + 3, head - 5, name, head - 14))
    for i, row in enumerate(matrix):
        top = head + side * i
        drawn.append(_name(room, top + side / 2 + 3.5, row_names[i], room))
        for j, value in enumerate(row):
            if value is None or not math.isfinite(value):
                continue
            text = texts[i][j] if texts else number(value, 3)
            drawn.append(
                _cell(
                    room + side * j, top, side, (value - zero) / largest, text,
                    f"{row_names[i]}, {column_names[j]}: {number(value)}",
                )
            )  # fmt: skip
    alt = alt or f"{title}: a matrix of {len(row_names)} rows and {len(column_names)} columns."
    return Chart(
        title=title,
        alt=alt,
        svg=_svg(width, head + side * len(row_names) + 6, alt, *drawn),
        columns=(ylabel or "row", xlabel or "column", "value"),
        rows=[
            (row_names[i], column_names[j], value)
            for i, row in enumerate(matrix)
            for j, value in enumerate(row)
        ],
        note=note,
    )


@dataclasses.dataclass(frozen=True)
class _Plot:
    """Axes of a chart with two of them."""

    x: Scale
    y: Scale
    xlabel: str
    ylabel: str
    height: float = 232.0

    @classmethod
    def of(
        cls,
        xs: Sequence[float],
        ys: Sequence[float | None],
        xlabel: str,
        ylabel: str,
        log_x: bool = False,
        log_y: bool = False,
        margin: float = 0.04,
    ) -> "_Plot":
        bottom = cls.height - (38.0 if xlabel else 22.0)
        y = scale_of(ys, bottom, 22.0 if ylabel else 8.0, log_y)
        if margin == 0 and y.low < 0:  # Bars stand on 0.
            y = dataclasses.replace(y, low=min([0.0, *(v for v in ys if v is not None)]))
        left = 10 + _CHARACTER * max(len(tick_text(tick)) for tick in y.ticks(5))
        return cls(scale_of(xs, left, WIDTH - 12.0, log_x, min(margin, 0.02)), y, xlabel, ylabel)

    def svg(self, alt: str, *marks: Markup, reads_values: bool = False) -> Markup:
        grid = [*_vertical_ticks(self.x, self.y.end, self.y.start, 5)]
        for tick in self.y.ticks(5):
            y = self.y(tick)
            grid.append(_line(self.x.start, y, self.x.end, y, "grid"))
            grid.append(_text(self.x.start - 5, y + 3.5, tick_text(tick), "tick", anchor="end"))
        middle = (self.x.start + self.x.end) / 2
        if self.xlabel:
            grid.append(_text(middle, self.height - 6, self.xlabel, "label", anchor="middle"))
        if self.ylabel:
            grid.append(_text(2, 11, self.ylabel, "label"))
        # The script finds the values under the pointer with these.
        axis = (self.x.low, self.x.high, self.x.start, self.x.end, int(self.x.log))
        return _svg(
            WIDTH, self.height, alt, *grid, *marks,
            data_axis=" ".join(f"{value:.10g}" for value in axis) if reads_values else None,
        )  # fmt: skip


def _svg(width: float, height: float, alt: str, *content: Markup, **attributes: object) -> Markup:
    # A matrix that is wider than a phone scrolls in its own box.
    wide = f"min-width:{width:.0f}px" if width > WIDTH else None
    return element(
        "svg", *content, viewBox=f"0 0 {width:.4g} {height:.4g}", role="img", aria_label=alt,
        style=wide, **attributes,
    )  # fmt: skip


def _vertical_ticks(x: Scale, top: float, bottom: float, count: int) -> list[Markup]:
    drawn = []
    for tick in x.ticks(count):
        drawn.append(_line(x(tick), top, x(tick), bottom, "grid"))
        drawn.append(_text(x(tick), bottom + 14, tick_text(tick), "tick", anchor="middle"))
    return drawn


def _band(plot: _Plot, line: Line) -> Markup:
    if line.low is None or line.high is None:
        return Markup("")
    ends = [
        (plot.x(x), plot.y(low), plot.y(high))
        for x, low, high in zip(line.x, line.low, line.high, strict=True)
        if low is not None and high is not None and math.isfinite(low + high)
    ]
    corners = [(x, low) for x, low, _ in ends] + [(x, high) for x, _, high in reversed(ends)]
    return element("polygon", points=_places(corners), class_="band") if ends else Markup("")


def _polylines(plot: _Plot, line: Line) -> list[Markup]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if (value := _finite(y)) is None:
            pieces.append([])
        else:
            pieces[-1].append((plot.x(x), plot.y(value)))
    drawn = []
    for piece in filter(None, pieces):
        if len(piece) == 1:  # A line of one point would not be seen.
            drawn.append(_dot(*piece[0], ""))
        else:
            drawn.append(element("polyline", points=_places(piece)))
    return drawn


def _forest_row(row: Interval, x: Scale, y: float, room: float) -> Markup:
    marks = [_name(room, y + 3.5, row.name, room)]
    marks += [element("circle", cx=x(point), cy=y, r=2.0, class_="point") for point in row.points]
    if row.low is not None and row.high is not None:
        marks.append(_line(x(row.low), y, x(row.high), y, "interval"))
    if row.value is not None:
        marks.append(_dot(x(row.value), y, f"{row.name}: {number(row.value)}{_interval_text(row)}"))
    if row.note:
        place = x.end if row.value is not None else (x.start + x.end) / 2
        anchor = "end" if row.value is not None else "middle"
        marks.append(_text(place, y - 5 if row.value is not None else y + 3.5, row.note, "note",
                           anchor=anchor))  # fmt: skip
    return element("g", *marks, class_=f"s{row.series % _COLOURS}")


def _cell(x: float, y: float, side: float, part: float, text: str, tip: str) -> Markup:
    sign = "below" if part < 0 else "above"
    # Half of the colour at most, so that text in the page's ink is readable on it.
    shade = element(
        "rect", element("title", tip), x=x + 0.5, y=y + 0.5, width=side - 1, height=side - 1,
        class_=sign, fill_opacity=0.04 + 0.5 * min(1.0, abs(part)),
    )  # fmt: skip
    if _CHARACTER * len(text) > side - 2:
        return shade
    return join([shade, _text(x + side / 2, y + side / 2 + 3.5, text, "value", anchor="middle")])


def _dot(x: float, y: float, tip: str, hollow: bool = False) -> Markup:
    title = [element("title", tip)] if tip else []
    return element("circle", *title, cx=x, cy=y, r=3.2, class_="hollow" if hollow else None)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _text(x: float, y: float, text: str, kind: str, anchor: str | None = None) -> Markup:
    return element("text", text, x=x, y=y, class_=kind, text_anchor=anchor) if text else Markup("")


def _name(x: float, y: float, name: str, room: float) -> Markup:
    """The name of a row, before its place, shortened to the room."""
    title, shown = _shortened(name, room - 10)
    return element("text", *title, shown, x=x - 7, y=y, class_="name", text_anchor="end")


def _slanted(x: float, y: float, name: str, room: float) -> Markup:
    title, shown = _shortened(name, room)
    place = f"rotate(-90 {x:.1f} {y:.1f})"
    return element("text", *title, shown, x=x, y=y, class_="name", transform=place)


def _shortened(name: str, room: float) -> tuple[list[Markup], str]:
    fits = max(4, int(room / _CHARACTER))
    return ([], name) if len(name) <= fits else ([element("title", name)], name[: fits - 1] + "…")


def _series(index: int) -> str:
    return f"series s{index % _COLOURS} d{index // _COLOURS % _DASHES}"


def _swatch(series: int) -> Markup:
    return element("i", class_=f"swatch s{series % _COLOURS}", aria_hidden="true")


def _places(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _band_at(line: Line, index: int) -> tuple[float | None, float | None]:
    if line.low is None or line.high is None:
        return None, None
    return _finite(line.low[index]), _finite(line.high[index])


def _interval_text(row: Interval) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" [{number(row.low)}, {number(row.high)}]"


def _line_in_words(line: Line) -> str:
    values = [(x, y) for x, y in zip(line.x, line.y, strict=True) if _finite(y) is not None]
    if not values:
        return f"{line.name}: no values."
    (x1, y1), (x2, y2) = values[0], values[-1]
    return f"{line.name}: {number(y1)} at {number(x1)}, {number(y2)} at {number(x2)}."


def _csv_value(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):
        return None
    return float(value) if isinstance(value, float) else value
