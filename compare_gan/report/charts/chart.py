"""A chart: a drawing with its caption, legend, description and data."""

import dataclasses
from collections.abc import Collection, Sequence

from markupsafe import Markup

from compare_gan.report.charts.drawing import colour_class
from compare_gan.report.csv_data import csv_link, csv_text
from compare_gan.report.markup import element


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
      hidden: Numbers of the series that a click in the legend shows first.
      note: A sentence below the chart.

    Example:
      >>> from compare_gan.report.charts import bars
      >>> chart = bars("Speed", ["a"], [900])
      >>> chart.title, chart.rows
      ('Speed', [('a', 900)])
    """

    title: str
    alt: str
    svg: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    legend: Sequence[str] = ()
    hidden: Collection[int] = ()
    note: str = ""

    def csv(self) -> str:
        """The data as CSV (RFC 4180, but lines end in a line feed); a missing value is empty."""
        return csv_text(self.columns, self.rows)

    def __html__(self) -> str:
        legend = [
            element(
                "li",
                element(
                    "button", _swatch(i), name, type="button", data_for=str(i),
                    aria_pressed="false" if i in self.hidden else "true",
                ),
            )
            for i, name in enumerate(self.legend)
        ]  # fmt: skip
        note = [self.note, " "] if self.note else []
        return element(
            "figure",
            element("figcaption", self.title),
            element("div", self.svg, class_="plot"),
            element("ul", *legend, class_="legend") if len(legend) > 1 else "",
            element("p", *note, csv_link(self.title, self.csv()), class_="below"),
            class_="chart",
        )


def _swatch(series: int) -> Markup:
    return element("i", class_=f"swatch {colour_class(series)}", aria_hidden="true")
