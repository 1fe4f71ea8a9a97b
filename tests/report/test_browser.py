"""The page in Chromium, one browser for all tests."""

import shutil

import pytest

from compare_gan.report import page as pages

_CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not _CHROMIUM, reason="there is no `chromium` (Debian's package)")


@pytest.fixture(name="browser", scope="module")
def _browser():
    with playwright.sync_playwright() as running:
        # Containers have no user namespaces for the sandbox; the page is our own.
        browser = running.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="path", scope="module")
def _path(everything, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    pages.write(everything, str(path))
    return path


@pytest.fixture(name="open_page")
def _open_page(browser, path):
    """`open_page(width=1280, path=path, **options)`: a page in a window of its own.

    The console must remain empty, and nothing may be requested but the page.
    """
    complaints, contexts = [], []

    def open_page(width=1280, path=path, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: note_foreign(request.url, path))
        page.goto(path.as_uri())
        return page

    def note_foreign(url, path):
        if not url.startswith("data:") and url != path.as_uri():
            complaints.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _column(page, number):
    return page.locator(f"table tbody tr > :nth-child({number})").all_inner_texts()


def _background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_tables_sort_by_clicks_and_keys(open_page, hostile):
    page = open_page()
    runs = page.get_by_role("button", name="runs", exact=True)
    runs.click()
    assert _column(page, 2) == ["1", "2", "3", "10"]
    runs.click()
    assert _column(page, 2) == ["10", "3", "2", "1"]
    fid = page.get_by_role("button", name="fid", exact=True)
    fid.focus()
    page.keyboard.press("Enter")
    assert _column(page, 3) == ["9.250", "12.5 [11, 14]", "101.000", "–"]
    page.keyboard.press("Space")
    assert _column(page, 3) == ["101.000", "12.5 [11, 14]", "9.250", "–"]  # No value comes last.
    states = page.locator("thead th").evaluate_all("heads => heads.map(h => h.ariaSort)")
    assert states == ["none", "none", "descending", "none"]
    page.get_by_role("button", name="variant", exact=True).click()
    assert _column(page, 1)[1:] == ["hinge", "none", "wasserstein"]


def test_slider_and_animation(open_page):
    page = open_page()
    slider = page.get_by_role("slider")
    place = "document.querySelector('.frame img').getBoundingClientRect().left"
    last = page.evaluate(place)
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("output").inner_text() == slider.get_attribute("aria-valuetext") == "a"
    first = page.evaluate(place)
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "b"
    # 5 frames stand in 3 columns: the last in the second, the first in the first.
    width = page.evaluate("document.querySelector('.frame').getBoundingClientRect().width")
    assert first - last == pytest.approx(width, abs=0.5)
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1000)
    assert page.locator("output").inner_text() == "c"
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(2000)
    assert page.locator("output").inner_text() == "c"


def test_nothing_moves_for_readers_who_want_that(open_page):
    page = open_page(reduced_motion="reduce")
    assert not page.get_by_role("button", name="Play").is_visible()
    assert page.get_by_role("slider").is_visible()


def test_dark_and_light(open_page):
    dark = open_page(color_scheme="dark")
    assert _background(dark) == "rgb(21, 23, 26)"
    dark.get_by_role("button", name="Light", exact=True).click()
    assert _background(dark) == "rgb(253, 252, 250)"
    dark.reload()
    assert _background(dark) == "rgb(253, 252, 250)"  # It is remembered.
    light = open_page(color_scheme="light")
    assert _background(light) == "rgb(253, 252, 250)"
    light.emulate_media(media="print", color_scheme="dark")
    assert _background(light) == "rgb(255, 255, 255)"
    assert not light.get_by_role("navigation").is_visible()


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_never_scrolls_sideways(open_page, width):
    page = open_page(width)
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator("main *").evaluate_all(
        "all => all.filter(e => !e.closest('.scroll, .plot, pre, .frame'))"
        ".map(e => [e.tagName, e.getBoundingClientRect().right])"
    )
    assert [box for box in boxes if box[1] > width] == []


def test_texts_of_charts_are_readable_on_a_phone(open_page):
    sizes = (
        open_page(360)
        .locator(".plot svg text")
        .evaluate_all(
            "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().d)"
        )
    )  # A turned text has no scale there.
    assert min(size for size in sizes if size > 0.1) >= 9


def test_curves_are_read_by_keys_and_pointer(open_page):
    page = open_page()
    plot = page.locator(".plot[tabindex]")
    plot.focus()
    page.keyboard.press("Home")
    readout = page.locator(".readout")
    assert readout.inner_text().startswith("0: hinge 200 · <script>alert(1)</script>")
    page.keyboard.press("ArrowRight")
    assert readout.inner_text().startswith("10: hinge 190 ·")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert readout.inner_text().startswith("100: hinge 100 ·")


def test_a_legend_hides_series(open_page):
    page = open_page()
    entry = page.locator(".legend").get_by_role("button", name="hinge")
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    assert not page.locator("[data-series='0']").first.is_visible()
    entry.click()
    assert page.locator("[data-series='0']").first.is_visible()


def test_data_is_saved_as_csv(open_page):
    page = open_page()
    with page.expect_download() as download:
        page.get_by_label("Data of “FID” as CSV").click()
    assert download.value.suggested_filename == "fid.csv"
    with open(download.value.path(), encoding="utf-8") as file:
        assert file.read().startswith("series,step,value,low,high\nhinge,0,200,,\n")


def test_a_study_of_60_runs_opens_at_once(open_page, study_html, tmp_path, slowness):
    path = tmp_path / "study.html"
    path.write_text(study_html, encoding="utf-8")
    page = open_page(360, path)
    times = "performance.getEntriesByType('navigation')[0]"
    assert page.evaluate(f"{times}.loadEventEnd") < 1000 * slowness()
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="mean").first.click()
    assert page.locator("table").first.locator("tbody th").first.inner_text() == "hinge"


def test_tables_fit_on_a_printed_page(open_page, study_html, tmp_path):
    path = tmp_path / "study.html"
    path.write_text(study_html, encoding="utf-8")
    width = 680  # A4 without its margins of 15 mm.
    page = open_page(width, path)
    assert _right_edge(page, "table") > width  # On a screen, it scrolls by itself.
    page.emulate_media(media="print")
    assert _right_edge(page, "table") <= width


def _right_edge(page, selector):
    return page.locator(selector).evaluate_all(
        "all => Math.max(...all.filter(e => e.checkVisibility())"
        ".map(e => e.getBoundingClientRect().right))"
    )
