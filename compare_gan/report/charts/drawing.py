"""Pieces of drawings: axes, ticks, texts and marks in SVG."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.charts.scales import Scale, scale_of, tick_text
from compare_gan.report.markup import element

WIDTH = 360  # Of a chart, in CSS pixels on a phone; larger screens enlarge it a little.
CHARACTER = 6.3  # Mean width of a character of a label in a wide font.
MOST_ROOM = 240.0  # For a name: enough for a variant of three axes.
# Of the style sheet: further series repeat the colours with dashes.
COLOURS, _DASHES = 8, 4


@dataclasses.dataclass(frozen=True)
class Plot:
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
    ) -> "Plot":
        bottom = cls.height - (38.0 if xlabel else 22.0)
        y = scale_of(ys, bottom, 22.0 if ylabel else 8.0, log_y)
        if margin == 0 and y.low < 0:  # Bars stand on 0.
            y = dataclasses.replace(y, low=min([0.0, *(v for v in ys if v is not None)]))
        left = 10 + CHARACTER * max(len(tick_text(tick)) for tick in y.ticks(5))
        return cls(scale_of(xs, left, WIDTH - 12.0, log_x, min(margin, 0.02)), y, xlabel, ylabel)

    def svg(self, alt: str, *marks: Markup, reads_values: bool = False) -> Markup:
        grid = [*vertical_ticks(self.x, self.y.end, self.y.start, 5)]
        for tick in self.y.ticks(5):
            y = self.y(tick)
            grid.append(line(self.x.start, y, self.x.end, y, "grid"))
            grid.append(text_at(self.x.start - 5, y + 3.5, tick_text(tick), "tick", anchor="end"))
        middle = (self.x.start + self.x.end) / 2
        if self.xlabel:
            grid.append(text_at(middle, self.height - 6, self.xlabel, "label", anchor="middle"))
        if self.ylabel:
            grid.append(text_at(2, 11, self.ylabel, "label"))
        # The script finds the values under the pointer with these.
        axis = (self.x.low, self.x.high, self.x.start, self.x.end, int(self.x.log))
        return svg(
            WIDTH, self.height, alt, *grid, *marks,
            data_axis=" ".join(f"{value:.10g}" for value in axis) if reads_values else None,
        )  # fmt: skip


def svg(width: float, height: float, alt: str, *content: Markup, **attributes: object) -> Markup:
    # A matrix that is wider than a phone scrolls in its own box.
    wide = f"min-width:{width:.0f}px" if width > WIDTH else None
    return element(
        "svg", *content, viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=alt,
        style=wide, **attributes,
    )  # fmt: skip


def vertical_ticks(x: Scale, top: float, bottom: float, count: int) -> list[Markup]:
    drawn = []
    for tick in x.ticks(count):
        drawn.append(line(x(tick), top, x(tick), bottom, "grid"))
        drawn.append(text_at(x(tick), bottom + 14, tick_text(tick), "tick", anchor="middle"))
    return drawn


def dot(x: float, y: float, tip: str, hollow: bool = False) -> Markup:
    title = [element("title", tip)] if tip else []
    return element("circle", *title, cx=x, cy=y, r=3.2, class_="hollow" if hollow else None)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def text_at(x: float, y: float, text: str, kind: str, anchor: str | None = None) -> Markup:
    return element("text", text, x=x, y=y, class_=kind, text_anchor=anchor) if text else Markup("")


def row_name(x: float, y: float, name: str, room: float) -> Markup:
    """The name of a row, before its place, shortened to the room."""
    title, shown = _shortened(name, room - 10)
    return element("text", *title, shown, x=x - 7, y=y, class_="name", text_anchor="end")


def column_name(x: float, y: float, name: str, room: float) -> Markup:
    title, shown = _shortened(name, room)
    place = f"rotate(-90 {x:.1f} {y:.1f})"
    return element("text", *title, shown, x=x, y=y, class_="name", transform=place)


def _shortened(name: str, room: float) -> tuple[list[Markup], str]:
    """The name, cut in the middle if it is too long: variants often differ only at their ends."""
    fits = max(4, int(room / CHARACTER))
    if len(name) <= fits:
        return [], name
    end = (fits - 1) // 2
    return [element("title", name)], f"{name[: fits - 1 - end]}…{name[-end:]}"


def colour_class(index: int) -> str:
    return f"s{index % COLOURS} d{index // COLOURS % _DASHES}"


def places(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
