"""A source distribution and a wheel of it hold everything, and the wheel works outside of here."""

import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile

import pytest
from packaging.requirements import Requirement

_ROOT = pathlib.Path(__file__).parents[1]
_PARTS = (
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "NOTICE",
    "README.md", "compare_gan", "docs", "example_configs", "examples", "mkdocs.yml",
    "pyproject.toml", "requirements-jax.txt", "setup.py",
)  # fmt: skip
_TINY = (
    "options.training_steps = 2",
    "options.batch_size = 4",
    "options.disc_iters = 1",
    "sndcgan.Generator.ch = 4",
    "sndcgan.Discriminator.ch = 4",
    "run_config.iterations_per_loop = 1",
)


def _run(*command, **options) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "checkout").mkdir()
    for name in _PARTS:
        path = _ROOT / name
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, folder / "checkout" / name, ignore=ignore)
        else:
            shutil.copy(path, folder / "checkout")
    build = "from setuptools import build_meta; build_meta.build_sdist('..')"
    _run(sys.executable, "-c", build, cwd=folder / "checkout")
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    [unpacked] = folder.glob("compare_gan-*/")
    return unpacked


@pytest.fixture(name="wheel", scope="module")
def _wheel(source):
    """The wheel of the source distribution."""
    options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "--disable-pip-version-check")
    _run(sys.executable, "-m", "pip", "wheel", *options, "-w", source.parent, source)
    [wheel] = source.parent.glob("*.whl")
    return wheel


def _files(folder: pathlib.Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_source_distribution_is_whole(source):
    for name in _PARTS:
        if (_ROOT / name).is_dir():
            assert _files(source / name) == _files(_ROOT / name)
        else:
            assert (source / name).read_bytes() == (_ROOT / name).read_bytes()


def test_the_wheel_is_whole(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        [metadata] = (name for name in names if name.endswith("/METADATA"))
        metadata_text = file.read(metadata).decode()
    package = {f"compare_gan/{name}" for name in _files(_ROOT / "compare_gan")}
    configs = {
        f"compare_gan/{name}" for name in _files(_ROOT) if name.startswith("example_configs")
    }
    info = metadata.removesuffix("METADATA")
    assert {name for name in names if not name.startswith(info)} == package | configs
    assert {"compare_gan/py.typed", "compare_gan/parts.json"} <= package
    licences = {name.split("/licenses/")[1] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE", "compare_gan/datasets/data/LICENSE.fashion_mnist"}
    for line in ("License: Apache-2.0", "Requires-Python: >=3.10", "Provides-Extra: test"):
        assert f"\n{line}\n" in metadata_text


def test_the_requirements_without_tensorflow_are_those_of_the_wheel(wheel):
    [info] = (path for path in zipfile.Path(wheel).iterdir() if path.name.endswith(".dist-info"))
    needed = [Requirement(line) for line in importlib.metadata.PathDistribution(info).requires]
    always = {str(each) for each in needed if each.marker is None}
    extra = {str(each) for each in needed if str(each.marker) == 'extra == "jax"'}
    lines = (_ROOT / "requirements-jax.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    assert {f'{line}; extra == "jax"' for line in listed - always} == extra
    assert {Requirement(line).name for line in always - listed} == {
        "importlib_resources", "packaging", "tensorflow", "tensorflow-datasets",
        "tensorflow-gan", "tensorflow-hub", "tf-keras",
    }  # fmt: skip


@pytest.fixture(name="installed", scope="module")
def _installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel, which sees this one's dependencies but not this checkout.

    Its folder of programs, its folder of packages, and options of processes that run there.
    """
    environment = tmp_path_factory.mktemp("installed") / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = pathlib.Path(_run(python, "-c", where).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ("install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    _run(sys.executable, "-m", "pip", "--python", python, *install)

    empty = environment.parent / "empty"
    empty.mkdir()
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment / "bin", packages, dict(cwd=empty, env=own)


def test_the_installed_wheel_finds_its_configs(installed):
    programs, packages, elsewhere = installed
    code = "import compare_gan; print(compare_gan.__file__)"
    where = _run(programs / "python", "-c", code, **elsewhere)
    assert pathlib.Path(where.strip()).parent == packages / "compare_gan"
    assert "s3gan_fashion_mnist " in _run(programs / "compare_gan", "configs", **elsewhere)


@pytest.mark.slow  # The wheel has the files of this checkout, with which other tests train.
def test_the_installed_wheel_trains_a_config_by_its_name(installed):
    programs, _, elsewhere = installed
    bindings = [part for binding in _TINY for part in ("--gin_bindings", binding)]
    _run(
        programs / "compare_gan", "train", "--gin_config", "few_labels/supervised_fashion_mnist",
        *bindings, "--model_dir", "run", "--schedule", "train", **elsewhere,
    )  # fmt: skip
    run = elsewhere["cwd"] / "run"
    assert (run / "checkpoints").is_dir()
    assert "options.training_steps = 2" in (run / "config.gin").read_text()
