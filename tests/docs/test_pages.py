"""README and docs: code runs, configs and commands are valid, links lead somewhere."""

import dataclasses
import importlib.util
import pathlib
import re
import shlex
import sys

import click
import gin
import pytest

from compare_gan import config, losses, main, parts_index, registry
from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow
from compare_gan.penalties import AVAILABLE
from compare_gan.studies import read_study
from compare_gan.studies.inspection import inspect
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_options import RunConfig

_ROOT = pathlib.Path(__file__).parents[2]
_ALL = sorted(
    path.relative_to(_ROOT).as_posix()
    for path in (
        *_ROOT.glob("*.md"),
        *_ROOT.glob("docs/**/*.md"),
        *_ROOT.glob("benchmarks/**/*.md"),
        _ROOT / "example_configs" / "README.md",
    )
)
_EXTENDING = "docs/extending/"  # Configs and files of these pages: see test_extending.py.
_SITE = importlib.util.find_spec("mkdocs") is not None
_REQUIRED = (
    "options.gan_class = @ModularGAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 8",
    "options.training_steps = 2",
    "dataset.name = 'synthetic'",
)


def _having(language: str) -> list[str]:
    fence = re.compile(rf"^ *```{language}\b", flags=re.MULTILINE)
    return [page for page in _ALL if fence.search((_ROOT / page).read_text())]


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """An empty working directory that modules are imported from; the registry is restored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for kind in registry.kinds():
        registry.load(kind)
        monkeypatch.setitem(registry._components, kind, dict(registry._components[kind]))
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) == str(tmp_path / f"{name}.py"):
            del sys.modules[name]


@pytest.mark.parametrize("page", _having("python"))
def test_python_runs(page, blocks, folder):
    names = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        if block.runs and not block.title:
            exec(compile(block.text, page, "exec"), names)


@pytest.mark.parametrize("page", [p for p in _having("gin") if not p.startswith(_EXTENDING)])
def test_configs_are_valid(page, blocks, folder):
    for block in blocks(page, "python"):
        if block.runs and block.title:
            (folder / block.title).write_text(block.text)
    (folder / "required.gin").write_text("\n".join(_REQUIRED))
    for block in blocks(page, "gin"):
        (folder / "page.gin").write_text(block.text)
        if "study." in block.text:
            study = read_study("page.gin")
            inspect(study, study.runs)
            continue
        config.parse(["required.gin", "page.gin"])
        Experiment.from_gin()
        gin.clear_config()


@pytest.mark.parametrize("page", _having("sh"))
def test_commands_and_their_options_exist(page, blocks):
    for block in blocks(page, "sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                _check(shlex.split(command, comments=True))


def _check(words: list[str]) -> None:
    if words[:3] == ["python", "-m", "compare_gan.main"]:
        words = ["compare_gan", "train", *words[3:]]
    if words[:1] == ["python"]:
        script = (_ROOT / words[1]).read_text()
        for word in words[2:]:
            assert not word.startswith("--") or f'"{word}"' in script, words
    if words[:1] != ["compare_gan"]:
        return
    command = main.cli.commands[words[1]]
    if isinstance(command, click.Group):
        command = command.commands[words[2]]
    options = [option for parameter in command.params for option in parameter.opts]
    for i, word in enumerate(words[2:], start=3):
        assert not word.startswith("--") or word in options, words
        if word == "--gin_config" and words[i] not in ("photos.gin", "try.gin", "tiny.gin"):
            config.find_config(words[i])


@pytest.mark.parametrize("page", _ALL)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (_ROOT / page).read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path = link.split("#")[0]
        if path and "://" not in path:
            assert (_ROOT / page).parent.joinpath(path).exists(), link


def test_the_readme_is_short():
    assert len((_ROOT / "README.md").read_text().splitlines()) <= 170


def test_tables_of_parts_are_complete():
    """docs/parts.md names every part, the README those that readers look for."""
    table = (_ROOT / "docs" / "parts.md").read_text()
    for kind, entries in parts_index.read_index().items():
        for entry in entries:
            if kind in ("dataset", "protocol") or entry.name == "dummy_arch":
                continue
            assert f"`{entry.name}`" in table, (kind, entry.name)


def test_tables_of_names_are_complete():
    """A name that code has, and a page explains, is not forgotten when it is added."""
    tables = {
        "docs/extending/loss.md": list(losses.AVAILABLE),
        "docs/extending/penalty.md": list(AVAILABLE),
        "docs/run_directory.md": [
            *(field.name for field in dataclasses.fields(Provenance)),
            *(
                f.name
                for f in dataclasses.fields(ResultRow)
                if f.compare and f.name != "provenance"
            ),
        ],
        "docs/scaling.md": [field.name for field in dataclasses.fields(RunConfig)],
        "docs/evaluation.md": [entry.name for entry in parts_index.read_index()["protocol"]],
        "docs/extractors.md": [entry.name for entry in parts_index.read_index()["extractor"]],
        "docs/extending/index.md": set(registry.kinds()) - {"gan", "normalization", "optimizer"},
    }
    for page, names in tables.items():
        text = (_ROOT / page).read_text()
        for name in names:
            assert re.search(rf"[`. ]{name}[` ]", text), (page, name)


@pytest.mark.skipif(not _SITE, reason='MkDocs is not installed: pip install -e ".[docs]"')
def test_the_site_is_built_without_warnings_and_loads_nothing_from_elsewhere(tmp_path):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    site = load_config(str(_ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site"))
    site.plugins.on_startup(command="build", dirty=False)
    try:
        build(site)
    finally:
        site.plugins.on_shutdown()
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 50
    loaded = re.compile(r"""<(?:script|img|iframe)[^>]* src="https?:|<link[^>]* href="https?:""")
    for page in pages:
        assert not loaded.search(page.read_text()), page
    api = (tmp_path / "site" / "api" / "losses.html").read_text()
    assert "compare_gan.losses.hinge" in api and "&gt;&gt;&gt;" in api
