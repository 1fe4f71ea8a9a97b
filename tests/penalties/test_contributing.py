"""The penalty with a memory that CONTRIBUTING.md shows needs nothing but its own file."""

import pathlib
import re

import numpy as np
import pytest

from compare_gan import registry

_GUIDE = pathlib.Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(autouse=True)
def _my_penalty(monkeypatch, tmp_path):
    """The file, which `import my_penalty` finds; the registry forgets it afterwards."""
    section = _GUIDE.read_text().split("## Add a penalty\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    (tmp_path / "my_penalty.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    registry.load("penalty")
    known = dict(registry._components["penalty"])
    monkeypatch.setitem(registry._components, "penalty", known)


def test_it_trains_and_is_saved_and_resumed(make_trainer, tmp_path):
    bindings = (
        "import my_penalty",
        "S3GAN.penalties = [@steady_spread(), @r1()]",
        "steady_spread.weight = 0.1",
        "run_config.deterministic = True",
    )
    trainer = make_trainer(tmp_path / "run", *bindings)
    history = trainer.run_steps(3)
    assert np.all(history["loss/steady_spread"] > 0)
    trainer.checkpoints.save()
    average = trainer.state.variables()["penalties/steady_spread/average"].numpy()
    assert average != 1.0
    resumed = make_trainer(tmp_path / "run", *bindings)
    assert resumed.state.variables()["penalties/steady_spread/average"].numpy() == average
