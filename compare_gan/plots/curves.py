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
      series: By name, steps and values; a value of None leaves a gap.
      path: The PNG to write; its folder is made if need be.
      xlabel: Below the horizontal axis.
      ylabel: Beside the vertical axis.
    """
    # Not pyplot: it would keep global state and might want a display.
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (name, (steps, values)) in enumerate(series.items()):
        values = [float("nan") if value is None else value for value in values]
        # The ten colours come again with another dash.
        axes.plot(steps, values, label=name, linewidth=1.2, linestyle=("-", "--", ":")[i // 10 % 3])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
