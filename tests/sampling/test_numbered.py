"""Single samples by their numbers."""

import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import UserError
from compare_gan.folders import find_images
from compare_gan.sampling import parse_numbers, write_images
from compare_gan.sampling.numbered import numbered_latents


def _read(folder):
    return {path.name: np.asarray(Image.open(path)).astype(int) for path in folder.glob("*.png")}


@pytest.mark.parametrize(
    ("text", "numbers"),
    (("40", [40]), ("0-3,40", [0, 1, 2, 3, 40]), (" 5, 2-2,1-3", [5, 2, 1, 3])),
)
def test_numbers_and_ranges(text, numbers):
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize(
    "text", ("", "a", "3-", "-3", "5-3", "1,,2", "1;2", "0-1000000", "1.5", "9" * 5000)
)
def test_anything_else_is_refused(text):
    with pytest.raises(UserError, match=f"such as 0-35,40; received '{text}'"):
        parse_numbers(text)


@pytest.mark.parametrize("truncation", (1.0, 0.5))
@pytest.mark.parametrize("distribution", (LatentDistribution(), LatentDistribution(normal)))
@pytest.mark.parametrize("z_dim", (3, 4))
def test_latents_do_not_depend_on_the_other_numbers(sampler, distribution, truncation, z_dim):
    sampler = dataclasses.replace(
        sampler, distribution=distribution, truncation=truncation, z_dim=z_dim
    )
    whole = sampler.draw_z(301, 7)
    for numbers in ([0], [40], [3, 1, 300], range(9)):
        np.testing.assert_array_equal(numbered_latents(sampler, numbers, 7), whole[list(numbers)])


def test_latents_that_depend_on_how_many_are_drawn_are_refused(sampler):
    def by_column(shape, seed):
        return np.random.default_rng(seed).uniform(size=shape[::-1]).T

    sampler = dataclasses.replace(sampler, distribution=LatentDistribution(by_column))
    assert numbered_latents(sampler, range(5)).shape == (5, 4)
    with pytest.raises(UserError, match=r"latents of by_column.* depend on how many are drawn"):
        numbered_latents(sampler, [4])


def test_samples_are_those_of_the_whole_sequence(sampler, unconditional, tmp_path):
    for name, source in (("c", sampler), ("u", unconditional)):
        write_images(source, str(tmp_path / name / "all"), 20, seed=3)
        write_images(source, str(tmp_path / name / "some"), [17, 2, 5], seed=3)
        whole, some = _read(tmp_path / name / "all"), _read(tmp_path / name / "some")
        ending = {"c": ("_2", "_2", "_2"), "u": ("", "", "")}[name]
        pairs = zip((2, 5, 17), ending, strict=True)
        assert sorted(some) == [f"{number:06}{label}.png" for number, label in pairs]
        for file, image in some.items():  # Another batch size may round otherwise.
            assert np.abs(image - whole[file]).max() <= 1
    assert len({image.tobytes() for image in whole.values()}) == 20


@pytest.mark.parametrize("wanted", (0, -1, 2.5, [], [3, -1], [1.5], "12"))
def test_numbers_that_cannot_be_drawn_are_refused(unconditional, tmp_path, wanted):
    with pytest.raises(UserError, match=r"must be a positive integer|must be integers from 0"):
        write_images(unconditional, str(tmp_path / "a"), wanted)
    assert not list(tmp_path.iterdir())


def test_integers_of_numpy_are_numbers(unconditional, tmp_path):
    write_images(unconditional, str(tmp_path / "a"), np.int64(2))
    write_images(unconditional, str(tmp_path / "a"), np.arange(2))
    assert sorted(os.listdir(tmp_path / "a")) == ["000000.png", "000001.png"]


def test_several_classes_take_turns_and_are_read_back_by_name(sampler, tmp_path):
    write_images(sampler, str(tmp_path / "a"), [0, 1, 4, 7], classes=[2, 0])
    assert sorted(os.listdir(tmp_path / "a"))[:4] == [
        "000000_2.png", "000001_0.png", "000004_2.png", "000007_0.png"
    ]  # fmt: skip
    names = json.loads((tmp_path / "a" / "classes.json").read_text())["class_names"]
    assert names == ["dark", "middle", "bright"]
    assert find_images(str(tmp_path / "a")).counts("all").tolist() == [2, 0, 2]
    write_images(sampler, str(tmp_path / "a.npz"), [3, 1], classes=[1, 2])
    with np.load(tmp_path / "a.npz") as file:
        assert file["labels"].tolist() == [2, 2] and len(file["arr_0"]) == 2
