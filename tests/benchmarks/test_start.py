"""The benchmark of the start: a training is started and ended, and its stages are measured."""

import importlib.util
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("start", _ROOT / "benchmarks" / "start.py")
start = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(start)


@pytest.mark.slow
def test_a_start_has_the_processor_time_of_each_stage(tmp_path):
    bindings = (
        "options.architecture = 'dummy_arch'",
        "options.batch_size = 2",
        "options.gan_class = @ModularGAN",
        "options.z_dim = 2",
        "dataset.name = 'synthetic'",
        "dataset.image_size = 8",
        "synthetic.num_examples = 4",
    )
    arguments = [each for binding in bindings for each in ("--gin_bindings", binding)]
    seconds = start.measure(_ROOT, tmp_path / "run", *arguments)
    stages = ["import", "checks", "data", "build", "restore", "labels", "trace", "compile"]
    assert list(seconds) == stages
    # The import of TensorFlow takes longer than anything that a tiny network does.
    assert seconds["import"] == max(seconds.values()) > 0.5
    assert (tmp_path / "run" / "checkpoints" / "step-1").exists()


def test_the_library_is_that_of_the_checkout(tmp_path):
    (tmp_path / "compare_gan").mkdir()
    (tmp_path / "compare_gan" / "__init__.py").write_text("raise ValueError('another library')")
    with pytest.raises(RuntimeError, match="another library"):
        start.measure(tmp_path, tmp_path / "run")


def test_the_table_has_medians_and_ranges_of_stages_and_totals():
    runs = [{"import": 1.0, "build": 2.0}, {"import": 3.0, "build": 1.0}, {"import": 1.5}]
    assert start.table({"before": runs, "after": runs[:1]}).splitlines() == [
        "| stage | before | after |",
        "|---|---|---|",
        "| import | 1.50 (1.00–3.00) | 1.00 (1.00–1.00) |",
        "| build | 1.00 (0.00–2.00) | 2.00 (2.00–2.00) |",
        "| total | 3.00 (1.50–4.00) | 3.00 (3.00–3.00) |",
    ]
