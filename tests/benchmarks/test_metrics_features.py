"""The benchmark of metrics on features: times, memory, agreement of the values."""

import importlib.util
import pathlib

import pytest

_PATH = pathlib.Path(__file__).parents[2] / "benchmarks" / "metrics_features.py"
_SPEC = importlib.util.spec_from_file_location("metrics_features", _PATH)
metrics_features = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(metrics_features)


def test_both_ways_to_the_fid_agree_and_their_times_are_compared():
    measured = metrics_features.frechet(300, 16)
    assert measured["relative_difference"] < 1e-10
    for stage in ("", "_from_statistics"):
        expected = measured["sqrtm_seconds"] / measured[f"seconds{stage}"]
        assert measured[f"times_faster_than_sqrtm{stage}"] == pytest.approx(expected)
    expected = measured["times_faster_than_sqrtm"]
    assert measured["times_faster_than_np_cov_and_sqrtm"] > expected


def test_neighbours_are_timed_and_memory_is_that_of_the_process():
    measured = metrics_features._neighbours(50, 8)
    assert min(measured["precision_recall_seconds"], measured["density_coverage_seconds"]) > 0
    # The libraries alone take more than 50 MB.
    assert 0.05 < measured["peak_gb"] <= metrics_features._peak_kilobytes() / 2**20
