"""Stands for `compare_gan train` and `label` in tests of studies: the files of a run, no training.

The environment variable STUB is a JSON object: for a run or labels, by name, what happens.
`finish`, `diverge`, `mistake`, `crash`, `kill`; `crash_once` and `wait_once` (for SIGTERM) finish
at the second attempt; `after NAME` finishes after that run has begun. STUB_CALLS is a file that
gets a line for each start.
"""

import json
import os
import pathlib
import signal
import sys
import time


def _option(name):
    return sys.argv[sys.argv.index(name) + 1]


is_label = sys.argv[1] == "label"
folder = pathlib.Path(_option("--label_dir" if is_label else "--model_dir"))
name = "labels" if is_label else folder.name
does = json.loads(os.environ.get("STUB", "{}")).get(name, "finish")
folder.mkdir(parents=True, exist_ok=True)
again = (folder / "checkpoint").exists()
(folder / "checkpoint").touch()
call = {
    "name": name,
    "pid": os.getpid(),
    "again": again,
    "arguments": sys.argv[1:],
    "cores": sorted(os.sched_getaffinity(0)),
    "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
}
with open(os.environ["STUB_CALLS"], "a") as calls:
    calls.write(json.dumps(call) + "\n")
print("Training.", flush=True)
if does.startswith("after "):
    while not (folder.parent / does.removeprefix("after ")).exists():
        time.sleep(0.01)
if does == "wait_once" and not again:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    (folder / "log.jsonl").write_text('{"step": 2, "images_per_second": 12.0}\n')
    (folder / "waits").touch()
    while True:
        time.sleep(0.01)
if does == "mistake":
    print("Error: There is no loss 'hing'.")
    sys.exit(2)
if does == "crash" or (does == "crash_once" and not again):
    print("MemoryError: too much")
    sys.exit(1)
if does == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if does == "diverge":
    (folder / "DIVERGED").write_text('{"version": 1, "step": 3, "terms": ["loss"]}')
    sys.exit(3)
if is_label:
    (folder / "manifest.json").write_text("{}")
    sys.exit(0)
(folder / "log.jsonl").write_text('{"step": 6, "images_per_second": 12.0}\n')
row = {
    "step": 6,
    "scores": {"fid": {"mean": 1.5, "std": 0.0}},
    "protocol": {"seeds": [0]},
    "metrics": ["fid"],
}
(folder / "results.jsonl").write_text(json.dumps(row) + "\n")
