"""A page with everything on it, names included that would break a page that trusts them."""

import numpy as np
import pytest
import synthetic_study

from compare_gan import registry
from compare_gan.report import images
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
from compare_gan.report.page import (
    Code,
    Details,
    Facts,
    Group,
    Note,
    Page,
    Section,
    Side,
    render,
)
from compare_gan.report.study_page import study_page
from compare_gan.report.tables import Cell, Table

HOSTILE = "<script>alert(1)</script> \"quoted\" & 'single', comma\nline"


@pytest.fixture(name="hostile", scope="session")
def _hostile():
    return HOSTILE


@pytest.fixture(name="everything", scope="session")
def _everything():
    noise = np.random.default_rng(0)
    pictures = noise.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    steps = list(range(0, 101, 10))
    curves = [
        Line("hinge", steps, [200 - step for step in steps]),
        Line(HOSTILE, steps, [150 - step for step in steps], [100.0] * 11, [160.0] * 11),
    ]
    names = [f"a variant with a rather long name {i}" for i in range(30)]
    frames = [images.lay_out(pictures[i : i + 4], 2) for i in range(5)]
    sections = [
        Section(
            "Scores",
            [
                Table(
                    title="Scores of all variants",
                    columns=["variant", "runs", "fid", HOSTILE],
                    rows=[
                        ["hinge", 3, Cell(12.5, "12.5 [11, 14]", strong=True), "a long text " * 9],
                        ["wasserstein", 10, 9.25, "b"],
                        ["none", 2, None, "c"],
                        [HOSTILE, 1, 101.0, HOSTILE],
                    ],
                    help={"fid": HOSTILE},
                    note=HOSTILE,
                ),
                Note(HOSTILE),
            ],
            intro=HOSTILE,
        ),
        Section(
            "Curves",
            [
                Side(
                    [
                        lines("FID", curves, xlabel="step", ylabel=HOSTILE, note=HOSTILE),
                        scatter(HOSTILE, [Points(HOSTILE, [1, 2], [3, 4], [HOSTILE, "b"])]),
                    ]
                ),
                forest("Variants", [Interval(HOSTILE, 2, 1, 3, [1, 3]), Interval("b", None)]),
                bars("Speed", ["a", HOSTILE], [3, 4], xlabel="images/s"),
                histogram("Confidence", [0, 0.5, 1], {"right": [1, 2], HOSTILE: [2, 0]}),
                heatmap("Pairs", noise.normal(size=(30, 30)).tolist(), names, names, centre=0.0),
            ],
        ),
        Section(
            HOSTILE,
            [
                images.grid(pictures, 4, HOSTILE, HOSTILE),
                images.rows([pictures[:5], pictures[5:]], ["T-shirt", HOSTILE], HOSTILE, HOSTILE),
                images.Evolution(frames, [*"abcd", HOSTILE], HOSTILE, HOSTILE, scale=4),
            ],
        ),
        Section(
            "Provenance",
            [
                Facts({"data set": "fashion_mnist", HOSTILE: "ab12" * 40}),
                Group(HOSTILE, ["A paragraph.", HOSTILE]),
                Details(HOSTILE, [Code(f"x = 1\n+y = 2\n-{HOSTILE} {'z' * 300}\n", diff=True)]),
            ],
        ),
        Section("Without content", []),
    ]
    return Page(
        f"Title {HOSTILE}", sections, kind=HOSTILE, lead=HOSTILE, facts={"runs": 36, "x": HOSTILE}
    )


@pytest.fixture(name="study_records", scope="session")
def _study_records(tmp_path_factory):
    """The records of 60 runs, with sample grids."""
    return synthetic_study.records(str(tmp_path_factory.mktemp("study")))


@pytest.fixture(name="study_html", scope="session")
def _study_html(study_records):
    """The page of those runs."""
    registry.load_all()  # Metrics know which scores are better.
    reasons = {"non_saturating-spectral_norm-seed2": "Error: The disk is full."}
    return render(study_page(study_records, synthetic_study.define_study(), reasons=reasons))
