"""What the command line sets before TensorFlow is imported."""

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
from compare_gan.startup import prepare_tensorflow
prepare_tensorflow()
names = ("TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
print(*(os.environ[name] for name in names))
"""


@pytest.mark.parametrize(
    ("own", "expected"),
    (
        ({}, ["1", "1", "2"]),
        ({"TF_ENABLE_ONEDNN_OPTS": "0", "TF_NUM_INTRAOP_THREADS": "7"}, ["0", "7", "2"]),
    ),
)
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_one_dnn_is_on_and_threads_are_as_many_as_cores_unless_the_user_says_otherwise(
    own, expected
):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=kept | own, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == expected
