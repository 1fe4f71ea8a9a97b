"""Image grids and curves, written as PNG; videos, written as GIF."""

from compare_gan.plots.curves import plot_curves
from compare_gan.plots.grids import (
    class_grid,
    cut_grid,
    encode_png,
    image_grid,
    save_gif,
    save_png,
    write_png,
)

__all__ = [
    "class_grid",
    "cut_grid",
    "encode_png",
    "image_grid",
    "plot_curves",
    "save_gif",
    "save_png",
    "write_png",
]
