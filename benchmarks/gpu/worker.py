"""Measures the waiting cases of a run, one after the other. Runs in a process of its own."""

import contextlib
import gc
import gzip
import importlib.metadata
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax

from benchmarks.gpu import grouped, ours, profiling
from benchmarks.gpu.cases import PRECISIONS, Case
from benchmarks.gpu.report import write_report
from benchmarks.gpu.results import MEASURED, NO_TIME, WAITING, Results

# Seconds and steps of one round of one side, at least, and the number of rounds. A round ends with
# the wait for the device and with new values of our variables, as one call of the loop does.
_ROUND, _STEPS, _ROUNDS = 0.8, 4, 6


class Worker:
    """Measures cases until a deadline.

    Args:
      results: Results, to which the worker adds.
      deadline: Time (as of `time.time`) after which no stage begins.
      quick: Whether the cases are tiny: fewer rounds, small matrix products.
      peer: Whether PyTorch is measured too.
    """

    def __init__(self, results: Results, deadline: float, quick: bool, peer: bool):
        self._results, self._deadline, self._quick = results, deadline, quick
        self._peer: Any = None
        jax.devices()  # JAX reserves its device before PyTorch does.
        if peer:
            with self._attempt(self._results.data, "PyTorch"):
                from benchmarks.gpu import peer as torch_peer

                torch_peer.prepare()
                self._peer = torch_peer
        self._check_environment()
        size, products = (256, 2) if quick else (8192, 10)
        self._products = {p: MatrixProduct(p, size, products) for p in PRECISIONS}

    def run(self, cases: list[Case]) -> None:
        """Measures the cases that are waiting."""
        results = self._results
        results.data.setdefault("matrix_products", {p: [] for p in PRECISIONS})
        for precision, product in self._products.items():
            results.data["matrix_products"][precision] += [product.rate() for _ in range(5)]
        for case in cases:
            if case.name not in results.with_status(WAITING):
                continue
            # A case that cannot finish would be cut off; a smaller one later may fit.
            if self._remaining() < 0.6 * case.network.seconds:
                results.data["cases"][case.name]["status"] = NO_TIME
                results.save()
                continue
            record = results.start(case.name)
            with self._attempt(record, "case"):
                self._measure(case, record)
            failed = "case" in record.get("errors", {})
            record["status"] = record["errors"]["case"] if failed else MEASURED
            record["seconds"] = time.time() - record["started"]
            self._save()
            self._free()

    def _measure(self, case: Case, record: dict[str, Any]) -> None:
        batch, started = case.batch(), time.perf_counter()
        gan = ours.make_gan(case)
        record["build_s"] = time.perf_counter() - started
        theirs: Any = None
        if self._peer is not None:
            with self._attempt(record, "PyTorch"):  # It copies the weights from which ours starts.
                theirs = self._peer.Training(case, gan, batch)
        record["sides"], record["rounds"], record["losses"] = {}, {}, {}
        folded = self._start_ours(case, record, "folded", gan, batch)
        best = theirs and self._start_peer(case, record, theirs)
        if folded and best:
            self._alternate(record, "peer", {"folded": folded.run, best: theirs.run}, case)
        elif folded:
            self._alternate(record, "alone", {"folded": folded.run}, case)
        elif best:
            self._alternate(record, "alone", {best: theirs.run}, case)
        self._save()
        if folded and case.profile and self._has_time(record, "profile", 15):
            with self._attempt(record, "profile"):
                record["profile"] = profiling.profile(folded.run, 1 if self._quick else 3)
                path = self._results.folder / f"{case.name}.hlo.txt.gz"
                path.write_bytes(gzip.compress(folded.compiled_text().encode()))
            self._save()
        if case.forms and self._has_time(record, "forms", 45):
            self._compare_forms(case, record)
        compile_s = record["sides"].get("folded", {}).get("compile", 0.0)
        if folded and case.plain and self._has_time(record, "plain", 1.2 * compile_s + 10):
            if theirs:
                del theirs  # Its memory is of use to the others.
                self._free_peer()
            other = ours.make_gan(case, "plain")
            plain = self._start_ours(case, record, "plain", other, batch)
            if plain:
                sides = {"folded": folded.run, "plain": plain.run}
                self._alternate(record, "plain", sides, case)

    def _compare_forms(self, case: Case, record: dict[str, Any]) -> None:
        """Compares forms of the grouped convolutions at each size of the network, largest first."""
        channels, group_size = case.network.grouped
        record["forms"] = {}
        sizes = [4 * 2**i for i in range(case.network.image_size.bit_length() - 2)]
        for size in reversed(sizes):
            shape = (case.batch_size, size, size, channels)
            with self._attempt(record, f"forms at {size} x {size}"):
                record["forms"]["×".join(map(str, shape))] = grouped.measure(
                    shape, group_size, case.precision, 2 if self._quick else 5
                )
            self._save()

    def _start_ours(
        self, case: Case, record: dict[str, Any], side: str, gan: Any, batch: Any
    ) -> Any:
        """Our training after its first steps; None if that failed."""
        entry = record["sides"][side] = {}
        with self._attempt(record, side):
            training = ours.Training(gan, batch)
            if side == "folded":  # The fewest operations with which a step can be computed.
                record["operations"] = training.operations()
            started, record["losses"][side] = training.start()
            entry |= started
            seconds = entry["seconds_alone"] = self._seconds_per_step(training.run)
            if side == "folded":  # Should the process be stopped before there are more.
                product = self._products["bfloat16"].rate()
                record["rounds"]["alone"] = [{side: seconds, "product_tflops": product}]
            self._save()
            return training
        return None

    def _start_peer(self, case: Case, record: dict[str, Any], training: Any) -> str | None:
        """Tries PyTorch's variants and chooses the fastest; returns its name, None without any."""
        torch_peer, seconds = self._peer, {}
        modes = [torch_peer.EAGER]
        if training.device == "cuda":
            modes.append(torch_peer.COMPILED)
            # Launches dominate a step of small images: CUDA graphs may save them.
            modes += [torch_peer.GRAPHS] if case.network.image_size <= 32 else []
        for mode in modes:
            name = f"PyTorch, {mode}"
            with self._attempt(record, name):
                if mode == torch_peer.EAGER:
                    record["losses"]["PyTorch"] = training.run(3)
                elif not self._has_time(record, name, 20):
                    continue
                entry = record["sides"][name] = {"compile": training.compile(mode)}
                entry["seconds_alone"] = seconds[mode] = self._seconds_per_step(training.run)
                entry["memory"] = training.peak_memory()
                self._save()
        if not seconds:
            return None
        best = min(seconds, key=seconds.__getitem__)
        training.compile(best)
        record["peer"] = f"PyTorch, {best}"
        return record["peer"]

    def _alternate(
        self,
        record: dict[str, Any],
        comparison: str,
        runs: dict[str, Callable[[int], Any]],
        case: Case,
    ) -> None:
        """Times rounds of steps of all sides and a matrix product in turn."""
        rounds = record["rounds"][comparison] = []
        counts = {
            side: self._steps_per_round(record["sides"][side]["seconds_alone"]) for side in runs
        }
        with self._attempt(record, f"rounds of {comparison}"):
            for _ in range(2 if self._quick else _ROUNDS):
                times: dict[str, Any] = {}
                for side, run in runs.items():
                    started = time.perf_counter()
                    run(counts[side])
                    times[side] = (time.perf_counter() - started) / counts[side]
                times["product_tflops"] = self._products["bfloat16"].rate()
                rounds.append(times)
            for side, count in counts.items():
                record["sides"][side]["steps_per_round"] = count

    def _seconds_per_step(self, run: Callable[[int], Any]) -> float:
        """Seconds of one step, after a first one."""
        run(1)
        started = time.perf_counter()
        run(1)
        estimate = time.perf_counter() - started
        steps = self._steps_per_round(estimate)
        started = time.perf_counter()
        run(steps)
        return (time.perf_counter() - started) / steps

    def _steps_per_round(self, seconds: float) -> int:
        return 1 if self._quick else max(_STEPS, math.ceil(_ROUND / seconds))

    def _remaining(self) -> float:
        return self._deadline - time.time()

    def _has_time(self, record: dict[str, Any], stage: str, seconds: float) -> bool:
        if self._quick or self._remaining() >= seconds:
            return True
        record.setdefault("errors", {})[stage] = NO_TIME
        return False

    @contextlib.contextmanager
    def _attempt(self, record: dict[str, Any], stage: str) -> Iterator[None]:
        """Records an exception of a stage instead of raising it."""
        try:
            yield
        except Exception as error:
            memory = any(
                mark in f"{type(error).__name__} {error}"
                for mark in ("RESOURCE_EXHAUSTED", "OutOfMemory", "out of memory")
            )
            text = f"{type(error).__name__}: {error}"[:2000]
            record.setdefault("errors", {})[stage] = "out of memory" if memory else text
            print(f"{stage}: {text}", file=sys.stderr, flush=True)
            error.__traceback__ = None  # It would hold the arrays of the stage.
        if "errors" in record:
            self._results.save()

    def _save(self) -> None:
        self._results.save()
        write_report(self._results)

    def _free(self) -> None:
        """Releases everything that the last case has left on the device."""
        self._free_peer()
        jax.clear_caches()

    def _free_peer(self) -> None:
        gc.collect()
        if self._peer is not None:
            self._peer.free()

    def _check_environment(self) -> None:
        """Records versions and the card.

        Raises:
          SystemExit: The folder has results of another machine or of other versions.
        """
        now, before = environment(), self._results.data.get("environment", {})
        for key in ("device", "packages"):
            if before.get(key, now[key]) != now[key]:
                sys.exit(
                    f"The folder has results of {before[key]}, this is {now[key]}: choose another "
                    "folder."
                )
        self._results.data["environment"] = now
        self._results.save()


class MatrixProduct:
    """The rate of square matrix products of random numbers.

    Args:
      precision: `bfloat16`, or `float32`, which may be computed in TF32.
      size: Number of rows and columns.
      products: Number of products in one measurement.
    """

    def __init__(self, precision: str, size: int, products: int):
        self._size, self._count = size, products
        keys = jax.random.split(jax.random.key(0))
        self._factors = [jax.random.normal(key, (size, size), precision) for key in keys]
        self._multiply = jax.jit(lambda a, b: a @ b)
        self.rate()

    def rate(self) -> float:
        """TFLOP/s of a few products, one after the other."""
        self._multiply(*self._factors).block_until_ready()
        started = time.perf_counter()
        for _ in range(self._count):
            result = self._multiply(*self._factors)
        result.block_until_ready()
        return 2e-12 * self._count * self._size**3 / (time.perf_counter() - started)


def environment() -> dict[str, Any]:
    """The card and the versions of everything that may influence the speed."""
    device = jax.devices()[0]
    packages = {}
    for name in ("jax", "jaxlib", "keras", "numpy", "torch", "triton", "nvidia-cudnn-cu13"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    flags = {k: v for k, v in os.environ.items() if k.startswith(("XLA_", "JAX_", "TORCH"))}
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "packages": packages,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "environment": flags,
        "driver": _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "tensorflow": "tensorflow" in sys.modules,
    }


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
