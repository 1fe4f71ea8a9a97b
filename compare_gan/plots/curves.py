"""Curves of values over training steps."""

import math
from collections.abc import Mapping, Sequence

from compare_gan import files

_COLUMNS = 3


def plot_curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float | None]]],
    path: str,
    *,
    xlabel: str = "generator step",
    ylabel: str = "",
) -> None:
    """Writes curves as PNG, each in a panel with a scale of its own; whole or not at all.

    In one panel, curves would hide each other, and a large one would flatten all others.

    Args:
      series: Steps and values by name; a value of None leaves a gap.
      path: Path of the PNG; its folder is created if it does not exist.
      xlabel: Label of the horizontal axis.
      ylabel: Label of the vertical axis.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.plots import plot_curves
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     series = {"generator": ([1, 2, 3], [0.7, None, 0.5])}
      ...     plot_curves(series, os.path.join(folder, "losses.png"), ylabel="loss")
      ...     print(os.listdir(folder))
      ['losses.png']
    """
    # Imported here, since a run draws at its end and imports this module at its start; not pyplot,
    # which has global state and may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(max(1, math.isqrt(len(series))), _COLUMNS)
    rows = max(1, -(-len(series) // columns))
    figure = Figure(figsize=(8, max(4.5, 1.5 * rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for i, (name, (steps, values)) in enumerate(series.items()):
        heights = [float("nan") if value is None else value for value in values]
        # A single value is a point, which a line would not show.
        marker = "." if len(heights) == 1 else None
        panels[i].plot(steps, heights, linewidth=1.2, color=f"C{i % 10}", marker=marker)
        panels[i].set_title(name, fontsize="small", loc="left")
        panels[i].grid(alpha=0.3)
        panels[i].spines[["top", "right"]].set_visible(False)
    for panel in panels[len(series) :] if series else ():
        panel.set_axis_off()
    figure.supxlabel(xlabel, fontsize="medium")
    figure.supylabel(ylabel, fontsize="medium")
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
