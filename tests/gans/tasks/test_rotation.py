"""The rotation task against NumPy's rot90 and the 2019 library's batch."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.gans.tasks import RotationTask, Seen, check_square, rotate_90

GOLDEN = np.load(pathlib.Path(__file__).parents[2] / "data" / "gans_golden.npz", allow_pickle=False)
N = int(GOLDEN["rot/in/num_rot_examples"])


@pytest.mark.parametrize("times", range(-1, 6))
@pytest.mark.parametrize("dtype", (np.float32, np.uint8))
def test_rotation_is_numpys(times, dtype):
    images = np.random.RandomState(0).uniform(0, 255, size=(3, 5, 5, 2)).astype(dtype)
    np.testing.assert_array_equal(
        rotate_90(tf.constant(images), times), np.rot90(images, times, axes=(1, 2))
    )


def test_rotated_images_are_those_of_the_2019_library(assert_golden):
    """Two originals, then both rotated by each angle."""
    recorded = GOLDEN["rot/rotate_images_0123"]
    found = np.concatenate([rotate_90(recorded[:2], times) for times in range(4)])
    assert_golden("rot", "rot/rotate_images_0123", found, recorded, rtol=0)


def test_added_examples_are_those_of_the_2019_library(assert_golden):
    """Each half: its own images, then the rotated copies of n of them, with their labels.

    The 2019 library rotates the last n = 2 of 4 images, this one the second and the fourth: so the
    middle two are swapped. The SSGAN of 2019 paired rotated fakes with the labels of real images;
    its S3GAN and this library do not.
    """
    task, features, labels = RotationTask(lambda batch_size: N), [], []
    for which in ("real", "fake"):
        images, y = GOLDEN[f"rot/in/{which}"], GOLDEN[f"rot/in/{which}_labels"]
        extra_images, extra_y = task.extra_examples(images[[0, 2, 1, 3]], y[[0, 2, 1, 3]])
        features += [images, extra_images]
        labels += [y, extra_y]
    for name, found in (("features", features), ("labels", labels)):
        key = f"rot/merged_{name}"
        assert_golden("rot", key, np.concatenate(found), GOLDEN[key], rtol=0)


@pytest.mark.parametrize(("batch_size", "n"), ((8, 8), (8, 4), (8, 2), (8, 1), (8, 3), (5, 2)))
def test_parts_of_a_batch_rotate_the_same_images_as_the_whole(batch_size, n):
    def turned(images, n):
        extra, _ = RotationTask(lambda _: n).extra_examples(images, None)
        return tf.reshape(extra, [3, n])[0].numpy().tolist()

    images = tf.reshape(tf.range(batch_size), [batch_size, 1, 1, 1])
    whole = turned(images, n)
    assert len(set(whole)) == n and whole[-1] == batch_size - 1
    if batch_size % n == 0 and n > 1:
        halves = [turned(part, n // 2) for part in tf.split(images, 2)]
        assert halves[0] + halves[1] == whole


def test_missing_labels_stay_missing():
    assert RotationTask(lambda _: 1).extra_examples(tf.zeros([2, 3, 3, 1]), None)[1] is None


def _seen(rotations):
    """Outputs that predict the `rotations` of two of four images and of their copies."""
    logits = 30 * np.eye(4, dtype=np.float32)[rotations]
    upright = np.zeros((4, 4), np.float32)
    upright[[1, 3]] = logits[:2]
    return Seen(tf.constant(upright), tf.constant(logits[2:]), None)


def test_targets_are_the_2019_librarys():
    task = RotationTask(lambda _: N, weight_d=2.0, weight_g=0.5)
    right, wrong = _seen(GOLDEN["rot/rotation_labels"]), _seen(GOLDEN["rot/rotation_labels"][::-1])
    # exp(-30) vanishes in float32.
    d = task.discriminator_terms(real=right, fake=wrong)
    assert float(d.total) < 1e-6 and float(d.measures["rotation_accuracy_real"]) == 1
    g = task.generator_terms(fake=wrong)
    np.testing.assert_allclose(g.parts["rotation_loss_fake"], 30.0, rtol=1e-6)
    np.testing.assert_allclose(g.total, 15.0, rtol=1e-6)
    assert float(g.measures["rotation_accuracy_fake"]) == 0


def test_each_network_learns_from_its_own_images_only():
    task, seen = RotationTask(lambda _: N), _seen(GOLDEN["rot/rotation_labels"])
    d, g = task.discriminator_terms(real=seen, fake=None), task.generator_terms(fake=seen)
    assert (set(d.parts), set(d.measures)) == ({"rotation_loss_real"}, {"rotation_accuracy_real"})
    assert (set(g.parts), set(g.measures)) == ({"rotation_loss_fake"}, {"rotation_accuracy_fake"})


def test_images_that_are_not_square_are_refused():
    check_square((4, 4, 3))
    with pytest.raises(UserError, match="needs square images, received 4x6"):
        check_square((4, 6, 3))
