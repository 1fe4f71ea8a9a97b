"""Images of a run: stored grids cut apart, neighbours, PRD, and labels compared with the truth."""

import numpy as np
import pytest

from compare_gan import files
from compare_gan.augmentations import APA, DiffAugment, InstanceNoise, NoAugmentation
from compare_gan.datasets import ArraySource, Dataset
from compare_gan.labels.files import write_inferred_labels
from compare_gan.plots import class_grid, image_grid, save_png
from compare_gan.report import run_augmentations, run_images, run_labels, run_neighbours
from compare_gan.report.absent import AbsentError
from compare_gan.report.run_pictures import label_blocks
from compare_gan.report.run_records import Courses
from compare_gan.sampling import Sampler
from compare_gan.training.run_dir import RunDir

_SHAPE = (8, 8, 1)


def _pictures(*lead, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*lead, *_SHAPE), dtype=np.uint8)


@pytest.fixture(name="run")
def _run(tmp_path):
    description = {
        "version": 1,
        "dataset": "mine",
        "image_shape": _SHAPE,
        "num_classes": 3,
        "class_names": ["cat", "dog", "<eel>"],
    }
    files.write_json(str(tmp_path / "model.json"), description)
    return RunDir(tmp_path)


def _store(run, name, rows, names):
    save_png(class_grid(list(rows), names), f"{run.samples}/{name}")


def test_evolution_cuts_the_stored_grids_apart(run):
    frames = _pictures(4, 3, 10)
    for step, frame in zip((30, 10, 20, 100), frames, strict=True):
        _store(run, f"step_{step:07}.png", frame, ["cat", "dog", "<eel>"])
    evolution = run_images.read_evolution(run)
    assert evolution.steps == [10, 20, 30, 100] and evolution.names == ["cat", "dog", "<eel>"]
    np.testing.assert_array_equal(evolution.frames, frames[[1, 2, 0, 3]])


def test_real_rows_may_be_short(run):
    rows = [_pictures(4), _pictures(2), _pictures(0)]
    save_png(class_grid(rows, ["cat", "dog", "<eel>"]), f"{run.samples}/real.png")
    real = run_images.real_images(run)
    assert real.images.shape == (3, 4, *_SHAPE) and real.names == ["cat", "dog", "<eel>"]
    np.testing.assert_array_equal(real.images[0], rows[0])
    np.testing.assert_array_equal(real.images[1, :2], rows[1])
    assert (real.images[1, 2:] == 255).all() and (real.images[2] == 255).all()


def test_evolution_is_thinned_and_keeps_both_ends(run):
    pictures = _pictures(10)
    for step in range(1, 61):
        save_png(image_grid(pictures, 10), f"{run.samples}/step_{step:07}.png")
    evolution = run_images.read_evolution(run)
    assert len(evolution.steps) == len(evolution.frames) == run_images.MOST_FRAMES
    assert (evolution.steps[0], evolution.steps[-1], evolution.available) == (1, 60, 60)
    assert evolution.names == []  # The grid of an unconditional generator.


def test_large_images_make_few_and_small_frames(run):
    description = {"dataset": None, "image_shape": [256, 256, 3], "num_classes": None,
                   "class_names": None}  # fmt: skip
    files.write_json(run.file("model.json"), description)
    picture = image_grid(np.zeros((20, 256, 256, 3), np.uint8), 10)
    for step in range(24):
        save_png(picture, f"{run.samples}/step_{step:07}.png", compress_level=1)
    frames = run_images.read_evolution(run).frames
    assert frames.shape == (24, 2, 3, 64, 64, 3) and frames.nbytes < 2_000_000


def test_what_is_no_grid_is_absent(run):
    with pytest.raises(AbsentError, match="there are 0"):
        run_images.read_evolution(run)
    with pytest.raises(AbsentError, match=r"real\.png"):
        run_images.real_images(run)
    save_png(_pictures(1)[0], f"{run.samples}/real.png")
    with pytest.raises(AbsentError, match="is not a grid"):
        run_images.real_images(run)
    with pytest.raises(AbsentError, match=r"No checkpoint\. No grid"):
        run_images.stored_samples(run, "No checkpoint.")


def test_the_newest_stored_grid_stands_for_samples_that_cannot_be_drawn(run):
    rows = _pictures(3, 10)
    _store(run, "step_0000005.png", rows[::-1], ["cat", "dog", "<eel>"])
    _store(run, "step_0000010.png", rows, ["cat", "dog", "<eel>"])
    samples = run_images.stored_samples(run, "No checkpoint.")
    np.testing.assert_array_equal(samples.images, rows)
    assert samples.origin == "The stored grid of step 10. No checkpoint."


def _sampler(**options):
    def network(inputs, training):
        z, y = inputs
        gray = z[:, :1] ** 2 / 4 if y is None else y[:, :1]
        return gray[:, :, None, None] * np.ones([1, *_SHAPE], np.float32)

    return Sampler(network, z_dim=4, image_shape=_SHAPE, **options)


def test_samples_have_a_row_for_each_class():
    rows = run_images.draw_samples(_sampler(num_classes=3, class_names=["a", "b", "c"]), step=7)
    assert rows.images.shape == (3, 10, *_SHAPE) and rows.names == ["a", "b", "c"]
    assert (rows.images[0] == 255).all() and (rows.images[1:] == 0).all()
    assert run_images.draw_samples(_sampler(), step=7).images.shape == (10, 10, *_SHAPE)


def _rows(value, names=("a", "b", "c")):
    images = np.full((3, 4, *_SHAPE), value, np.uint8)
    return run_images.Rows(images=images, names=names, step=None, origin="")


def test_training_images_are_shown_after_each_augmentation_as_it_was_at_the_end():
    courses = Courses(steps=[1, 2, 3], values={"augmentation/apa_p": [0.0, 1.0, None]})
    augmentations = [APA(), DiffAugment("cutout"), NoAugmentation()]
    rows = run_augmentations.show_augmentations(augmentations, _rows(200), _rows(40), courses, 3)
    assert rows.names == ["as they are", "apa, p = 1", "diff_augment", "none", "all of them"]
    assert rows.images.shape == (5, 3, *_SHAPE)  # One of each class.
    assert (rows.images[[0, 3]] == 200).all() and (rows.images[1] == 40).all()
    assert set(np.unique(rows.images[2])) == {128, 200}
    assert set(np.unique(rows.images[4])) == {40, 128}
    assert augmentations[0].p is None
    # Without samples, and before the first step.
    rows = run_augmentations.show_augmentations(augmentations[:1], _rows(200), None, None, 0)
    assert rows.names == ["as they are", "apa, p = 0"] and (rows.images == 200).all()
    with pytest.raises(AbsentError, match="augments no images"):
        run_augmentations.show_augmentations([], _rows(200), None, None, 0)


def test_noise_of_a_schedule_is_that_of_the_step():
    images = np.full((50, *_SHAPE), 128, np.uint8)
    noise = InstanceNoise(lambda step: 0.1 * step)
    # 3,200 pixels: a standard error of 1.3 %, and the rounding of pixels adds less than 1 %.
    spread = run_augmentations.augmented([noise], images, step=1).std() / 255
    assert abs(spread - 0.1) < 0.006


class _Mean:
    """An extractor of two features: the mean, and a constant."""

    name = "mean"

    def __call__(self, images):
        mean = images.mean(axis=(1, 2, 3))
        return np.stack([mean, np.zeros_like(mean)], axis=1), None


@pytest.fixture(name="dataset", scope="module")
def _dataset():
    gray = np.arange(600) % 256
    images = np.broadcast_to(gray[:, None, None, None], (600, *_SHAPE)).astype(np.uint8)
    source = ArraySource.from_arrays({"train": (images, None)})
    return Dataset("gray", source)


def test_neighbours_are_the_nearest_by_features(dataset):
    sets = run_neighbours.compared(_sampler(), dataset, _Mean(), "")
    found = run_neighbours.find_neighbours(sets)
    assert (found.num_compared, found.num_references) == (1000, 600)
    assert found.by == "features of mean" and found.why_pixels == ""
    # Every gray is in the data set: the nearest image is equal.
    np.testing.assert_array_equal(found.neighbours[:, 0], found.samples)
    np.testing.assert_array_equal(found.distances[:, 0], 0)
    assert (np.diff(found.distances) >= 0).all()
    assert found.memorized == 1.0 and found.authentic == 0.0


def test_pixels_are_compared_without_an_extractor(dataset):
    sets = run_neighbours.compared(_sampler(), dataset, None, "No weights.")
    found = run_neighbours.find_neighbours(sets)
    assert (found.by, found.why_pixels) == ("pixels", "No weights.")
    np.testing.assert_array_equal(found.distances[:, 0], 0)
    with pytest.raises(AbsentError, match="No weights"):
        run_neighbours.measure_prd(sets)


def test_prd_of_too_few_images_is_absent_and_of_equal_sets_is_perfect():
    features = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    images = np.zeros((600, *_SHAPE), np.uint8)

    def sets(count):
        return run_neighbours.Compared(
            fake=images[:count], real=images, fake_vectors=features[:count],
            real_vectors=features, by="features of x", extractor="x",
        )  # fmt: skip

    with pytest.raises(AbsentError, match="400 are compared"):
        run_neighbours.measure_prd(sets(400))
    prd = run_neighbours.measure_prd(sets(600))
    assert prd.f8 > 0.999 and prd.f1_8 > 0.999 and len(prd.precision) == 201


@pytest.fixture(name="labelled")
def _labelled(tmp_path):
    """A run on six images, of which four labels are hidden and one is inferred wrongly."""
    true = np.array([0, 1, 0, 1, 1, -1])
    source = ArraySource.from_arrays(
        {"train": (_pictures(6), true)}, class_names=["cat", "dog"], num_classes=2
    )
    given = np.array([True, False, False, False, True, False])
    hard = np.array([0, 1, 1, 1, 1, 0])
    soft = np.full((6, 2), 0.1, np.float32)
    soft[np.arange(6), hard] = 0.9

    def make(soft=soft, hard=hard):
        run = RunDir(tmp_path)
        write_inferred_labels(
            run.labels, list(map(str, range(6))), {}, hard, soft, given, {"seconds": 2.5}
        )
        run.write_training_labels({"version": 2, "method": "classifier", "features": "raw"})
        return run, Dataset("mine", source)

    return make


def test_inferred_labels_are_compared_with_the_hidden_ones(labelled):
    run, dataset = labelled()
    found = run_labels.read_labels(run, run.labels, dataset, "")
    # Hidden and known: images 1, 2, 3.
    np.testing.assert_array_equal(found.truth.matrix, [[0, 1], [0, 2]])
    assert found.truth.accuracy == pytest.approx(2 / 3)
    [wrong] = found.truth.wrong
    assert (wrong.true, wrong.inferred) == ("cat", "dog")
    assert wrong.confidence == pytest.approx(0.9)
    np.testing.assert_array_equal(wrong.image, _pictures(6)[2])
    assert {name: sum(counts) for name, counts in found.confidences.items()} == {
        "right": 2,
        "wrong": 1,
    }
    assert (found.num_given, found.num_images, found.seconds) == (2, 6, 2.5)


def test_shares_of_many_classes_are_those_of_all_images(tmp_path):
    """Of 50 classes the matrix shows 40, but a share is one of all images of the class."""
    classes = run_labels.MOST_CLASSES + 10
    true = np.repeat(np.arange(classes), 2)
    hard = true.copy()
    hard[1::2] = classes - 1  # The second image of each class: a column that is not shown.
    source = ArraySource.from_arrays({"train": (_pictures(len(true)), true)}, num_classes=classes)
    run = RunDir(tmp_path)
    given = np.zeros(len(true), bool)
    soft = np.eye(classes, dtype=np.float32)[hard]
    names = list(map(str, range(len(true))))
    write_inferred_labels(run.labels, names, {}, hard, soft, given, {"seconds": 2.5})
    run.write_training_labels({"version": 2, "method": "classifier", "features": "raw"})
    found = run_labels.read_labels(run, run.labels, Dataset("mine", source), "")
    assert found.truth.matrix.shape == (40, 40) and set(found.truth.totals) == {2}
    html = "".join(
        str(block.__html__()) for block in label_blocks(found) if not isinstance(block, str)
    )
    assert "0, 0: 0.5000" in html and "first 40 of 50 classes" in html


def test_clusters_stand_beside_the_class_that_is_most_frequent_in_them(labelled):
    run, dataset = labelled(soft=None, hard=np.array([0, 0, 2, 0, 1, 1]))
    truth = run_labels.read_labels(run, run.labels, dataset, "").truth
    assert truth.columns[0] == "cluster 2" and truth.matrix[0, 0] == 1
    assert truth.accuracy is None and truth.wrong == ()


def test_labels_without_their_data_set_show_their_confidence(labelled):
    run, _ = labelled()
    found = run_labels.read_labels(run, run.labels, None, "It is elsewhere.")
    assert found.truth is None and found.why_no_truth == "It is elsewhere."
    assert sum(found.confidences["all"]) == 4
    with pytest.raises(AbsentError, match="not here"):
        run_labels.read_labels(run, f"{run.labels}/none", None, "")
