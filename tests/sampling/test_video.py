"""Videos: a closed walk, one row for each class."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import UserError
from compare_gan.plots import class_grid, image_grid, save_gif
from compare_gan.sampling import write_video
from compare_gan.sampling.video import closed_walk


def _frames(path):
    """The frames of a GIF, uint8 [h, w, 3], and their durations in milliseconds."""
    frames, durations = [], []
    with Image.open(path) as video:
        for i in range(video.n_frames):
            video.seek(i)
            frames.append(np.asarray(video.convert("RGB")))
            durations.append(video.info["duration"])
        assert video.info["loop"] == 0  # For ever.
    return frames, durations


@pytest.mark.parametrize("on_arcs", (False, True))
def test_a_walk_is_closed_passes_all_points_and_is_smooth(on_arcs):
    points = np.random.default_rng(0).normal(size=[5, 64])
    z = closed_walk(points, 400, on_arcs)
    np.testing.assert_allclose(z[::80], points, atol=1e-12)
    steps = np.linalg.norm(np.roll(z, -1, axis=0) - z, axis=1)
    changes = np.linalg.norm(np.roll(z, -1, axis=0) - 2 * z + np.roll(z, 1, axis=0), axis=1)
    # The speed rises to 1.5 times the mean of a leg, and legs differ; each step is like the one
    # before, at the points as well, where a constant speed would change by more than a whole step.
    assert steps.max() < 2 * steps.mean() and changes.max() < 0.1 * steps.max()


def test_a_walk_on_arcs_keeps_the_length_of_normal_latents():
    points = np.random.default_rng(0).normal(size=[4, 256])
    lengths = np.linalg.norm(points, axis=1)
    on_arcs, straight = (
        np.linalg.norm(closed_walk(points, 64, each), axis=1) for each in (True, False)
    )
    assert lengths.min() - 1e-9 < on_arcs.min() and on_arcs.max() < lengths.max() + 1e-9
    assert straight.min() < 0.8 * lengths.min()


def test_the_frames_are_images_of_the_walk(unconditional, tmp_path):
    path = write_video(unconditional, str(tmp_path / "a.gif"), [4, 0, 9], frames=9, duration=1)
    frames, durations = _frames(path)
    z = closed_walk(unconditional.draw_z(10, 0)[[4, 0, 9]], 9, on_arcs=False)
    images = unconditional.generate(z)
    assert len(frames) == 9
    for frame, image in zip(frames, images, strict=True):  # Gray levels are exact.
        np.testing.assert_array_equal(frame[..., :1], image_grid(image[None], 1))
    assert sum(durations) == 1000 and set(durations) == {110, 120}


def test_classes_walk_through_the_same_latents_in_rows(sampler, tmp_path):
    sampler = dataclasses.replace(sampler, distribution=LatentDistribution(normal))
    path = write_video(
        sampler, str(tmp_path / "a.gif"), [0, 1], seed=2, classes=[2, 0], frames=4, duration=0.4
    )
    z = closed_walk(sampler.draw_z(2, 2), 4, on_arcs=True)
    rows = np.stack([sampler.generate(z, np.full([4], label)) for label in (2, 0)])
    frames, _ = _frames(path)
    for i, frame in enumerate(frames):
        expected = class_grid(list(rows[:, i : i + 1]), ["bright", "dark"])
        assert np.abs(frame[..., :1].astype(int) - expected).max() <= 1  # Another batch size.


def test_without_a_choice_all_classes_have_a_row(sampler, tmp_path):
    path = write_video(sampler, str(tmp_path / "a.GIF"), [0, 1], frames=2, duration=0.1)
    assert _frames(path)[0][0].shape[0] == 3 * 58 + 2


def test_colour_is_close_and_equal_frames_keep_their_time(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = np.stack([ramp, ramp.T, 255 - ramp], axis=-1)
    save_gif([colour, colour, colour[::-1]], str(tmp_path / "a.gif"), 0.3)
    frames, durations = _frames(tmp_path / "a.gif")
    np.testing.assert_allclose(frames[0], colour, atol=24)
    np.testing.assert_allclose(frames[-1], colour[::-1], atol=24)
    assert durations == [200, 100]


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        (dict(path="a.mp4"), r"must end in \.gif, received 'a\.mp4'"),
        (dict(path="a.gif\n"), r"must end in \.gif"),
        (dict(frames=0), "frames must be a positive integer, received 0"),
        (dict(numbers=[0, -1]), r"must be integers from 0, received \[0, -1\]"),
        (dict(numbers=[3]), r"at least two samples to walk between, received \[3\]"),
        (dict(frames=51, duration=1.0), "at most 50 frames per second, received 51 frames in 1 s"),
    ),
)
def test_videos_that_cannot_be(sampler, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        write_video(sampler, **{"path": "a.gif", "numbers": [0, 1], **options})
    assert not list(tmp_path.iterdir())
