"""Gin files by name."""

import os
import pathlib
import re

import gin
import pytest

from compare_gan import config
from compare_gan.config import example_configs, example_studies, find_config
from compare_gan.config.names import example_folder
from compare_gan.errors import UserError

_FOLDER = pathlib.Path(__file__).parents[2] / "example_configs"


def test_all_configs_have_a_name_and_a_headline():
    found = {each.name: each for each in (*example_configs(), *example_studies())}
    files = {str(path.relative_to(_FOLDER).with_suffix("")) for path in _FOLDER.rglob("*.gin")}
    assert found.keys() == {name for name in files if not name.endswith("_common")}
    for name, each in found.items():
        assert pathlib.Path(each.path) == _FOLDER / f"{name}.gin"
        assert re.fullmatch(r"\S.{15,100}\.", each.headline), each.headline
    assert all(each.name.startswith("studies/") for each in example_studies())
    assert not any(each.name.startswith("studies/") for each in example_configs())


@pytest.mark.parametrize(
    ("name", "file"),
    (
        ("s3gan_fashion_mnist", "s3gan_fashion_mnist.gin"),
        ("s3gan_fashion_mnist.gin", "s3gan_fashion_mnist.gin"),
        ("few_labels/s2gan_fashion_mnist", "few_labels/s2gan_fashion_mnist.gin"),
        (
            "example_configs/few_labels/s2gan_fashion_mnist.gin",
            "few_labels/s2gan_fashion_mnist.gin",
        ),
        ("fashion_mnist_common", "fashion_mnist_common.gin"),
    ),
)
def test_a_config_is_found_by_its_name(name, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == os.path.join(example_folder(), file)


def test_a_file_that_exists_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dcgan_celeba64").mkdir()
    assert find_config("dcgan_celeba64") == str(_FOLDER / "dcgan_celeba64.gin")
    (tmp_path / "s3gan_fashion_mnist").write_text("options.batch_size = 8")
    assert find_config("s3gan_fashion_mnist") == "s3gan_fashion_mnist"


@pytest.mark.parametrize(
    ("name", "sentence"),
    (
        ("s3gan_fashon_mnist", "config 's3gan_fashon_mnist'. Did you mean 's3gan_fashion_mnist'?"),
        (
            "few_label/s2gan_fashion_mnist",
            "config 'few_label/s2gan_fashion_mnist'; there is no folder 'few_label' either. "
            "Did you mean 'few_labels/s2gan_fashion_mnist'?",
        ),
        ("mine.gin", "config 'mine.gin'. Did you mean 'main.gin'?"),
        ("qwertyuiop", "config 'qwertyuiop'. `compare_gan configs` lists those that have a name."),
    ),
)
def test_an_unknown_name_is_reported_with_the_nearest(name, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.gin").write_text("")
    with pytest.raises(UserError) as caught:
        find_config(name)
    assert str(caught.value) == f"There is no gin {sentence}"


def test_configs_of_the_user_include_example_configs(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.gin"
    path.write_text('include "few_labels/s2gan_fashion_mnist.gin"\noptions.batch_size = 12\n')
    config.parse([str(path)])
    assert gin.query_parameter("options.batch_size") == 12
    assert gin.query_parameter("dataset.inferred_labels") is True
    assert not caplog.records  # gin logs an error for each place where the file is not.
    config.parse(["few_labels/s2gan_fashion_mnist"])
    assert gin.query_parameter("options.batch_size") == 64
    with (
        pytest.raises(UserError, match=r"fashion_mnist_common\.gin, line \d+: options\.batch_size"),
        config.located(),
    ):
        raise UserError("options.batch_size is wrong.")
