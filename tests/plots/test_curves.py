import numpy as np
from PIL import Image

from compare_gan.plots import plot_curves


def _plot(tmp_path, name, series):
    path = tmp_path / "new" / name
    plot_curves(series, str(path), ylabel="loss")
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_each_curve_adds_its_colour(tmp_path):
    one = _plot(tmp_path, "1.png", {"a": ([0, 1, 2], [0.0, 2.0, 1.0])})
    two = _plot(tmp_path, "2.png", {"a": ([0, 1], [0.0, 2.0]), "b": ([0, 1], [2.0, 0.0])})
    assert one.shape == (540, 960, 3)

    def has(picture, colour):
        return (np.abs(picture - colour).sum(axis=-1) < 10).sum() > 20

    blue, orange = (31, 119, 180), (255, 127, 14)
    assert has(one, blue) and not has(one, orange)
    assert has(two, blue) and has(two, orange)


def test_missing_values_leave_a_gap_and_nothing_is_no_error(tmp_path):
    whole = _plot(tmp_path, "whole.png", {"a": ([0, 1, 2, 3], [1.0, 1.0, 1.0, 1.0])})
    gap = _plot(tmp_path, "gap.png", {"a": ([0, 1, 2, 3], [1.0, 1.0, None, 1.0])})

    def blue(picture):
        return (np.abs(picture - (31, 119, 180)).sum(axis=-1) < 60).sum()

    assert 0 < blue(gap) < 0.7 * blue(whole)
    _plot(tmp_path, "empty.png", {})
