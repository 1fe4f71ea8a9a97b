import functools
import http.server
import shutil
import tarfile
import threading

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.hub.weights_source import EMA, GraphFacts, open_source

_VARIABLES = {
    "generator/fc_noise/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "generator/fc_noise/kernel/u_var": np.ones((2, 1), np.float32),
    "generator/fc_noise/kernel/ExponentialMovingAverage": np.full((2, 3), 9, np.float32),
    "generator/non_local_block/sigma": np.float32(0.5),
    "generator/beta1_power": np.float32(0.9),
    "discriminator_rotation/score_classify/bias": np.zeros(4, np.float32),
}
_NAMES = [
    "discriminator_rotation/score_classify/bias",
    "generator/fc_noise/kernel",
    "generator/fc_noise/kernel/u_var",
    "generator/non_local_block/sigma",
]


def _check(source):
    assert list(source.shapes) == _NAMES
    assert source.shapes["generator/fc_noise/kernel"] == (2, 3)
    assert source.averages == {"generator/fc_noise/kernel": (2, 3)}
    np.testing.assert_array_equal(
        source.read("generator/fc_noise/kernel"), _VARIABLES["generator/fc_noise/kernel"]
    )
    assert source.read("generator/fc_noise/kernel" + EMA)[0, 0] == 9


def _assert_refused(path, sentence):
    with pytest.raises(UserError, match=sentence), open_source(str(path)):
        raise AssertionError("it was opened")


def test_a_checkpoint_without_its_slots_and_counters(old, tmp_path):
    prefix = old.write_checkpoint(tmp_path, _VARIABLES, step=7)
    for path in (prefix, str(tmp_path), f"{prefix}.index"):
        with open_source(path) as source:
            _check(source)
            assert (source.step, source.facts) == (7, GraphFacts())


@pytest.mark.parametrize("name", ("lr[2e-4]", "a*?", "back\\slash"))
def test_no_path_is_a_pattern(old, tmp_path, name):
    """TensorFlow takes a path for a pattern; a checkpoint may also have moved."""
    folder = tmp_path / name
    folder.mkdir()
    prefix = old.write_checkpoint(tmp_path, _VARIABLES, step=7)
    for file in tmp_path.glob("model.ckpt-7.*"):
        file.rename(folder / file.name.replace("ckpt", "ckpt[1]"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt[1]-7"\n')
    for path in (folder / "model.ckpt[1]-7", folder):
        with open_source(str(path)) as source:
            _check(source)
            assert source.prefix == f"{folder}/model.ckpt[1]-7" != prefix
    module = old.write_hub_module(tmp_path / "module", _VARIABLES, 20, 10, epsilon=1e-4)
    with open_source(str(shutil.move(module, folder / "module"))) as source:
        _check(source)
    [data] = folder.glob("model.ckpt[[]1[]]-7.data*")
    data.unlink()
    with pytest.raises(UserError) as caught, open_source(str(folder / "model.ckpt[1]-7")) as source:
        source.read("generator/fc_noise/kernel")
    assert str(folder) in str(caught.value) and "/link" not in str(caught.value)


@pytest.fixture(name="module")
def _module(old, tmp_path):
    return old.write_hub_module(tmp_path / "module", _VARIABLES, 20, 10, epsilon=1e-4)


def test_a_hub_module_and_the_facts_of_its_graph(module):
    with open_source(module) as source:
        _check(source)
        assert source.step == 0
        assert source.facts == GraphFacts(z_dim=20, image_shape=(32, 32, 3), epsilon=1e-4)


@pytest.mark.parametrize("root", (".", "s3gan"))
def test_a_hub_module_as_it_is_downloaded(module, tmp_path, root):
    path = tmp_path / "module.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(module, arcname=root)
    with open_source(str(path)) as source:
        _check(source)


def test_a_hub_module_by_its_url(module, tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    served = tmp_path / "served" / "google"
    served.mkdir(parents=True)
    with tarfile.open(served / "1", "w:gz") as archive:
        archive.add(module, arcname=".")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            del args

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/google"
        with open_source(f"{url}/1") as source:
            _check(source)
        _assert_refused(f"{url}/2", r"/2' cannot be downloaded .*give its path")
        server.shutdown()


def test_unreadable_sources_are_reported(old, module, tmp_path):
    refused = _assert_refused
    refused(tmp_path / "nothing", "nothing' is neither a TensorFlow 1 checkpoint")
    refused(tmp_path, "is neither a TensorFlow 1 checkpoint .* nor a TF-Hub module")
    other = old.write_checkpoint(tmp_path / "other", {"linear/kernel": np.zeros((2, 2))})
    refused(other, "none of its 5 variables is named generator/")
    (tmp_path / "model.ckpt.index").write_bytes(b"no table")
    refused(tmp_path / "model.ckpt", "cannot be read as a TensorFlow 1 checkpoint")
    (tmp_path / "module" / "saved_model.pb").write_bytes(b"\xff\xff")
    refused(module, "saved_model.pb' is damaged")
    (tmp_path / "module.tar.gz").write_bytes(b"no archive")
    refused(tmp_path / "module.tar.gz", "cannot be unpacked")
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    refused(tmp_path / "empty.tar.gz", "contains no TF-Hub module")


def test_archives_cannot_write_elsewhere(tmp_path):
    (tmp_path / "outside").write_text("x")
    with tarfile.open(tmp_path / "module.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "outside", arcname="../../escaped")
    _assert_refused(tmp_path / "module.tar.gz", "cannot be unpacked")


def test_truncated_weights_are_reported(old, tmp_path):
    prefix = old.write_checkpoint(tmp_path, _VARIABLES)
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(4)
    _assert_refused(prefix, "cannot be read as a TensorFlow 1 checkpoint")
