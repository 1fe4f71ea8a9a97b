"""The error that a run's output ends with."""

import pytest

from compare_gan.studies.logs import last_error


@pytest.mark.parametrize(
    "text, error",
    [
        ("", ""),
        ("step 1\nstep 2\n", ""),
        ("Error: The disk is full.\nTraining.\n", "The disk is full."),
        ("MemoryError: too much\n", "MemoryError: too much"),
        (
            "  File x\njax.errors.JaxRuntimeError: no memory\n",
            "jax.errors.JaxRuntimeError: no memory",
        ),
        ("Error: first\nError: last\n", "last"),
        ("No Error: here\n", ""),
    ],
)
def test_the_last_error_of_an_output(tmp_path, text, error):
    log = tmp_path / "a.txt"
    log.write_text("MemoryError: of an earlier attempt\n" + text)
    assert last_error(str(log), begin=len("MemoryError: of an earlier attempt\n")) == error
