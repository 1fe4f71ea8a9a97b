"""Runs commands in this process or in separate processes, none of which outlives its test."""

import contextlib
import json
import logging
import os
import pathlib
import subprocess
import sys
import types

import eager
import numpy as np
import pytest
from keras import ops

from compare_gan import main as command_line
from compare_gan import registry
from compare_gan.layers import Dense


@contextlib.contextmanager
def _starter(forks):
    processes = []

    def start(*args, fresh=False, code=None, **environment):
        if fresh:
            process = subprocess.Popen(
                [sys.executable, "-m", "compare_gan.main", *args],
                cwd=pathlib.Path(__file__).parents[2],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        else:
            process = forks.start(*args, code=code, **environment)
        processes.append(process)
        return process

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture(name="start")
def _start(forks):
    """Starts a process from command-line arguments and environment variables.

    It is a fork of one that has imported TensorFlow (see `forks.py`) unless `fresh=True`, and runs
    `compare_gan` or `code`.
    """
    with _starter(forks) as start:
        yield start


@pytest.fixture(name="start_in_module", scope="module")
def _start_in_module(forks):
    """The same as `start`, for module-scoped fixtures."""
    with _starter(forks) as start:
        yield start


@pytest.fixture(name="train")
def _train(tmp_path, monkeypatch):
    """Runs `compare_gan train` in this process, on noise unless `fake=False`, in a folder run_*.

    `train(*texts, gin_config=…)`: the texts form a gin file that is read after `gin_config`.
    Gin still holds the bindings afterwards. Runs are eager: tracing a step takes longer than
    executing it.
    """
    monkeypatch.setattr("compare_gan.labels.classifier._ITERATIONS", 2)
    monkeypatch.setattr("compare_gan.training.pictures._ROWS", 2)
    monkeypatch.setattr("compare_gan.training.pictures._COLUMNS", 2)
    # Monitors see few images, too: a pass of 48 takes longer than the step.
    monkeypatch.setattr("compare_gan.training.monitors.monitors._NUM_COMPARED", 8)
    monkeypatch.setattr("compare_gan.training.monitors.monitors._NUM_JUDGED", 4)
    monkeypatch.setattr("compare_gan.training.monitors.critic._EACH", 2)
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    runs = iter(range(100))

    def run(*texts: str, gin_config: str | None = None, fake: bool = True) -> None:
        path = tmp_path / f"run_{next(runs)}"
        changes = tmp_path / f"{path.name}.gin"
        changes.write_text("\n".join(line.strip() for text in texts for line in text.splitlines()))
        files = [str(gin_config), str(changes)] if gin_config else [str(changes)]
        configs = [part for file in files for part in ("--gin_config", file)]
        command_line.main(
            [
                "train",
                "--model_dir",
                str(path),
                *(["--data_fake_dataset"] if fake else []),
                "--schedule",
                "train",
                *configs,
            ]
        )
        rows = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
        assert rows and all(np.isfinite(value) for row in rows for value in row.values())

    with eager.eagerly():
        yield run
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(name="colour_arch")
def _colour_arch(monkeypatch):
    """Name of an architecture that is small at any image size: each image has a single color."""
    # Imported here because the base class imports Keras's backend.
    from compare_gan.architectures import base

    class Generator(base.Generator):
        def __init__(self, image_shape, **kwargs):
            super().__init__(image_shape, **kwargs)
            self.fc = Dense(self.image_shape[2], name="fc")

        def call(self, inputs, training=None):
            z, y = inputs
            x = ops.sigmoid(self.fc(z if y is None else ops.concatenate([z, y], axis=1)))
            height, width, _ = self.image_shape
            return ops.tile(x[:, None, None], (1, height, width, 1))

    class Discriminator(base.Discriminator):
        def __init__(self, image_shape, **kwargs):
            super().__init__(image_shape, **kwargs)
            self.hidden, self.fc = Dense(4, name="hidden"), Dense(1, name="fc")

        def call(self, inputs, training=None):
            x, y = inputs
            x = ops.mean(x, axis=(1, 2))
            features = ops.tanh(self.hidden(x if y is None else ops.concatenate([x, y], axis=1)))
            return self.fc(features), features

    module = types.SimpleNamespace(Generator=Generator, Discriminator=Discriminator)
    registry.load("architecture")
    part = registry.Component("architecture", "colour_arch", module, "One colour.")
    monkeypatch.setitem(registry._components["architecture"], "colour_arch", part)
    return "colour_arch"
