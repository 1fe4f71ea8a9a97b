"""Curves of values over training steps."""

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from compare_gan import files


def plot_curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float | None]]],
    path: str,
    *,
    xlabel: str = "generator step",
    ylabel: str = "",
) -> None:
    """Writes a line plot as PNG, whole or not at all.

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
    # Not pyplot, which has global state and may need a display.
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (name, (steps, values)) in enumerate(series.items()):
        heights = [float("nan") if value is None else value for value in values]
        linestyle = ("-", "--", ":")[i // 10 % 3]  # There are ten colours.
        axes.plot(steps, heights, label=name, linewidth=1.2, linestyle=linestyle)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
