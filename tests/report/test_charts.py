"""Charts: places of known values, data, escaping."""

import csv
import io
import math
import re
import urllib.parse
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from compare_gan.report.charts import (
    Interval,
    Line,
    Points,
    bars,
    forest,
    heatmap,
    histogram,
    lines,
    scatter,
)
from compare_gan.report.charts.scales import Scale, scale_of, tick_text


def _elements(chart, name, kind=None):
    """The elements of a drawing; it must be well-formed XML for that."""
    root = ET.fromstring(str(chart.svg))
    found = [each for each in root.iter() if each.tag == name]
    return [each for each in found if kind is None or kind in each.get("class", "").split()]


def _corners(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def _rows(chart):
    return list(csv.reader(io.StringIO(chart.csv())))


def _ticks(chart):
    """Places of the ticks' texts, by their text: horizontal axis and vertical axis."""
    texts = _elements(chart, "text", "tick")
    across = {e.text: float(e.get("x")) for e in texts if e.get("text-anchor") == "middle"}
    up = {e.text: float(e.get("y")) - 3.5 for e in texts if e.get("text-anchor") == "end"}
    return across, up


def test_a_curve_goes_through_the_ticks_of_its_values():
    chart = lines("Loss", [Line("G", [0, 50, 100], [20, 10, 40])])
    [curve] = _elements(chart, "polyline")
    across, up = _ticks(chart)
    for (x, y), across_text, up_text in zip(
        _corners(curve), ("0", "50", "100"), ("20", "10", "40"), strict=True
    ):
        if across_text in across:
            assert x == pytest.approx(across[across_text], abs=0.06)  # Rounded to 0.1.
        assert y == pytest.approx(up[up_text], abs=0.06)
    assert {"0", "100"} <= across.keys() and {"10", "40"} <= up.keys()


def test_a_logarithmic_axis_has_equal_factors_at_equal_distances():
    chart = lines("FID", [Line("a", [0, 1, 2], [1, 10, 100])], log_y=True)
    (_, y0), (_, y1), (_, y2) = _corners(_elements(chart, "polyline")[0])
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    linear = lines("FID", [Line("a", [0, 1, 2], [0, 10, 100])], log_y=True)
    (_, y0), (_, y1), (_, y2) = _corners(_elements(linear, "polyline")[0])
    assert (y0 - y2) / (y0 - y1) == pytest.approx(10, rel=0.01)


def test_gaps_end_a_curve_and_a_single_value_is_a_point():
    values = [1, None, 3, 4, math.nan, math.inf]
    chart = lines("Loss", [Line("G", list(range(6)), values)])
    assert len(_elements(chart, "polyline")) == 1
    assert len(_elements(chart, "circle")) == 1
    assert [row[2] for row in _rows(chart)[1:]] == ["1", "", "3", "4", "", ""]


def test_a_band_surrounds_its_curve():
    chart = lines("FID", [Line("a", [0, 1], [2, 2], [1, None], [3, 3])])
    [band] = _elements(chart, "polygon", "band")
    [curve] = _elements(chart, "polyline")
    (x, low), (_, high) = _corners(band)
    assert x == _corners(curve)[0][0]
    assert low > _corners(curve)[0][1] > high  # SVG counts downward.


def test_a_hidden_curve_is_one_click_away():
    chart = lines("FID", [Line("a", [0, 1], [1, 2]), Line("b", [0, 1], [3, 4], is_shown=False)])
    assert [each.get("class") for each in _elements(chart, "g")] == [
        "series s0 d0",
        "series s1 d0 off",
    ]
    assert re.findall(r'aria-pressed="(\w+)"', chart.__html__()) == ["true", "false"]
    assert {row[0] for row in _rows(chart)[1:]} == {"a", "b"}


def test_the_script_finds_values_by_the_axis():
    chart = lines("Loss", [Line("G", [10, 1000], [1, 2])], log_x=True)
    axis = re.search(r'data-axis="([^"]+)"', str(chart.svg))[1]
    low, high, start, end, is_log = map(float, axis.split())
    (x, _), _ = _corners(_elements(chart, "polyline")[0])
    assert is_log == 1
    place = start + math.log(10 / low) / math.log(high / low) * (end - start)
    assert x == pytest.approx(place, abs=0.06)


def test_points_and_their_names():
    chart = scatter("Cost", [Points("a", [1, 2], [3, math.nan], ["a1", "a2"])])
    [point] = _elements(chart, "circle")
    assert point.find("title").text == "a1: 1, 3"
    assert _rows(chart)[1:] == [["a", "a1", "1", "3"], ["a", "a2", "2", ""]]


def test_forest_plot():
    chart = forest(
        "FID",
        [Interval("a", 10.0, 5.0, 15.0, [5.0, 15.0]), Interval("b", None, note="3 diverged")],
        reference=0.0,
    )
    [interval] = _elements(chart, "line", "interval")
    *points, mark = _elements(chart, "circle")
    middle = (float(interval.get("x1")) + float(interval.get("x2"))) / 2
    assert float(mark.get("cx")) == pytest.approx(middle, abs=0.02)
    assert [p.get("cx") for p in points] == [interval.get("x1"), interval.get("x2")]
    assert _elements(chart, "text", "note")[0].text == "3 diverged"
    assert len(_elements(chart, "line", "reference")) == 1
    assert _rows(chart)[1:] == [
        ["a", "10.0", "5.0", "15.0", "5.0 15.0", ""],
        ["b", "", "", "", "", "3 diverged"],
    ]


def test_bars_have_lengths_in_proportion():
    chart = bars("Speed", ["a", "b"], [10, 40])
    short, long = (float(bar.get("width")) for bar in _elements(chart, "rect"))
    assert long == pytest.approx(4 * short, abs=0.1)


def test_histogram_stands_on_zero():
    chart = histogram("Confidence", [0, 1, 2], [3, 1])
    [shape] = _elements(chart, "polygon", "outline")
    _, up = _ticks(chart)
    corners = _corners(shape)
    assert corners[0][1] == corners[-1][1] == pytest.approx(up["0"], abs=0.06)
    assert corners[1][1] == pytest.approx(up["3"], abs=0.06)
    assert corners[3][1] == pytest.approx(up["1"], abs=0.06)


def test_heatmap_is_darkest_at_the_largest_value():
    chart = heatmap("Confusion", [[4, 0], [-2, None]], ["a", "b"], ["c", "d"], centre=0)
    cells = {each.find("title").text: each for each in _elements(chart, "rect")}
    assert cells.keys() == {"a, c: 4", "a, d: 0", "b, c: −2"}
    largest, middle = cells["a, c: 4"], cells["b, c: −2"]
    assert (largest.get("class"), middle.get("class")) == ("above", "below")
    assert float(largest.get("fill-opacity")) > float(middle.get("fill-opacity"))
    assert _rows(chart)[-1] == ["b", "d", ""]


def test_cells_of_a_small_matrix_are_as_wide_as_their_texts():
    texts = [["160.071", "160.289"]]
    chart = heatmap("FID", [[1, 2]], ["a"], ["b", "c"], texts=texts)
    assert [each.text for each in _elements(chart, "text", "value")] == texts[0]
    first, second = _elements(chart, "rect")
    assert float(first.get("width")) > float(first.get("height"))
    assert float(second.get("x")) >= float(first.get("x")) + float(first.get("width"))
    many = heatmap("FID", [[1] * 20], ["a"], ["b"] * 20, texts=[["160.071"] * 20])
    assert not _elements(many, "text", "value")


def test_names_of_variants_are_shown_in_full_and_longer_ones_keep_both_ends():
    name = "least_squares-DRAGAN-spectral_norm"
    charts = [
        heatmap("FID", [[1]], [name], [name]),
        forest("FID", [Interval(name, 1)]),
        bars("FID", [name], [1]),
    ]
    for chart in charts:
        assert name in {each.text for each in _elements(chart, "text", "name")}
    (cut,) = _elements(bars("FID", ["a" * 60 + "b"], [1]), "text", "name")
    assert re.fullmatch("a+…a+b", cut.find("title").tail)


def test_the_label_of_a_matrix_has_room_beside_the_names_of_its_columns():
    chart = heatmap("FID", [[1]], ["0"], ["all"], xlabel="labels", ylabel="rotation weight")
    label = next(e for e in _elements(chart, "text") if e.text == "rotation weight")
    column = next(e for e in _elements(chart, "text") if e.text == "all")
    assert float(column.get("x")) - float(label.get("x")) > 6 * len("rotation weight")


@pytest.mark.parametrize(
    "make",
    [
        lambda name: lines(name, [Line(name, [0, 1], [1, 2])], xlabel=name, ylabel=name),
        lambda name: scatter(name, [Points(name, [1], [2])], xlabel=name),
        lambda name: forest(name, [Interval(name, 1, note=name)], xlabel=name),
        lambda name: bars(name, [name], [1], xlabel=name),
        lambda name: histogram(name, [0, 1], {name: [1], "b": [2]}),
        lambda name: heatmap(name, [[1]], [name], [name], xlabel=name, ylabel=name),
    ],
)
def test_names_are_escaped_and_round_trip_through_csv(make, hostile):
    chart = make(hostile)
    html = chart.__html__()
    assert "<script" not in html and "alert(1)&lt;/script&gt; &#34;quoted&#34; &amp;" in html
    assert hostile in {cell for row in _rows(chart) for cell in row}
    link = ET.fromstring(re.search(r'<a class="csv".*?</a>', html, re.S)[0])
    head, _, data = link.get("href").partition(",")
    assert head == "data:text/csv;charset=utf-8"
    assert urllib.parse.unquote(data) == chart.csv()
    assert re.fullmatch(r"[a-z0-9-]+\.csv", link.get("download"))


def test_csv_has_all_digits():
    values = np.random.default_rng(0).normal(size=5)
    chart = lines("x", [Line("a", list(range(5)), values)])
    assert [float(row[2]) for row in _rows(chart)[1:]] == values.tolist()


@pytest.mark.parametrize("series", [[], [Line("a", [], [])], [Line("a", [1], [None])]])
def test_charts_without_values(series):
    assert _elements(lines("Empty", series), "polyline") == []


@pytest.mark.parametrize(
    "make", [lambda: forest("Empty", []), lambda: bars("Empty", [], []),
             lambda: heatmap("Empty", [], [], []), lambda: scatter("Empty", [])]
)  # fmt: skip
def test_other_charts_without_values(make):
    assert ET.fromstring(str(make().svg)).get("role") == "img"


@pytest.mark.parametrize(
    "low, high, log, expected",
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (-0.3, 0.31, False, [-0.25, 0, 0.25]),
        (1, 1000, True, [1, 10, 100, 1000]),
        (15, 300, True, [20, 50, 100, 200]),
        (21, 24, True, [21, 22, 23, 24]),
        (1e-12, 1e12, True, [1e-12, 1e-8, 1e-4, 1, 1e4, 1e8, 1e12]),
    ],
)
def test_ticks(low, high, log, expected):
    count = 4 if log else 5 if low == 0 else 3
    assert Scale(low, high, 0, 1, log).ticks(count) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [5, 5], [0], [math.nan, None], [1e-30], [1e300, -1e300]])
def test_scales_of_any_values(values):
    scale = scale_of(values, 0, 100)
    for value in values:
        if value is not None and math.isfinite(value):
            assert 0 <= scale(value) <= 100
    assert scale.ticks(5)


@pytest.mark.parametrize(
    "value, text", [(0, "0"), (-1500, "−1,500"), (1e-5, "1e−05"), (2.5e9, "2.5G"), (12000, "12k")]
)
def test_tick_texts(value, text):
    assert tick_text(value) == text
