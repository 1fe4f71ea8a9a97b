"""The page: valid HTML that needs nothing from elsewhere and trusts nothing."""

import base64
import hashlib
import re

import html5lib
import numpy as np
import pytest

from compare_gan.report import page as pages
from compare_gan.report.markup import number
from compare_gan.report.page import Code, Page, Section, render
from compare_gan.report.tables import Cell, Table

_SPACE = {"html": "http://www.w3.org/1999/xhtml"}


@pytest.fixture(name="text", scope="module")
def _text(everything):
    return render(everything)


@pytest.fixture(name="tree", scope="module")
def _tree(text):
    return html5lib.HTMLParser(strict=True).parse(text)


def _all(tree, name):
    return tree.findall(f".//html:{name}", _SPACE)


def test_the_page_is_valid(tree):  # Strict parsing raises an error otherwise.
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(set(ids)) == len(ids)
    for each in tree.iter():
        for reference in ("aria-labelledby", "aria-describedby", "for"):
            assert each.get(reference) is None or each.get(reference) in ids


def test_headings_and_landmarks(tree, hostile):
    [heading], [title] = _all(tree, "h1"), _all(tree, "title")
    assert heading.text == title.text == f"Title {hostile}"
    assert [each.text for each in _all(tree, "h2")] == ["Scores", "Curves", hostile, "Provenance"]
    for name in ("main", "nav", "header", "footer"):
        assert len(_all(tree, name)) == 1
    [contents] = _all(tree, "nav")
    links = {each.get("href")[1:]: each.text for each in _all(contents, "a")}
    assert links == {each.get("id"): each.text for each in _all(tree, "h2")}
    assert _all(tree, "html")[0:] == [] and tree.get("lang") == "en"


def test_nothing_comes_from_elsewhere(tree, text):
    for each in tree.iter():
        for name in ("src", "href", "srcset", "action", "poster"):
            value = each.get(name)
            assert value is None or value.startswith(("data:", "#"))
    assert "url(" not in text and "@import" not in text


def test_names_are_text_only(tree):
    [script] = _all(tree, "script")
    policy = next(each.get("content") for each in _all(tree, "meta") if each.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    handlers = [name for each in tree.iter() for name in each.attrib if name.startswith("on")]
    assert handlers == []


def test_every_picture_has_a_text(tree):
    for each in _all(tree, "img"):
        assert each.get("alt")
    drawings = tree.findall(".//{http://www.w3.org/2000/svg}svg")
    assert len(drawings) == 6
    for each in drawings:
        assert each.get("role") == "img" and each.get("aria-label")


def test_texts_become_paragraphs_and_sections_without_blocks_are_left_out():
    html = render(Page("A", [Section("B", ["1 < 2"]), Section("Without blocks", [])]))
    assert "<p>1 &lt; 2</p>" in html and "Without blocks" not in html


def test_sections_of_one_name_have_links_of_their_own():
    html = render(Page("A", [Section("Same", ["x"]), Section("Same", ["y"])]))
    assert re.findall(r'<h2 id="([^"]+)"', html) == ["same", "same-"]


def test_lines_of_a_diff_are_marked():
    assert Code("a\n+b\n-c", diff=True).__html__().count("<ins>+b\n</ins><del>-c</del>") == 1
    assert "<ins>" not in Code("+b").__html__()


def test_a_page_is_written_whole(tmp_path):
    pages.write(Page("A", [Section("B", ["é"])]), str(tmp_path / "new" / "page.html"))
    assert "é" in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")


def test_cells_of_tables():
    table = Table(
        title="T",
        columns=["name", "value"],
        rows=[["a", np.float64(1234.5)], ["b", None], ["c", Cell(2, "two", strong=True)]],
    )
    html = table.__html__()
    assert '<td class="number" data-key="1234.5">1,234</td>' in html  # Rounds half to even.
    assert '<td class="number" data-key="">–</td>' in html
    assert '<td class="number" data-key="2"><strong>two</strong></td>' in html
    assert '<th scope="row" data-key="a">a</th>' in html
    assert table.csv() == "name,value\na,1234.5\nb,\nc,2\n"
    assert Table(title="T", columns=["a"], rows=[], sortable=False).__html__().count("button") == 0


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"), (3, "3"), (-3.0, "−3"), (0.125, "0.1250"), (99999.5, "100,000"), (True, "1"),
        (0.99996, "1.000"), (1e-9, "1.000e−09"), (float("nan"), "–"), (float("-inf"), "−∞"),
        (1e300, "1.000e+300"),
    ],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrasts_meet_wcag_in_both_themes(text):
    """Level AA: 4.5 for text, 3 for the marks of charts."""
    colours = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", text))
    assert {"paper", "raised", "ink", "soft", "accent", "warm", "series-7"} <= colours.keys()
    for theme in (0, 1):
        shown = {name: _luminance(both.split(", ")[theme]) for name, both in colours.items()}
        for name, luminance in shown.items():
            if name in ("paper", "raised", "rule"):
                continue
            for ground in ("paper", "raised"):
                low, high = sorted((luminance, shown[ground]))
                least = 3 if name.startswith("series") else 4.5
                assert (high + 0.05) / (low + 0.05) >= least, (name, ground, theme)
