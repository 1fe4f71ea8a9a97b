"""Numbers that would be silently wrong, and scores that would come late or get lost.

The docstring of a test is a row of the table in docs/faults.md.
"""

import dataclasses
import errno
import json
import os

import numpy as np
import pytest

from compare_gan import config, files
from compare_gan import main as command_line
from compare_gan.errors import UserError
from compare_gan.evaluation import Score, comparison, score_sets
from compare_gan.evaluation.results import ResultRow
from compare_gan.metrics.extractors import FashionCnn
from compare_gan.training import modes
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir


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
    User sees: the same scores, up to rounding, as with batches of any other size.
    Exit code: 0.
    Lost: nothing.
    """
    (x, _), extractor = images, FashionCnn()
    scores = [
        score_sets(x[:33], x[33:], ["prd", "fid"], extractor, batch_size=size).scores
        for size in (1, 16, 32, 66)  # In batches of 16 and 32 the last image is alone.
    ]
    for score in scores[1:]:
        prd = {name: value for name, value in scores[0].items() if name.startswith("prd")}
        assert len(prd) == 2 and prd == {name: score[name] for name in prd}
        # CPUs may sum batches of other sizes in another order.
        assert score == pytest.approx(scores[0], rel=1e-6)


def test_a_set_with_other_frequencies_of_classes_is_noted(images):
    """Fault: `sample` draws classes in turn, but the reference has more of some than of others.

    Command: compare_gan metrics --real images --fake run/samples
    User sees: a note with the score, also in the JSON: the class that differs most, that this
      biases scores, and how to draw classes with the reference's frequencies.
    Exit code: 0.
    Lost: nothing.
    """
    x = np.concatenate([images[0]] * 5)
    in_turn = np.arange(330, dtype=np.int32) % 3
    unequal = np.repeat(np.arange(3, dtype=np.int32), [220, 90, 20])

    def notes(real, fake):
        row = score_sets((x, real), (x, fake), ["memorization_pixels"])
        return json.loads(row.to_json())["notes"]

    [note] = notes(unequal, in_turn)
    assert "(class '0': 33.3% against 66.7%)" in note and "evaluation.labels" in note
    # The same frequencies, by chance somewhat others, or other classes.
    assert not notes(unequal, unequal[::-1]) and not notes(in_turn, in_turn)
    assert not notes(np.random.default_rng(0).permutation(unequal)[:330], unequal)
    by_chance = np.random.default_rng(0).choice(unequal, 330).astype(np.int32)
    assert np.abs(np.bincount(by_chance) - np.bincount(unequal)).sum() / 2 > 3.3
    assert not notes(unequal, by_chance)
    assert not notes(unequal, in_turn + 9)


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


def test_too_few_images_leave_a_note_with_the_score(images):
    """Fault: FID of 33 images in 96 features, which is strongly biased.

    Command: compare_gan metrics --metrics fid
    User sees: the score with a note, also in the JSON: how many images FID needs, or KID.
    Exit code: 0.
    Lost: nothing.
    """
    result = score_sets(images[0][:33], images[0][33:], ["fid"], FashionCnn())
    [note] = json.loads(result.to_json())["notes"]
    assert "FID from 33 images and 96 features is strongly biased" in note
    assert "at least 97 images, or KID" in note


def test_a_set_that_is_too_small_for_a_protocol_is_refused_with_a_way_out(images):
    """Fault: a protocol for more images than there are.

    Command: compare_gan metrics --protocol fid10k_test
    User sees: how many images there are and are needed, and how to define a protocol for fewer.
    Exit code: 2.
    Lost: nothing.
    """
    with pytest.raises(UserError, match=r"holds 33: .* define a protocol for fewer .*protocol\.md"):
        score_sets(images[0][33:], images[0][:33], protocol="fid10k_test")


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (["prd"], "PRD needs at least as many images as clusters"),
        (["intra_fid"], "Intra-FID needs at least 2 generated images of each class, received 1"),
        (["fid"], "FID needs at least 2 generated images"),
        (
            ["ms_ssim"],
            "None of the metrics .* can be applied .*ms_ssim: it needs images of at least",
        ),
    ],
)
def test_metrics_that_cannot_be_computed_are_found_before_the_training(
    metrics, sentence, tiny_run, tmp_path
):
    """Fault: a metric needs more images than `evaluation.num_fake`, in all or of a class.

    Command: compare_gan train
    User sees: what the metric needs and what there is, before the first step.
    Exit code: 2.
    Lost: nothing.

    Fault: no metric has a meaning for the generator.
    User sees: each metric with the reason.
    """
    number = {"prd": 9, "intra_fid": 4, "fid": 1, "ms_ssim": 30}[metrics[0]]
    config.parse(
        [],
        [
            *tiny_run,
            f"evaluation.metrics = {metrics}",
            f"evaluation.num_fake = {number}",
            "evaluation.extractor = 'fashion_cnn'",
        ],
    )
    run = RunDir(str(tmp_path / "run"))
    with pytest.raises(UserError, match=sentence):
        modes.run("eval_after_train", Experiment.from_gin(), run, modes.EvaluationPlan())
    assert not os.path.exists(run.checkpoints)


def test_an_output_that_cannot_be_written_is_found_first(tmp_path, capsys):
    """Fault: a folder in which nothing can be written.

    Command: compare_gan metrics --output /read-only/scores.json
    User sees: that it cannot be written, and why, before any image is read.
    Exit code: 2.
    Lost: nothing.
    """
    (tmp_path / "file").touch()  # Tests may run as root, who may write anywhere else.
    for output in (tmp_path / "file" / "scores.json", "/proc/scores.json"):
        with pytest.raises(SystemExit, match="2"):
            command_line.main(["metrics", "--fake", "nowhere.zip", "--output", str(output)])
        shown = capsys.readouterr()
        assert str(output) in shown.err and "nowhere.zip" not in shown.err and not shown.out


def test_scores_are_printed_if_the_output_cannot_be_written(images, tmp_path, monkeypatch, capsys):
    """Fault: the disk is full when the scores are written.

    Command: compare_gan metrics --output scores.json
    User sees: the scores on standard output, and that the file could not be written.
    Exit code: 1.
    Lost: nothing.
    """
    np.savez(tmp_path / "images.npz", images=images[0])

    def write_text(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(files, "write_text", write_text)
    path = str(tmp_path / "images.npz")
    with pytest.raises(SystemExit, match="1"):
        command_line.main(
            [
                "metrics",
                "--fake",
                path,
                "--real",
                path,
                "--metrics",
                "memorization_pixels",
                "--output",
                str(tmp_path / "scores.json"),
            ]
        )
    shown = capsys.readouterr()
    assert json.loads(shown.out)["scores"]["memorization_pixels"] == 1.0
    assert "No space left" in shown.err
