"""Pictures of samples: what stands where."""

import numpy as np
import pytest
from PIL import Image

from compare_gan.errors import UserError
from compare_gan.evaluation import drawing, sampling
from compare_gan.report import grids

Z_DIM, CLASSES = 4, 3
_NAMES = ["dark", "middle", "bright"]


def _samples(model, labels, seed=0, truncation=1.0):
    z = sampling.sample_latents(len(labels), Z_DIM, seed, truncation)
    return sampling.generate(model.generator, z, np.array(labels), model.num_classes)


def _read(path):
    picture = np.asarray(Image.open(path))
    return picture[..., None] if picture.ndim == 2 else picture


def test_a_grid_has_one_class_a_row(model, tmp_path):
    path = drawing.write_grid(model, str(tmp_path / "grid.png"), columns=4, seed=2, truncation=0.5)
    images = _samples(model, [0] * 4 + [1] * 4 + [2] * 4, seed=2, truncation=0.5)
    np.testing.assert_array_equal(_read(path), grids.class_grid(np.split(images, 3), _NAMES))


def test_a_grid_of_one_class(model, tmp_path):
    path = drawing.write_grid(model, str(tmp_path / "grid.png"), columns=4, label=2)
    expected = grids.class_grid([_samples(model, [2] * 4)], ["bright"])
    np.testing.assert_array_equal(_read(path), expected)


def test_a_grid_without_classes_has_ten_rows(unconditional):
    picture = drawing.sample_grid(unconditional.generator, Z_DIM, None, columns=3)
    z = sampling.sample_latents(30, Z_DIM, 0)
    images = sampling.generate(unconditional.generator, z, None, None, batch_size=30)
    np.testing.assert_array_equal(picture, grids.image_grid(images, 3))


def test_at_most_ten_classes_are_drawn_and_numbered(make_generator):
    generator = make_generator(num_classes=12)
    picture = drawing.sample_grid(generator, Z_DIM, 12, columns=2)
    images, _ = sampling.sample_images(generator, 20, 20, Z_DIM, 12, 0, np.repeat(np.arange(10), 2))
    names = [str(i) for i in range(10)]
    np.testing.assert_array_equal(picture, grids.class_grid(np.split(images, 10), names))


def test_interpolation_goes_from_latent_to_latent(model, tmp_path):
    path = drawing.write_interpolation(model, str(tmp_path / "i.png"), rows=4, columns=5)
    ends = sampling.sample_latents(8, Z_DIM, 0).reshape(4, 2, Z_DIM)
    z = np.stack([[(1 - t) * a + t * b for t in np.linspace(0, 1, 5)] for a, b in ends])
    labels = np.repeat([0, 1, 2, 0], 5)
    images = sampling.generate(model.generator, z.reshape(20, Z_DIM), labels, CLASSES)
    expected = grids.class_grid(np.split(images, 4), ["dark", "middle", "bright", "dark"])
    # Latents that differ in the last bit round to neighbouring levels at most.
    assert np.abs(_read(path).astype(int) - expected).max() <= 1


def test_interpolation_without_classes_and_of_one_class(model, unconditional, tmp_path):
    path = drawing.write_interpolation(unconditional, str(tmp_path / "u.png"), 2, 3)
    assert _read(path).shape == grids.image_grid(np.zeros([6, 8, 8, 1], np.uint8), 3).shape
    path = drawing.write_interpolation(model, str(tmp_path / "c.png"), 2, 3, label=2)
    rows = [np.zeros([3, 8, 8, 1], np.uint8)] * 2
    assert _read(path).shape == grids.class_grid(rows, ["bright", "bright"]).shape


def test_classes_are_found_by_name_and_number(model, unconditional):
    assert drawing.find_class(model, None) is None
    assert drawing.find_class(model, "middle") == 1
    assert drawing.find_class(model, "2") == 2
    with pytest.raises(UserError, match="Did you mean 'middle'"):
        drawing.find_class(model, "midle")
    with pytest.raises(UserError, match="Unknown class '3'"):
        drawing.find_class(model, "3")
    with pytest.raises(UserError, match="unconditional: it cannot draw the class 'dark'"):
        drawing.find_class(unconditional, "dark")
