"""Charts as inline SVG, which follow the page's theme, with their data as CSV."""

from compare_gan.report.charts.chart import Chart
from compare_gan.report.charts.curves import Line, Points, histogram, lines, scatter
from compare_gan.report.charts.matrix import heatmap
from compare_gan.report.charts.rows import Interval, bars, forest

__all__ = [
    "Chart",
    "Interval",
    "Line",
    "Points",
    "bars",
    "forest",
    "heatmap",
    "histogram",
    "lines",
    "scatter",
]
