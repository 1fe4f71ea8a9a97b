"""`import compare_gan`: what it offers, and what it does not load."""

import inspect
import json
import os
import pathlib
import pkgutil
import pydoc
import subprocess
import sys

import numpy as np
import pytest

import compare_gan
from compare_gan.evaluation.scoring import score_sets
from compare_gan.studies import Study

_ROOT = pathlib.Path(__file__).parents[1]
# Packages that are no rooms for users.
_INNER = {"commands", "example_configs"}


def _rooms() -> set[str]:
    return {m.name for m in pkgutil.iter_modules(compare_gan.__path__) if m.ispkg} - _INNER


def _fresh(code: str, **environment: str):
    """What a fresh process prints as JSON after this code."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(_ROOT)} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


_HEAVY = """
import json, sys, time
start = time.process_time()
{code}
seconds = time.process_time() - start
heavy = [name for name in ("tensorflow", "keras", "numpy", "jax", "torch") if name in sys.modules]
print(json.dumps([heavy, seconds]))
"""


@pytest.fixture(name="takes_at_most")
def _takes_at_most(slowness):
    """Whether the fastest of five fresh processes needs at most `limit` seconds of the processor.

    None of them may load a heavy package.
    """

    def takes_at_most(limit: float, code: str) -> bool:
        for _ in range(5):
            heavy, seconds = _fresh(_HEAVY.format(code=code))
            assert heavy == []
            if seconds <= limit * slowness():
                return True
        return False

    return takes_at_most


def test_rooms_of_the_command_line_load_no_engine(takes_at_most):
    names = ("commands.models", "commands.scoring", "commands.training", "config", "registry")
    code = "import " + ", ".join(f"compare_gan.{name}" for name in (*names, "startup"))
    assert takes_at_most(0.5, code)  # About 0.1 on a quiet machine.


def test_the_import_is_light(takes_at_most):
    assert takes_at_most(0.3, "import compare_gan")  # About 0.02 on a quiet machine.


@pytest.mark.parametrize(
    "args", (["list"], ["list", "loss"], ["configs"], ["--help"], ["train", "--help"])
)
def test_commands_that_only_list_are_light(takes_at_most, args):
    code = f"""
import contextlib, io
from compare_gan.main import cli
with contextlib.redirect_stdout(io.StringIO()) as out:
    cli.main({args!r}, standalone_mode=False)
assert out.getvalue()
"""
    assert takes_at_most(0.5, code)  # About 0.1 on a quiet machine.


def test_the_state_of_a_study_is_shown_without_an_engine(tmp_path, monkeypatch):
    # Their configs would be checked in a process with an engine.
    monkeypatch.setattr("compare_gan.studies.inspection.inspect_apart", lambda *_: {})
    study = Study(study_dir=str(tmp_path), base="supervised_fashion_mnist", steps=1)
    study.begin()
    code = f"""
import contextlib, io, json, sys
from compare_gan.main import cli
with contextlib.redirect_stdout(io.StringIO()) as out:
    cli.main(["study", "status", {str(tmp_path)!r}], standalone_mode=False)
heavy = [name for name in ("tensorflow", "keras", "jax", "torch", "scipy") if name in sys.modules]
print(json.dumps([out.getvalue().splitlines()[-1].split(), heavy]))
"""
    shown, heavy = _fresh(code)
    assert shown[1] == "waiting" and heavy == []


def test_rooms_are_there_after_the_bare_import():
    code = """
import json
import compare_gan
found = [compare_gan.losses.hinge.__name__, compare_gan.registry.kinds()]
print(json.dumps(found))
"""
    name, kinds = _fresh(code, KERAS_BACKEND="numpy")  # Without the seconds of TensorFlow.
    assert name == "hinge" and "loss" in kinds


def test_every_room_is_in_the_table_of_contents():
    names = set(compare_gan.__all__)
    assert _rooms() <= names
    assert all(getattr(compare_gan, name) is not None for name in names)
    assert dir(compare_gan) == sorted(names)
    lines = compare_gan.__doc__.splitlines()
    for name in names - {"__version__"}:
        [line] = [line for line in lines if line.startswith((f"  {name} ", f"  {name}("))]
        assert len(line.split(None, 1)[1]) > 10
    code = inspect.getsource(compare_gan)
    for name in _rooms():  # For type checkers.
        assert f"\n        {name},\n" in code.split("if TYPE_CHECKING:")[1].split("__version__")[0]


def test_help_begins_with_the_table_of_contents():
    text = pydoc.plain(pydoc.render_doc(compare_gan))
    assert "losses          from real and fake logits to the losses of both networks" in text
    assert "score(real" in text and "load_generator(run" in text


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'compare_gan' has no attribute 'loses'"):
        compare_gan.loses  # noqa: B018


def test_a_wheel_declares_its_types():
    assert (_ROOT / "compare_gan" / "py.typed").is_file()


def test_score_is_score_sets():
    own, theirs = (inspect.signature(f).parameters for f in (compare_gan.score, score_sets))
    assert [(p.name, p.default, p.kind) for p in own.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]
    real, fake = np.random.RandomState(0).randint(256, size=(2, 8, 28, 28, 1)).astype(np.uint8)
    options = dict(metrics=["vendi"], extractor="fashion_cnn", num_fake=6, seed=1)
    result, expected = compare_gan.score(real, fake, **options), score_sets(real, fake, **options)
    assert result.scores == expected.scores and result.fake_hash == expected.fake_hash
