"""Pictures of samples: the position of each image."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from compare_gan import sampling
from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import UserError
from compare_gan.plots import grids

Z_DIM = 4
_NAMES = ["dark", "middle", "bright"]


def _samples(sampler, labels, seed=0):
    return sampler.generate(sampler.draw_z(len(labels), seed), np.array(labels))


def _read(path):
    picture = np.asarray(Image.open(path))
    return picture[..., None] if picture.ndim == 2 else picture


def test_a_grid_has_one_class_per_row(sampler, tmp_path):
    sampler = dataclasses.replace(sampler, truncation=0.5)
    path = sampling.write_grid(sampler, str(tmp_path / "grid.png"), columns=4, seed=2)
    images = _samples(sampler, [0] * 4 + [1] * 4 + [2] * 4, seed=2)
    np.testing.assert_array_equal(_read(path), grids.class_grid(np.split(images, 3), _NAMES))


def test_a_grid_of_one_class(sampler, tmp_path):
    path = sampling.write_grid(sampler, str(tmp_path / "grid.png"), columns=4, classes=[2])
    expected = grids.class_grid([_samples(sampler, [2] * 4)], ["bright"])
    np.testing.assert_array_equal(_read(path), expected)


def test_a_grid_without_classes_has_ten_rows(unconditional):
    picture = sampling.sample_grid(unconditional, columns=3)
    images = unconditional.generate(unconditional.draw_z(30, 0), batch_size=30)
    np.testing.assert_array_equal(picture, grids.image_grid(images, 3))


def test_at_most_ten_classes_are_drawn_and_numbered(tiny_sampler):
    sampler = tiny_sampler(num_classes=12)
    picture = sampling.sample_grid(sampler, columns=2)
    images, _ = sampler.sample(20, 0, np.repeat(np.arange(10), 2), batch_size=20)
    names = [str(i) for i in range(10)]
    np.testing.assert_array_equal(picture, grids.class_grid(np.split(images, 10), names))


def test_interpolation_goes_from_latent_to_latent(sampler, tmp_path):
    path = sampling.write_interpolation(sampler, str(tmp_path / "i.png"), rows=4, columns=5)
    ends = sampler.draw_z(8, 0).reshape(4, 2, Z_DIM)
    z = np.stack([[(1 - t) * a + t * b for t in np.linspace(0, 1, 5)] for a, b in ends])
    labels = np.repeat([0, 1, 2, 0], 5)
    images = sampler.generate(z.reshape(20, Z_DIM), labels)
    expected = grids.class_grid(np.split(images, 4), ["dark", "middle", "bright", "dark"])
    # Latents that differ in the last bit change a pixel by at most one level.
    assert np.abs(_read(path).astype(int) - expected).max() <= 1


def test_normal_latents_are_interpolated_on_arcs(sampler, tmp_path):
    """On a straight line those in the middle are shorter by a factor of about √2.

    Fault: images in the middle between two normal latents are washed out
    Command: sample --interpolate
    User sees: images from latents on arcs, as long as those of training; on straight lines only
        for uniform latents
    Exit code: 0
    Lost: nothing
    """
    drawn = []
    sampler = dataclasses.replace(sampler, distribution=LatentDistribution(normal), z_dim=64)
    object.__setattr__(
        sampler,
        "generate",
        lambda z, labels: drawn.append(z) or np.zeros([len(z), 8, 8, 1], np.uint8),
    )
    sampling.write_interpolation(sampler, str(tmp_path / "i.png"), rows=6, columns=5)
    z = drawn[0].reshape(6, 5, 64)
    ends = sampler.draw_z(12, 0).reshape(6, 2, 64)
    np.testing.assert_allclose(z[:, [0, -1]], ends, atol=1e-5)
    lengths = np.linalg.norm(z, axis=-1)
    np.testing.assert_allclose(lengths[:, 2], lengths[:, [0, -1]].mean(axis=1), rtol=1e-6)
    assert (np.linalg.norm(ends.mean(axis=1), axis=-1) < 0.85 * lengths[:, 2]).all()
    # Halfway, the direction is that of the sum of both ends of equal length.
    unit = ends / np.linalg.norm(ends, axis=-1, keepdims=True)
    middle = unit.sum(axis=1) / np.linalg.norm(unit.sum(axis=1), axis=-1, keepdims=True)
    np.testing.assert_allclose(z[:, 2] / lengths[:, 2:3], middle, atol=1e-6)


def test_interpolation_without_classes_and_of_one_class(sampler, unconditional, tmp_path):
    path = sampling.write_interpolation(unconditional, str(tmp_path / "u.png"), 2, 3)
    assert _read(path).shape == grids.image_grid(np.zeros([6, 8, 8, 1], np.uint8), 3).shape
    path = sampling.write_interpolation(sampler, str(tmp_path / "c.png"), 2, 3, classes=[2])
    rows = [np.zeros([3, 8, 8, 1], np.uint8)] * 2
    assert _read(path).shape == grids.class_grid(rows, ["bright", "bright"]).shape


def test_classes_are_found_by_name_and_number(sampler, unconditional):
    assert sampling.find_class(sampler, None) is None
    assert sampling.find_class(sampler, "middle") == 1
    assert sampling.find_class(sampler, "2") == 2
    with pytest.raises(UserError, match="Did you mean 'middle'"):
        sampling.find_class(sampler, "midle")
    with pytest.raises(UserError, match="Unknown class '3'"):
        sampling.find_class(sampler, "3")
    with pytest.raises(UserError, match="unconditional: it cannot draw the class 'dark'"):
        sampling.find_class(unconditional, "dark")


@pytest.mark.parametrize(
    ("classes", "sentence"),
    (([3], "Unknown class '3'"), ([-1], "Unknown class '-1'"), ([], "at least one class")),
)
@pytest.mark.parametrize("write", ("images", "grid", "interpolation", "video"))
def test_classes_that_do_not_exist_are_refused(
    sampler, unconditional, tmp_path, write, classes, sentence
):
    """Not drawn as images of no class."""
    arguments = {"images": (2,), "grid": (2,), "interpolation": (2, 3), "video": ([0, 1],)}[write]
    function = getattr(sampling, f"write_{write}")
    path = str(tmp_path / ("a" if write == "images" else "a.gif"))
    with pytest.raises(UserError, match=sentence):
        function(sampler, path, *arguments, classes=classes)
    with pytest.raises(UserError, match="This model is unconditional"):
        function(unconditional, path, *arguments, classes=["dark"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", ("images", "grid", "interpolation", "video"))
def test_classes_are_given_by_name_or_number(sampler, tmp_path, write):
    arguments = {"images": (2,), "grid": (2,), "interpolation": (2, 3), "video": ([0, 1],)}[write]
    contents = []
    for classes in (["bright", "dark"], (2, 0)):
        path = tmp_path / ("a.npz" if write == "images" else "a.gif")
        options = {"frames": 4, "duration": 0.4} if write == "video" else {}
        getattr(sampling, f"write_{write}")(
            sampler, str(path), *arguments, classes=classes, **options
        )
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
