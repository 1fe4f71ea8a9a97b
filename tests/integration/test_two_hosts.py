"""Two workers that share a model directory end where one process ends."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import tensorflow as tf

_ROOT = pathlib.Path(__file__).parents[2]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _start(model_dir, tiny_run, environment=None):
    bindings = [part for binding in tiny_run for part in ("--gin_bindings", binding)]
    return subprocess.Popen(
        [sys.executable, "-m", "compare_gan.main", "train", "--schedule", "train",
         "--model_dir", str(model_dir), *bindings],
        cwd=_ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def _checkpoint(model_dir):
    reader = tf.train.load_checkpoint(str(model_dir / "checkpoints" / "step-6"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def test_two_hosts_train_as_one(tmp_path, tiny_run):
    # Plain gradient descent: Adam's first steps are signs, which magnify rounding.
    more = ("options.batch_size = 16", "S3GAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer")
    tiny_run = (*tiny_run, *more)
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    processes = [
        _start(
            tmp_path / "two",
            tiny_run,
            {
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}}
                )
            },
        )
        for i in range(2)
    ]
    processes.append(_start(tmp_path / "one", tiny_run))
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    two, one = _checkpoint(tmp_path / "two"), _checkpoint(tmp_path / "one")
    assert two.keys() == one.keys()
    for name, value in one.items():
        # Sums over the batch are taken in another order: float32 rounding over six steps.
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    # One of the two wrote; the log has each row once.
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == 4
