"""Numbers that would be wrong without a word, and scores that would come late or get lost.

The docstring of a test is a row of the table in docs/faults.md.
"""

import dataclasses

import numpy as np
import pytest

from compare_gan.evaluation import Score, comparison, score_sets
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.extractors import FashionCnn


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(name="images", scope="module")
def _images():
    """Random blobs with three classes, uint8 [66, 28, 28, 1]."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (66, 7, 7, 1), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2), np.arange(66, dtype=np.int32) % 3


def test_scores_do_not_depend_on_the_batch_size(images):
    """Fault: images are scored one by one.

    Command: compare_gan metrics --batch_size 1 --metrics prd,fid
    User sees: the same scores, to the last digit, as with batches of any other size.
    Exit code: 0.
    Lost: nothing.
    """
    (x, _), extractor = images, FashionCnn()
    scores = [
        score_sets(x[:33], x[33:], ["prd", "fid"], extractor, batch_size=size).scores
        for size in (1, 16, 32, 66)  # In batches of 16 and 32 the last image is alone.
    ]
    assert scores[0] == scores[1] == scores[2] == scores[3]


def test_whether_labels_help_can_be_compared(images):
    """Fault: a conditional GAN is compared with an unconditional one.

    Command: compare_gan compare runs/conditional runs/unconditional
    User sees: both scores, without a warning.
    Exit code: 0.
    Lost: nothing.
    """
    provenance = score_sets(images[0], images[0][:9], ["memorization_pixels"]).provenance
    rows = [
        ResultRow(1, {"fid": Score(1.0, 0.0)}, dataclasses.replace(provenance, labels=labels))
        for labels in ("in turn", "none")
    ]
    assert comparison.warning(rows, "ab") is None
