import importlib.util
import os
import pathlib

import click.testing
import numpy as np
import pytest

from compare_gan.datasets import packaged
from compare_gan.datasets.idx import DEBIAN_FASHION_MNIST

_SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "make_fashion_mnist_10k.py"


@pytest.mark.skipif(not os.path.isdir(DEBIAN_FASHION_MNIST), reason="dataset-fashion-mnist absent")
def test_the_script_makes_the_packaged_file(tmp_path):
    spec = importlib.util.spec_from_file_location("make_fashion_mnist_10k", _SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    out = tmp_path / "made.npz"
    click.testing.CliRunner().invoke(script.main, ["--out", str(out)], catch_exceptions=False)
    with np.load(out, allow_pickle=False) as made, np.load(packaged.PATH) as present:
        assert set(made) == set(present)
        for name in made:
            np.testing.assert_array_equal(made[name], present[name])
