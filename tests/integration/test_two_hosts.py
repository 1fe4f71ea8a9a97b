"""Two workers that share a run directory end with the weights of one process, and together."""

import json
import re
import signal
import time

import eager
import gin
import numpy as np
import pytest

from compare_gan import engine
from compare_gan.main import main


def _arguments(model_dir, tiny_run):
    bindings = [part for binding in tiny_run for part in ("--gin_bindings", binding)]
    return ["train", "--num_eval_averaging_runs", "1", "--model_dir", str(model_dir), *bindings]


def _checkpoint(model_dir):
    return engine.read_checkpoint(str(model_dir / "checkpoints" / "step-6"))


def _scores(model_dir):
    """The scores of each result row, by name."""
    rows = map(json.loads, (model_dir / "results.jsonl").read_text().splitlines())
    return [{name: score["mean"] for name, score in row["scores"].items()} for row in rows]


@pytest.fixture(name="start_two")
def _start_two(start, reserve_port):
    def start_two(model_dir, tiny_run):
        cluster = {"worker": [f"127.0.0.1:{reserve_port()}" for _ in range(2)]}
        tasks = [{"type": "worker", "index": i} for i in range(2)]
        configs = [json.dumps({"cluster": cluster, "task": task}) for task in tasks]
        return [start(*_arguments(model_dir, tiny_run), TF_CONFIG=config) for config in configs]

    return start_two


def test_two_hosts_train_as_one(start_two, tmp_path, tiny_run, simple_steps):
    # Plain gradient descent: Adam's first steps are nearly signs, which magnify rounding errors.
    more = (
        *simple_steps,  # `tests/training/two_replicas.py` has the parts that replicas share.
        "options.batch_size = 16",
        "S3GAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer",
    )
    tiny_run = (*tiny_run, *more)
    processes = start_two(tmp_path / "two", tiny_run)
    with eager.eagerly():  # Tracing takes longer than its steps.
        main([*_arguments(tmp_path / "one", tiny_run), "--schedule", "train"])
    gin.clear_config()
    errors = [process.communicate(timeout=1200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    role, progress = "This process works together with the first one", "step 6/6: together with"
    assert [role in err for err in errors] == [False, True]
    assert [progress in err for err in errors] == [False, True]
    two, one = _checkpoint(tmp_path / "two"), _checkpoint(tmp_path / "one")
    assert two.keys() == one.keys()
    for name, value in one.items():
        # Sums over the batch are computed in another order: float32 rounding over six steps.
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    # Only one of the two wrote: each row appears once.
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == 4
    shared = _scores(tmp_path / "two")
    assert len(shared) == 1
    # Both drew images and extracted features: the scores are those of one process.
    main(["eval", "--model_dir", str(tmp_path / "two"), "--num_eval_averaging_runs", "1"])
    [shared, alone] = _scores(tmp_path / "two")
    assert shared.keys() == alone.keys() and shared
    for name, value in alone.items():
        np.testing.assert_allclose(shared[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


def test_a_signal_to_one_host_ends_both_with_a_checkpoint(start_two, tmp_path, tiny_run):
    # The kind of GAN plays no part: the simplest takes least time.
    simple = "options.gan_class = @ModularGAN", "options.disc_iters = 1", "D.spectral_norm = False"
    more = ("options.batch_size = 16", "options.training_steps = 1000000", *simple)
    processes = start_two(tmp_path, (*tiny_run, *more))
    deadline = time.monotonic() + 1200
    while not (tmp_path / "operative_config.gin").exists():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGTERM)  # The worker that does not write.
    errors = [process.communicate(timeout=1200)[1] for process in processes]
    assert [process.returncode for process in processes] == [130, 130], errors
    stopped = {re.search(r"stopped at step (\d+), checkpoint saved", err)[1] for err in errors}
    assert len(stopped) == 1
    assert (tmp_path / "checkpoints" / f"step-{stopped.pop()}" / "index.json").exists()
