import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.engine.checkpoints import list_checkpoints, step_of
from compare_gan.errors import DivergenceError
from compare_gan.labels.backbone import BackboneOptions, make_backbone
from compare_gan.labels.pretext import PretextOptions, PretextTask, _AdamW, shifted


@pytest.fixture
def make_task(make_dataset):
    def make(supervised=True, strategy=None, **options):
        strategy = strategy or tf.distribute.get_strategy()
        options = dict(training_steps=4, batch_size=6, labeled_batch_size=4) | options
        with strategy.scope():
            backbone = make_backbone(BackboneOptions(width=4, units=(1, 1)), (8, 8, 1), seed=3)
        dataset = make_dataset()
        return PretextTask(backbone, dataset, PretextOptions(**options), supervised, 5, strategy)

    return make


def _values(task):
    return {name: variable.numpy() for name, variable in task.variables().items()}


def test_images_are_shifted_and_their_edges_fill_in():
    images = np.random.default_rng(0).integers(0, 256, [9, 5, 6, 2], np.uint8)
    moves = np.array([(i, j) for i in (-2, 0, 1) for j in (-1, 0, 2)])
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    expected = [padded[k, 2 + i : 2 + i + 5, 2 + j : 2 + j + 6] for k, (i, j) in enumerate(moves)]
    moved = shifted(tf.constant(images), tf.constant(moves + 2, tf.int32), limit=2)
    np.testing.assert_array_equal(moved, expected)


def test_the_loss_is_a_mean_over_four_rotations_and_labelled_images(make_task):
    task = make_task(weight_class_loss=0.5, max_shift=0)
    rng = np.random.default_rng(1)
    for head in task._heads.values():  # Their initial weights are zeros.
        head.set_weights([rng.normal(size=w.shape) for w in head.get_weights()])
    batch = next(iter(task.batches(1, [0])))
    images, labels = batch["images"].numpy(), batch["labels"].numpy()
    assert images.shape == (10, 8, 8, 1) and labels.shape == (4,)
    turned = np.concatenate([np.rot90(images, k, axes=(1, 2)) for k in range(4)]) / 255
    # Batch norm sees all of them together.
    pooled = task._backbone(turned.astype(np.float32), training=True)["pooled"].numpy()

    def cross_entropy(head, features, targets):
        kernel, bias = task._heads[head].get_weights()
        logits = features @ kernel + bias
        return np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(targets)), targets])

    rotation = cross_entropy("rotation", pooled, np.repeat(np.arange(4), 10))
    labelled = np.concatenate([pooled[10 * k + 6 : 10 * k + 10] for k in range(4)])
    classes = cross_entropy("class", labelled, np.tile(labels, 4))
    loss, values = task._loss(batch)
    np.testing.assert_allclose(loss, rotation + 0.5 * classes, rtol=1e-5)
    np.testing.assert_allclose([values[0], values[2]], [rotation, classes], rtol=1e-5)


def test_labelled_images_come_with_their_labels(make_task, arrays):
    images, true = arrays
    label_of = {image.tobytes(): label for image, label in zip(images, true, strict=True)}
    seen = set()
    for batch in make_task().batches(1, [0]).take(12).as_numpy_iterator():
        few = batch["images"][6:]
        assert [label_of[image.tobytes()] for image in few] == batch["labels"].tolist()
        seen |= {image.tobytes() for image in few}
    assert len(seen) == 12  # All labelled images and no others.


def test_replicas_share_the_batch(make_task):
    whole = next(iter(make_task().batches(1, [0])))
    parts = list(make_task().batches(2, [0, 1]).take(2).as_numpy_iterator())
    unlabelled = np.concatenate([part["images"][:3] for part in parts])
    np.testing.assert_array_equal(unlabelled, whole["images"][:6])
    np.testing.assert_array_equal(
        np.concatenate([part["labels"] for part in parts]), whole["labels"]
    )


def test_a_resumed_training_ends_in_the_same_bits(make_task, tmp_path, monkeypatch, eagerly):
    """That of compiled steps: `test_main_job.py`."""
    whole = make_task()
    start = _values(whole)
    whole.train(str(tmp_path / "whole"))

    def kill(line, step, text):
        if step == 3:
            raise KeyboardInterrupt

    options = {"save_checkpoints_steps": 1}
    monkeypatch.setattr("compare_gan.labels.pretext.ProgressLine.update", kill)
    with pytest.raises(KeyboardInterrupt):
        make_task(**options).train(str(tmp_path / "killed"))
    monkeypatch.undo()
    resumed = make_task(**options)
    resumed.train(str(tmp_path / "killed"))
    expected, actual = _values(whole), _values(resumed)
    assert actual.keys() == expected.keys() and int(actual["step"]) == 4
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    changed = [name for name in start if not np.array_equal(start[name], expected[name])]
    assert len(changed) > 0.9 * len(start)


def test_the_optimizer_is_keras_s_with_one_learning_rate_for_all_variables():
    class Schedule(keras.optimizers.schedules.CosineDecay):
        calls = 0

        def __call__(self, step):
            self.calls += 1
            return super().__call__(step)

    def trained(make):
        variables = [tf.Variable([1.0, -2.0]), tf.Variable([[0.5]])]
        schedule = Schedule(0.0, 8, warmup_target=0.1, warmup_steps=2)
        optimizer = make(schedule, weight_decay=0.3, name="adamw")
        optimizer.build(variables)
        update = tf.function(lambda: optimizer.apply([v**3 for v in variables], variables))
        update.get_concrete_function()
        traced, rates = schedule.calls, []
        for _ in range(4):
            update()
            rates.append(float(optimizer.learning_rate))
        return [v.numpy() for v in variables], rates, traced

    expected, rates, traced = trained(keras.optimizers.AdamW)
    assert traced > 1  # Otherwise Keras has learned it, and `_AdamW` is superfluous.
    actual, own_rates, traced = trained(_AdamW)
    assert traced == 1
    assert own_rates == rates and len(set(rates)) == 4  # Not that of an earlier update.
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_signal_ends_the_training_with_a_checkpoint(make_task, tmp_path, monkeypatch, eagerly):
    def update(line, step, text):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("compare_gan.labels.pretext._STEPS_PER_CALL", 1)
    monkeypatch.setattr("compare_gan.labels.pretext.ProgressLine.update", update)
    with pytest.raises(KeyboardInterrupt, match="stopped at pretext step 3, checkpoint saved"):
        make_task().train(str(tmp_path))
    assert [step_of(path) for path in list_checkpoints(str(tmp_path / "checkpoints"))] == [3]


def test_divergence_is_reported(make_task, tmp_path, eagerly):
    task = make_task(supervised=False)
    task._backbone.trainable_variables[0].assign(
        keras.ops.full(task._backbone.trainable_variables[0].shape, np.nan)
    )
    with pytest.raises(DivergenceError, match=r"diverged at step 1: lower pretext.learning_rate"):
        task.train(str(tmp_path))
