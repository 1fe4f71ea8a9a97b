"""Numbers of the tasks that condition on classes, recorded from their authors' programs."""

import pathlib

import numpy as np
import pytest

_PATH = pathlib.Path(__file__).parents[2] / "data" / "contrastive_golden.npz"


@pytest.fixture(scope="session")
def golden():
    with np.load(_PATH, allow_pickle=False) as arrays:
        return {name.removeprefix("contrastive/"): arrays[name] for name in arrays.files}
