"""The command line: plans the cases and supervises the process that measures them."""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time

from benchmarks.gpu.cases import all_cases, quick_cases
from benchmarks.gpu.report import report, write_report
from benchmarks.gpu.results import NO_TIME, RUNNING, WAITING, Results

_ROOT = pathlib.Path(__file__).parents[2]
# Below this, a new process would not measure anything.
_LEAST_SECONDS = 20


def main() -> int:
    """Runs the benchmark; returns the exit status, 0 if something was measured."""
    options = _parse(sys.argv[1:])
    cases = quick_cases() if options.quick else all_cases()
    names = [case.name for case in cases]
    chosen = [n for n in names if any(part in n for part in options.cases)] or names
    results = Results(options.output)
    if options.worker:
        return _work(options, results, cases)
    deadline = time.time() + 60 * options.minutes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that the worker ends too.
    results.plan(chosen)
    while results.with_status(WAITING) and deadline - time.time() > _LEAST_SECONDS:
        waiting = len(results.with_status(WAITING))
        reason = _supervise(results, deadline, cases, options.quick)
        results.load()
        results.end(reason)
        if len(results.with_status(WAITING)) == waiting:  # It has not even begun a case.
            results.end(reason, WAITING)
    results.end(NO_TIME, WAITING)
    write_report(results)
    print(report(results.data))
    return 0 if any(r.get("rounds") for r in results.data["cases"].values()) else 1


def _supervise(results: Results, deadline: float, cases: list, quick: bool) -> str:
    """Runs one worker to its end, or until it is out of time; returns why it ended."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
        # PyTorch needs the rest of the memory.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "benchmarks.gpu", "--worker", str(deadline), *sys.argv[1:]]
    limits = {case.name: 60 + 3 * case.network.seconds for case in cases}
    worker = subprocess.Popen(command, env=environment)
    try:
        while worker.poll() is None:
            time.sleep(0.5)
            if time.time() > deadline:
                return NO_TIME
            results.load()
            for name in results.with_status(RUNNING):
                started = results.data["cases"][name]["started"]
                if not quick and time.time() - started > limits[name]:
                    return f"stopped after {limits[name]:.0f} s"
    finally:
        worker.kill()
        worker.wait()
    return f"the process ended with status {worker.returncode}"


def _work(options: argparse.Namespace, results: Results, cases: list) -> int:
    # The scripts in this folder, and so the peers, import each other without a package.
    sys.path.insert(0, str(_ROOT / "benchmarks"))
    import jax

    if jax.default_backend() == "cpu" and not options.quick:
        sys.exit("JAX sees no GPU; on a CPU there is --quick.")
    from benchmarks.gpu.worker import Worker

    Worker(results, options.worker, options.quick, options.peer).run(cases)
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Speed of training steps on a GPU."
    )
    parser.add_argument("--output", required=True, help="folder of results.json and results.md")
    parser.add_argument("--minutes", type=float, default=8.0, help="time budget (default: 8)")
    parser.add_argument(
        "--cases", nargs="+", default=[], metavar="PART", help="only cases with these in their name"
    )
    parser.add_argument("--quick", action="store_true", help="tiny networks, also on a CPU")
    parser.add_argument(
        "--no-peer", dest="peer", action="store_false", help="do not measure PyTorch"
    )
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
