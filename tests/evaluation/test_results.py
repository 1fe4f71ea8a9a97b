"""Result rows: written, read back, compared."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.evaluation.comparison import read_rows
from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import (
    ResultRow,
    Score,
    format_scores,
    provenance_differences,
)
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.metrics import (
    ImageBatch,
    InceptionScore,
    KernelInceptionDistance,
    SlicedWasserstein,
)

_PROVENANCE = Provenance(
    dataset="fashion_mnist_10k",
    dataset_hash="ab",
    split="train",
    num_real=100,
    num_fake=50,
    resolution="32x32x1",
    background="white",
    resizer="crop",
    extractor="fashion_cnn",
    extractor_hash="cd",
    weights="ema",
    batch_norm="moving averages",
    labels="in turn",
    latents="uniform(minval=-1.0, maxval=1.0)",
    truncation=1.0,
    seeds=[0, 1, 2],
    metric_options={"is.splits": 1},
    code_version="4",
)


def _file(folder):
    return ResultsFile(str(folder / "results.jsonl"))


def _row(step=10, **scores):
    scores = scores or {"fid_fashion_cnn": 12.5}
    return ResultRow(step, {name: Score(v, 0.25) for name, v in scores.items()}, _PROVENANCE)


def test_rows_are_read_back_as_written(tmp_path):
    rows = [_row(10), _row(20, is_fashion_cnn=1 / 3)]
    _file(tmp_path).add(rows[:1])
    _file(tmp_path).add(rows[1:])
    assert _file(tmp_path).read() == rows
    assert sorted(os.listdir(tmp_path)) == [".results.lock", "results.jsonl", "scores.csv"]


def test_a_run_without_evaluations_has_no_rows(tmp_path):
    assert _file(tmp_path).read() == []


def test_the_table_has_a_line_per_row_and_gains_columns(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text('step,fid_score_mean,note\n5,80.5,"old, by hand"\n')
    _file(tmp_path).add([_row(10)])
    _file(tmp_path).add([_row(20, is_fashion_cnn=2.0)])
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == ["5", "10", "20"]
    assert lines[0]["fid_score_mean"] == "80.5" and lines[0]["note"] == "old, by hand"
    assert lines[0]["fid_fashion_cnn_mean"] == lines[1]["is_fashion_cnn_mean"] == ""
    assert float(lines[1]["fid_fashion_cnn_mean"]) == 12.5
    assert float(lines[2]["is_fashion_cnn_std"]) == 0.25
    assert lines[1]["seeds"] == "[0, 1, 2]" and lines[1]["extractor"] == "fashion_cnn"


def test_a_lost_table_is_rewritten(tmp_path):
    _file(tmp_path).add([_row(10), _row(20)])
    path = tmp_path / "scores.csv"
    whole = path.read_text()
    path.write_text(whole.splitlines()[0])  # As left by a kill before the second file is written.
    _file(tmp_path).add([])
    assert path.read_text() == whole


# In new processes: one that is forked while TensorFlow is working may crash.
_WRITE_MANY = """
import dataclasses, sys
from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.results_file import ResultsFile
row, folder, first = ResultRow.from_json(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for i in range(20):
    ResultsFile(folder + "/results.jsonl").add([dataclasses.replace(row, step=first + i)])
"""


def test_rows_of_two_processes_are_all_kept(tmp_path):
    command = [sys.executable, "-c", _WRITE_MANY, _row().to_json(), str(tmp_path)]
    processes = [subprocess.Popen([*command, first]) for first in ("0", "100")]
    assert [process.wait() for process in processes] == [0, 0]
    steps = {row.step for row in _file(tmp_path).read()}
    assert steps == {*range(20), *range(100, 120)}


def test_a_row_that_another_process_has_added_meanwhile_is_not_added_again(tmp_path, caplog):
    results = _file(tmp_path)
    results.add([_row(10)])
    known = results.read()  # At this point, two processes start measuring.
    results.add([_row(10, fid_fashion_cnn=12.0), _row(20)], known)
    assert [row.step for row in results.read()] == [10, 10, 20]  # Measured again on purpose.
    otherwise = dataclasses.replace(_PROVENANCE, num_fake=60)
    other = [_row(10, fid_fashion_cnn=12.5), dataclasses.replace(_row(20), provenance=otherwise)]
    with caplog.at_level("INFO", logger="compare_gan"):
        results.add(other, known)
    assert caplog.text.count("The scores of step 10 are not added to") == 1
    assert [(row.step, row.provenance.num_fake) for row in results.read()] == [
        (10, 50), (10, 50), (20, 50), (20, 60),
    ]  # fmt: skip
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 5


def test_lines_have_a_version_and_older_ones_are_read(tmp_path):
    results = _file(tmp_path)
    (tmp_path / "results.jsonl").write_text(_row(10).to_json() + "\n")
    results.add([_row(20)])
    assert results.read() == [_row(10), _row(20)]
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line).get("version") for line in lines] == [None, 1]


def test_rows_of_a_newer_version_are_refused(tmp_path):
    results = _file(tmp_path)
    for row, name in (
        ({"version": 2}, "Line 1 of .*results"),
        (
            {"version": 1, "training_labels": {"version": 3}},
            "training_labels in Line 1 of .*results",
        ),
    ):
        line = json.dumps(json.loads(_row(10).to_json()) | row)
        (tmp_path / "results.jsonl").write_text(line + "\n")
        with pytest.raises(UserError, match=rf"^{name}\.jsonl' has version [23], but this library"):
            results.read()
        with pytest.raises(UserError, match=r"results\.jsonl' has version [23], but this library"):
            read_rows(str(tmp_path / "results.jsonl"))


def test_a_broken_line_is_named_and_the_others_are_read(tmp_path, caplog):
    _file(tmp_path).add([_row()])
    with open(tmp_path / "results.jsonl", "a") as file:
        file.write('{"step": 3}\n')
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert _file(tmp_path).read() == [_row()]
    assert "results.jsonl' is damaged: line 2 cannot be read; the rest" in caplog.text


def test_rows_are_comparable_unless_their_provenance_differs(tmp_path):
    _file(tmp_path).add([_row(10)])
    (read,) = _file(tmp_path).read()
    assert not provenance_differences(read, _row(20, is_fashion_cnn=1.0))
    assert not provenance_differences(read, _with(seeds=(0, 1, 2)))
    other = _with(num_fake=5000, weights="raw")
    assert provenance_differences(read, other) == {
        "num_fake": (50, 5000),
        "weights": ("ema", "raw"),
    }


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Provenance)])
def test_every_field_of_the_provenance_matters(field):
    assert list(provenance_differences(_row(), _with(**{field: "other"}))) == [field]


def test_a_row_of_an_older_version_is_read_but_not_comparable(tmp_path):
    _file(tmp_path).add([_row()])
    path = tmp_path / "results.jsonl"
    row = json.loads(path.read_text())
    del row["protocol"]["latents"], row["metrics"]
    path.write_text(json.dumps(row) + "\n")
    (read,) = _file(tmp_path).read()
    assert read.scores == _row().scores and read.provenance.latents == "not recorded"
    assert list(provenance_differences(read, _row())) == ["latents"]


def test_the_name_of_the_protocol_is_written_but_makes_no_difference(tmp_path):
    named = dataclasses.replace(_row(), protocol_name="fid10k_test")
    _file(tmp_path).add([named, _row()])
    assert _file(tmp_path).read() == [named, _row()]
    with open(tmp_path / "scores.csv", newline="") as file:
        assert [line["protocol"] for line in csv.DictReader(file)] == ["fid10k_test", ""]
    assert not provenance_differences(named, _row())
    assert "(train), protocol fid10k_test\n" in format_scores([named])


def test_spreads_and_references_accompany_their_scores():
    row = _row(fid=9.0, kid=0.5, kid_standard_error=0.25, is_std_over_splits=0.125, kid_full=0.75)
    assert row.score_names == ["fid", "kid", "is_std_over_splits", "kid_full"]  # There is no `is`.
    assert row.accompanying("kid") == {"standard_error": 0.25} and not row.accompanying("kid_full")
    assert row.means == {"fid": 9.0, "kid": 0.5, "is_std_over_splits": 0.125, "kid_full": 0.75}
    assert format_scores([row]).splitlines()[1:3] == [
        "  fid                 9.0000 ± 0.2500",
        "  kid                 0.5000 ± 0.2500 (standard error 0.25)",
    ]
    assert "kid_standard_error" in ResultRow.from_json(row.to_json()).scores
    values = {"": 0.5, "16": 0.6, "real": 0.125}  # As `SlicedWasserstein.value` names them.
    row = _row(**SlicedWasserstein().named(types.SimpleNamespace(name="any"), values))
    assert row.score_names == ["sliced_wasserstein", "sliced_wasserstein_16"]
    assert row.accompanying_text("sliced_wasserstein") == "between real images 0.12"


def test_names_of_classes_accompany_nothing():
    names = ["fid", "fid_class_cat", "fid_class_cat_real", "fid_class_a_standard_error"]
    assert _row(**dict.fromkeys(names, 1.0)).score_names == names


@pytest.mark.parametrize(
    ("metric", "inputs"),
    (
        (KernelInceptionDistance(subset_size=4), ("real", "fake")),
        (InceptionScore(splits=2), ("fake",)),
    ),
)
def test_metrics_name_what_accompanies_them_so_that_it_is_found(metric, inputs):
    images = np.random.default_rng(0).normal(size=(8, 3))
    statistics = metric.statistics(8)
    statistics.update(ImageBatch(features=images, logits=images))
    extractor = types.SimpleNamespace(name="made", canonical=False)
    values = metric.named(extractor, metric.value(**dict.fromkeys(inputs, statistics.result())))
    assert len(values) == 2
    row = _row(**values)
    assert row.score_names == [metric.score_name(extractor)]


def _with(**changes):
    return dataclasses.replace(_row(), provenance=dataclasses.replace(_PROVENANCE, **changes))


def test_formatted_scores_say_how_they_were_measured():
    text = format_scores([_row(1500)])
    assert text.splitlines() == [
        "Step 1500: 3 x 50 samples (ema weights) against 100 images of fashion_mnist_10k (train)",
        "  fid_fashion_cnn  12.5000 ± 0.2500",
        "± is the standard deviation over 3 sets of samples of the same network; it says nothing "
        "about other trainings (seeds).",
    ]
    assert format_scores([_with(seeds=[0])]).splitlines()[1:] == ["  fid_fashion_cnn  12.5000"]
