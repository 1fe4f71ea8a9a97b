import numpy as np
import pytest
from PIL import Image

from compare_gan.plots import class_grid, image_grid, save_png


def _images(n, side=56, channels=1):
    """Image i is filled with the value i + 1."""
    return np.arange(1, n + 1, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, side, side, channels), np.uint8
    )


def test_image_grid_runs_left_to_right_and_top_to_bottom():
    grid = image_grid(_images(5), columns=3)
    assert grid.shape == (2 * 58 + 2, 3 * 58 + 2, 1)
    centres = grid[30::58, 30::58, 0]
    np.testing.assert_array_equal(centres, [[1, 2, 3], [4, 5, 255]])
    # The gaps are white.
    assert set(np.unique(grid[:2])) == {255}


@pytest.mark.parametrize(("side", "enlarged"), ((8, 56), (28, 56), (32, 64), (64, 64), (100, 100)))
def test_small_images_are_enlarged_by_whole_numbers(side, enlarged):
    image = np.random.RandomState(0).randint(0, 255, (1, side, side, 3), np.uint8)
    grid = image_grid(image, columns=1)
    factor = enlarged // side
    inner = grid[2:-2, 2:-2]
    np.testing.assert_array_equal(inner, np.kron(image[0], np.ones((factor, factor, 1), np.uint8)))


def test_class_grid_writes_names_before_rows_that_may_be_short():
    rows = [_images(3, channels=3), _images(0, channels=3), _images(1, channels=3)]
    grid = class_grid(rows, ["short", "none", "a longer name"])
    plain = image_grid(_images(9, channels=3), columns=3)
    margin = grid.shape[1] - plain.shape[1]
    assert grid.shape[0] == plain.shape[0] and margin > 20
    centres = grid[30::58, margin + 30 :: 58, 0]
    np.testing.assert_array_equal(centres, [[1, 2, 3], [255, 255, 255], [1, 255, 255]])
    # There is ink in the margin of each row with a name, more of it for the longer name.
    ink = [(grid[top : top + 56, :margin] < 128).sum() for top in (2, 60, 118)]
    assert min(ink) > 0 and ink[2] > ink[1]


@pytest.mark.parametrize("channels", (1, 3))
def test_png_round_trip_leaves_no_temporary_file(tmp_path, channels):
    picture = np.random.RandomState(0).randint(0, 255, (5, 7, channels), np.uint8)
    save_png(picture, str(tmp_path / "new" / "picture.png"))
    read = np.asarray(Image.open(tmp_path / "new" / "picture.png")).reshape(picture.shape)
    np.testing.assert_array_equal(read, picture)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["picture.png"]


def test_a_png_that_cannot_be_put_in_its_place_leaves_no_temporary_file(tmp_path):
    (tmp_path / "picture.png" / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        save_png(np.zeros([5, 7, 3], np.uint8), str(tmp_path / "picture.png"))
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
