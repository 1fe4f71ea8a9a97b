"""Charts with two axes: curves, points, histograms."""

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.folders.arrangement import counted
from compare_gan.report.charts.chart import Chart
from compare_gan.report.charts.drawing import (
    COLOURS,
    Plot,
    colour_class,
    dot,
    places,
)
from compare_gan.report.markup import element, number


@dataclasses.dataclass(frozen=True)
class Line:
    """A series of a line chart.

    Attributes:
      name: Name in the legend.
      x: Values along the horizontal axis, rising.
      y: Values; None and NaN leave a gap.
      low: Lower ends of a band around the line.
      high: Upper ends of it.
      is_shown: Whether it is drawn at first; a click in the legend draws it otherwise.

    Example:
      >>> from compare_gan.report.charts import Line
      >>> line = Line("hinge", [0, 500, 1000], [90.0, None, 40.0])
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    is_shown: bool = True


def lines(
    title: str,
    series: Sequence[Line],
    *,
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
    shown: Sequence[float] = (),
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
      shown: Values that both axes reach, such as 0 and 1 of shares.
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
    xs = [*shown, *(x for each in series for x in each.x)]
    plot = Plot.of(xs, [*shown, *values], xlabel, ylabel, log_x, log_y)
    drawn = []
    for i, each in enumerate(series):
        marks = [_band(plot, each), *_polylines(plot, each)]
        kind = f"series {colour_class(i)}{'' if each.is_shown else ' off'}"
        drawn.append(element("g", *marks, class_=kind, data_series=str(i)))
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
        hidden=[i for i, each in enumerate(series) if not each.is_shown],
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

    Example:
      >>> from compare_gan.report.charts import Points
      >>> points = Points("hinge", [1.5, 1.6], [30.0, 28.0], ["seed 1", "seed 2"])
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
    """Points in a plane.

    Args:
      title: Caption.
      groups: The points.
      xlabel: Label of the horizontal axis.
      ylabel: Label of the vertical axis.
      log_x: Whether the horizontal axis is logarithmic; not if a value is 0 or less.
      log_y: As `log_x`, for the vertical axis.
      alt: Description; by default the number of points.
      note: A sentence below the chart.

    Example:
      >>> from compare_gan.report.charts import Points, scatter
      >>> chart = scatter("FID against time", [Points("hinge", [1.5], [30.0])], xlabel="hours")
      >>> chart.alt
      'FID against time: 1 point in 1 group.'
    """
    plot = Plot.of(
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
                dots.append(dot(plot.x(x), plot.y(y), shown, hollow=i >= COLOURS))
        drawn.append(element("g", *dots, class_=f"series {colour_class(i)}", data_series=str(i)))
    alt = alt or f"{title}: {counted(len(rows), 'point')} in {counted(len(groups), 'group')}."
    return Chart(
        title=title,
        alt=alt,
        svg=plot.svg(alt, *drawn),
        columns=("group", "name", xlabel or "x", ylabel or "y"),
        rows=rows,
        legend=[each.name for each in groups],
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

    Example:
      >>> from compare_gan.report.charts import histogram
      >>> print(histogram("Confidence", [0, 0.5, 1], [3, 9]).csv())
      series,from,to,count
      ,0,0.5,3
      ,0.5,1,9
      <BLANKLINE>

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
    plot = Plot.of(edges, [0.0, *values], xlabel, ylabel, margin=0.0)
    drawn = []
    for i, each in enumerate(series.values()):
        corners = [(plot.x(edges[0]), plot.y(0.0))]
        for j, value in enumerate(each):
            corners += [(plot.x(edge), plot.y(value)) for edge in (edges[j], edges[j + 1])]
        corners.append((plot.x(edges[-1]), plot.y(0.0)))
        shape = element("polygon", points=places(corners), class_="outline")
        drawn.append(element("g", shape, class_=f"series {colour_class(i)}", data_series=str(i)))
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


def _band(plot: Plot, line: Line) -> Markup:
    if line.low is None or line.high is None:
        return Markup("")
    ends = [
        (plot.x(x), plot.y(low), plot.y(high))
        for x, low, high in zip(line.x, line.low, line.high, strict=True)
        if low is not None and high is not None and math.isfinite(low + high)
    ]
    corners = [(x, low) for x, low, _ in ends] + [(x, high) for x, _, high in reversed(ends)]
    return element("polygon", points=places(corners), class_="band") if ends else Markup("")


def _polylines(plot: Plot, line: Line) -> list[Markup]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if (value := _finite(y)) is None:
            pieces.append([])
        else:
            pieces[-1].append((plot.x(x), plot.y(value)))
    drawn = []
    for piece in filter(None, pieces):
        if len(piece) == 1:  # A line of one point would not be seen.
            drawn.append(dot(*piece[0], ""))
        else:
            drawn.append(element("polyline", points=places(piece)))
    return drawn


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _band_at(line: Line, index: int) -> tuple[float | None, float | None]:
    if line.low is None or line.high is None:
        return None, None
    return _finite(line.low[index]), _finite(line.high[index])


def _line_in_words(line: Line) -> str:
    values = [(x, y) for x, y in zip(line.x, line.y, strict=True) if _finite(y) is not None]
    if not values:
        return f"{line.name}: no values."
    (x1, y1), (x2, y2) = values[0], values[-1]
    return f"{line.name}: {number(y1)} at {number(x1)}, {number(y2)} at {number(x2)}."
