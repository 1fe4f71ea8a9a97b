"""The grid of real images; tests/sampling/test_drawing.py tests the grid of samples."""

import numpy as np
import pytest
from PIL import Image

from compare_gan.training.pictures import PictureTaker
from compare_gan.training.summaries import Summaries


@pytest.fixture(name="draw")
def _draw(tmp_path, make_trainer, monkeypatch):
    """Draws the grid of real images with these labels; None if there is no picture."""

    def draw(labels, *bindings):
        trainer = make_trainer(tmp_path, *bindings)
        value = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
        images = np.broadcast_to(value, (len(labels), 8, 8, 3))

        def eval_batches(dataset, split, batch_size, num_examples, shown_only):
            assert split == "train" and shown_only  # Hidden labels do not reach the picture.
            starts = range(0, min(num_examples, len(labels)), batch_size)
            rows = (slice(start, min(start + batch_size, num_examples)) for start in starts)
            return [(images[own], np.array(labels, np.int32)[own]) for own in rows]

        monkeypatch.setattr("compare_gan.training.pictures.eval_batches", eval_batches)
        # The first training step does not wait for a generator that only later pictures need.
        monkeypatch.setattr(trainer.state, "make_sampling_generator", None)
        run = trainer.run
        summaries = Summaries(run.log, run.tensorboard)
        PictureTaker(trainer.experiment, trainer.state, run, summaries).real()
        path = tmp_path / "samples" / "real.png"
        return np.asarray(Image.open(path)) if path.exists() else None

    return draw


def test_each_row_holds_the_first_ten_labelled_images_of_a_class(draw):
    labels = [0, 1, -1, 1, 3, *[0] * 12]
    picture = draw(labels)
    margin = picture.shape[1] - (10 * 58 + 2)
    centres = picture[30::58, margin + 30 :: 58, 0]
    white = 255
    np.testing.assert_array_equal(centres[0], [0, *range(5, 14)])
    np.testing.assert_array_equal(centres[1], [1, 3, *[white] * 8])
    np.testing.assert_array_equal(centres[2], [white] * 10)
    np.testing.assert_array_equal(centres[3], [4, *[white] * 9])


def test_without_a_labelled_image_there_is_no_picture(draw):
    assert draw([-1] * 30) is None


def test_an_unconditional_run_shows_a_hundred(draw):
    unconditional = [f"S3GAN.{o} = False" for o in ("conditional", "project_y", "use_predictor")]
    picture = draw([-1] * 120, *unconditional)
    np.testing.assert_array_equal(picture[30::58, 30::58, 0].ravel(), np.arange(100))
