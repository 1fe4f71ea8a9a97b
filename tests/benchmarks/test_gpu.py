"""The GPU benchmark on a CPU: its command with tiny networks, its counts, tables and plans."""

import gzip
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys
import types

import pytest

pytest.importorskip("jax", reason="JAX is in the extra `test-backends`")
if importlib.util.find_spec("torch") is None:  # Its import takes seconds, in every process.
    pytest.skip("PyTorch is in the extra `test-backends`", allow_module_level=True)
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp

from benchmarks.gpu import profiling, report, results
from benchmarks.gpu.cases import all_cases, quick_cases
from benchmarks.gpu.counting import count_operations

_ROOT = pathlib.Path(__file__).parents[2]


def _command(*arguments):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        # Makes every import of TensorFlow fail.
        "PYTHONPATH": str(_ROOT / "tests" / "backends" / "without_tensorflow"),
    }
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(name="quick", scope="module")
def _quick(tmp_path_factory):
    """The folder of results of `--quick`."""
    folder = tmp_path_factory.mktemp("quick")
    done = _command("--quick", "--minutes", "1000", "--output", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_quick_measures_every_network(quick):
    data = json.loads((quick / "results.json").read_text())
    assert data["environment"]["tensorflow"] is False
    assert list(data["cases"]) == [case.name for case in quick_cases()]
    for name, record in data["cases"].items():
        assert record["status"] == results.MEASURED and "errors" not in record, record
        assert record["operations"] > 1e7 and record["sides"]["folded"]["memory"] > 1e5
        assert min(each[side] for each in record["rounds"]["peer"] for side in each) > 0
        # Our three steps and PyTorch's, from equal weights, on one batch. Adam's first steps are
        # nearly signs of gradients, which amplifies rounding errors. bfloat16 has 8 bits.
        tolerance = 1e-4 if name.endswith("float32") else 2e-3
        ours, theirs = record["losses"]["folded"], record["losses"]["PyTorch"]
        for network in ("discriminator", "generator"):
            assert len(ours[network]) == 3
            assert ours[network] == pytest.approx(theirs[network], rel=1e-3, abs=tolerance), name
    biggan, resnet, _, r3gan = data["cases"].values()
    folded, plain = (resnet["losses"][side]["generator"] for side in ("folded", "plain"))
    assert plain == pytest.approx(folded, abs=1e-3)
    assert len(resnet["rounds"]["plain"]) == 2
    # Each form of the grouped convolutions is timed at each size, and computes the same.
    assert list(r3gan["forms"]) == ["4×8×8×32", "4×4×4×32"]
    for by_form in r3gan["forms"].values():
        assert len(by_form) == 5
        for found in by_form.values():
            assert min(found["forward"], found["gradients"]) > 0 and found["difference"] < 1e-5
    assert 0 < biggan["profile"]["inside"] <= biggan["profile"]["span"]
    assert len(biggan["profile"]["kernels"]) >= 10
    text = gzip.decompress((quick / f"{next(iter(data['cases']))}.hlo.txt.gz").read_bytes())
    assert b"convolution" in text


@pytest.mark.slow
def test_quick_prints_a_row_for_every_network(quick):
    text = (quick / "results.md").read_text()
    for case in quick_cases():
        [row] = [row for row in text.splitlines() if row.startswith(f"| {case.name} |")]
        header = 11
        assert row.count("|") == header + 1
    assert "| 4×8×8×32 | four groups in one | " in text


@pytest.mark.slow
def test_a_second_run_repeats_nothing(quick):
    before = (quick / "results.json").read_text()
    done = _command("--quick", "--output", str(quick))
    assert done.returncode == 0
    assert (quick / "results.json").read_text() == before


def test_without_time_every_case_is_dropped(tmp_path):
    done = _command("--quick", "--minutes", "0.01", "--output", str(tmp_path))
    assert done.returncode == 1
    cases = json.loads((tmp_path / "results.json").read_text())["cases"]
    assert {record["status"] for record in cases.values()} == {results.NO_TIME}
    assert done.stdout.count(results.NO_TIME) == len(cases)


def test_without_a_gpu_large_cases_are_refused(tmp_path):
    done = _command("--output", str(tmp_path))
    assert done.returncode == 1
    assert "JAX sees no GPU" in done.stderr


def test_the_most_important_case_is_the_first():
    names = [case.name for case in all_cases()]
    assert names[0] == "resnet_biggan-128-256-bfloat16" and len(set(names)) == len(names)
    for network, sizes in (
        ("resnet_biggan-128", (64, 128, 256)),
        ("resnet_cifar-32", (64, 256)),
        ("sndcgan-32", (64, 256)),
    ):
        for size in sizes:
            for precision in ("bfloat16", "float32"):
                assert f"{network}-{size}-{precision}" in names


def test_a_plan_keeps_measured_cases_and_resets_others(tmp_path):
    first = results.Results(str(tmp_path))
    first.plan(["a", "b", "c"])
    first.data["cases"]["a"] = {"status": results.MEASURED, "seconds": 1.0}
    first.start("b")
    second = results.Results(str(tmp_path))
    assert second.with_status(results.RUNNING) == ["b"]
    second.end("stopped after 9 s")
    assert second.data["cases"]["b"]["status"] == "stopped after 9 s"
    second.plan(["b", "a"])
    statuses = {name: r["status"] for name, r in second.data["cases"].items()}
    assert statuses == {"b": "waiting", "a": "measured", "c": "waiting"}


def test_a_run_that_was_cut_off_leaves_its_numbers_until_there_are_new_ones(tmp_path):
    folder = results.Results(str(tmp_path))
    folder.plan(["x-32-256-bfloat16"])
    folder.data["cases"]["x-32-256-bfloat16"] = _record(status="stopped after 9 s")
    folder.plan(["x-32-256-bfloat16"])
    record = folder.start("x-32-256-bfloat16")
    assert _row(record, name="x-32-256-bfloat16")[1].startswith("512 (")
    record["rounds"] = {"alone": [{"folded": 1.0, "product_tflops": 800.0}]}
    record |= {"sides": {}, "operations": 2e14}
    assert _row(record, name="x-32-256-bfloat16")[1] == "256"


# Counts.


def _convolution(x, kernel, **options):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, dimension_numbers=numbers, **options)


def test_counts_of_a_convolution_and_its_gradients():
    x, kernel = jnp.ones((4, 16, 16, 5)), jnp.ones((3, 3, 5, 6))
    once = 2 * (4 * 8 * 8) * (3 * 3 * 5) * 6

    def forward(x, kernel):
        return _convolution(x, kernel, window_strides=(2, 2), padding="SAME")

    def loss(x, kernel):
        return jnp.sum(jnp.square(forward(x, kernel)))

    assert count_operations(forward, x, kernel) == once
    # The gradient for the input inserts zeros, which do not count.
    assert count_operations(jax.grad(loss, argnums=(0, 1)), x, kernel) == 3 * once
    assert count_operations(jax.grad(loss, argnums=1), x, kernel) == 2 * once


def test_the_count_is_that_of_loops_over_every_product():
    """A transposed convolution: the input's pixels times the taps, without inserted zeros."""
    pixels, taps, channels, filters = 2 * 4 * 4, 4 * 4, 3, 5
    brute = 0
    for _ in range(pixels):
        for _ in range(taps):
            brute += 2 * channels * filters

    def transposed(x, kernel):
        options = dict(window_strides=(1, 1), padding=((2, 2), (2, 2)), lhs_dilation=(2, 2))
        return _convolution(x, kernel, **options)

    x, kernel = jnp.ones((2, 4, 4, channels)), jnp.ones((4, 4, channels, filters))
    assert transposed(x, kernel).shape == (2, 8, 8, filters)
    assert count_operations(transposed, x, kernel) == brute


def test_counts_inside_of_other_functions():
    a = jnp.ones((7, 2, 3))
    product = 7 * 2 * 2 * 3 * 2

    def batched(a):
        return a @ jnp.swapaxes(a, 1, 2)

    def branches(a):
        return jax.lax.cond(a[0, 0, 0] > 0, batched, lambda a: jnp.zeros((7, 2, 2)), a)

    def repeated(a):
        return jax.lax.scan(lambda c, _: (c + batched(a).sum(), None), 0.0, None, length=5)[0]

    assert count_operations(batched, a) == product
    assert count_operations(jax.jit(batched), a) == product
    assert count_operations(branches, a) == product
    assert count_operations(repeated, a) == 5 * product
    assert count_operations(lambda a: (batched(a), a)[1], a) == 0  # The result is not used.


def test_the_count_of_a_network_is_that_of_xla():
    """A small discriminator, with strided and unstrided convolutions and a dense layer."""
    x = jnp.ones((4, 16, 16, 3))
    weights = [jnp.ones((3, 3, 3, 8)), jnp.ones((4, 4, 8, 16)), jnp.ones((8 * 8 * 16, 1))]

    def network(x, weights):
        h = jax.nn.relu(_convolution(x, weights[0], window_strides=(1, 1), padding="VALID"))
        h = jax.nn.relu(_convolution(h, weights[1], window_strides=(2, 2), padding="VALID"))
        return h.reshape(4, -1) @ weights[2][: 6 * 6 * 16]

    counted = count_operations(network, x, weights)
    analyzed = jax.jit(network).lower(x, weights).cost_analysis()["flops"]
    # XLA also counts the additions and maxima of each element.
    assert counted < analyzed < 1.05 * counted


# Tables and profiles.


def _record(**changes):
    rounds = [
        {"folded": 0.5, "PyTorch, default": 1.0, "product_tflops": 800.0},
        {"folded": 0.4, "PyTorch, default": 1.0, "product_tflops": 800.0},
        {"folded": 0.5, "PyTorch, default": 0.9, "product_tflops": 800.0},
    ]
    sides = {
        "folded": {"trace": 5.0, "compile": 55.0, "memory": 4.2e10},
        "PyTorch, default": {"compile": 90.0, "memory": 5e10},
    }
    return {
        "status": "measured",
        "operations": 2e14,
        "sides": sides,
        "peer": "PyTorch, default",
        "rounds": {"peer": rounds, "plain": [{"folded": 0.5, "plain": 0.6}]},
    } | changes


def _row(record, device="NVIDIA H200", name="resnet_biggan-128-256-bfloat16"):
    data = {"environment": {"device": device}, "cases": {name: record}}
    [row] = [line for line in report.report(data).splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_row_of_the_table():
    row = _row(_record())
    assert row[1].startswith("512 (512–576)")  # 256 images in the median time of 0.5 s.
    assert row[2] == "256 (256–270) (default)"
    assert row[3].startswith("2 (1.9–2.25)")
    assert row[4] == "200" and row[5].startswith("400 (")
    assert row[6].startswith(f"{100 * 400 / 989:.3g} (") and row[7].startswith("50 (50–56.2)")
    assert row[8] == "42, 50" and row[9] == "60, 90" and row[10] == "1.2"


def test_rows_of_cases_that_were_not_measured():
    assert _row({"status": "out of memory"})[1] == "out of memory"
    alone = _record(peer="", rounds={"alone": _record()["rounds"]["peer"]})
    assert _row(alone)[2] == "–" and _row(alone)[1].startswith("512")
    unknown = _row(_record(), device="another card")
    assert unknown[6] == "–" and unknown[7].startswith("50 (")


@pytest.mark.parametrize(
    "device, precision, expected",
    [
        ("NVIDIA H200", "bfloat16", 989.0),
        ("NVIDIA H100 PCIe", "float32", 378.0),
        ("NVIDIA L40S", "bfloat16", 362.0),
        ("NVIDIA L4", "bfloat16", 121.0),
        ("cpu", "bfloat16", None),
    ],
)
def test_peaks(device, precision, expected):
    assert report.peak(device, precision) == expected


def _plane(name, **lines):
    def event(name, start, duration, **stats):
        return types.SimpleNamespace(
            name=name, start_ns=start, duration_ns=duration, stats=list(stats.items())
        )

    lines = [
        types.SimpleNamespace(name=line, events=[event(*e[:3], **e[3]) for e in events])
        for line, events in lines.items()
    ]
    return types.SimpleNamespace(name=name, lines=lines)


def test_a_profile_of_two_streams():
    streams = {
        "Stream #1(Compute)": [
            ("conv", 1000, 4000, {"tf_op": "jit(loop)/conv"}),
            ("norm", 6000, 1000, {}),
            ("conv", 9000, 1000, {"tf_op": "jit(loop)/conv"}),
        ],
        "Stream #2(MemcpyH2D)": [("copy", 4000, 1500, {})],
        "XLA Ops": [("conv.1", 0, 90000, {})],  # Derived from the kernels.
    }
    data = types.SimpleNamespace(
        planes=[
            _plane("/device:GPU:0", **streams),
            _plane("/host:CPU", **{"python": [("run", 0, 99999, {})]}),
        ]
    )
    result = profiling.summary(profiling.kernels(data), steps=2, most=2)
    assert math.isclose(result["span"], 9000e-9 / 2)
    assert math.isclose(result["inside"], (4500 + 1000 + 1000) * 1e-9 / 2)
    assert math.isclose(result["outside"], 2500e-9 / 2)
    assert [each["name"] for each in result["kernels"]] == ["conv", "copy"]
    assert result["kernels"][0] == {
        "name": "conv", "seconds": pytest.approx(2.5e-6), "runs": 1.0,
        "operation": "jit(loop)/conv",
    }  # fmt: skip
    with pytest.raises(ValueError, match="no kernels"):
        profiling.summary([], 1)
