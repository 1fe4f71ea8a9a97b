"""Compiled functions read and assign Keras variables; gradients of several tensors.

On TensorFlow; `test_backends.py` has the same checks on other backends.
"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "backends"))
import compiled_checks


@pytest.mark.parametrize("check", compiled_checks.CHECKS)
def test_compiled_functions(check):
    check()
