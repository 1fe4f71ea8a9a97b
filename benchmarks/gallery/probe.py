"""How much a discriminator knows about classes through training: a linear probe of its features.

    python benchmarks/gallery/probe.py runs/rotation/runs/* --output docs/gallery/probe.jsonl

Softmax regression on the features of the layer before the logit, trained on four fifths of the
images and tested on the others, for every checkpoint of each run. A discriminator that forgets
shows an accuracy that falls while training goes on (https://arxiv.org/abs/1811.11212, section 3).
The features do not depend on the label of an image, which only the projection sees. Each
accuracy is a line of JSON; a checkpoint that has a line there is not repeated.
"""

import json
import os
import pathlib
from collections.abc import Iterable

import click
import numpy as np

_BATCH = 500
_HELD_OUT = 5  # Every fifth image is tested.
_STRENGTHS = (1e-3, 1e-4, 1e-5)


def probe(features: np.ndarray, labels: np.ndarray, num_classes: int) -> float:
    """The accuracy on held-out images of a softmax regression, float32 [n, d], int [n]."""
    from compare_gan.labels import train_classifier

    tested = np.arange(len(labels)) % _HELD_OUT == 0
    classifier = train_classifier(
        features[~tested], labels[~tested], num_classes, strengths=_STRENGTHS
    )
    predicted = classifier.probabilities(features[tested]).argmax(axis=1)
    return float(np.mean(predicted == labels[tested]))


def read_images(run_dir) -> tuple[np.ndarray, np.ndarray, int]:
    """The images that a run is trained on, float32 [n, H, W, C], their true labels and classes."""
    from compare_gan import config, datasets

    with config.bindings_kept():
        config.parse([run_dir.config])
        dataset = datasets.get_dataset(datasets.DataOptions.from_gin())
        pairs = list(datasets.eval_batches(dataset, "train", _BATCH))
    images = np.concatenate([images for images, _ in pairs]).astype(np.float32) / 255
    return images, np.concatenate([labels for _, labels in pairs]), dataset.num_classes


def features_of(gan, images: np.ndarray) -> np.ndarray:
    """The discriminator's features of images, float32 [n, d]."""
    import keras
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def compute(batch):
        labels = tf.zeros([tf.shape(batch)[0], gan.num_classes]) if gan.conditional else None
        return gan.discriminator((batch, labels), training=False)[1]

    starts = range(0, len(images), _BATCH)
    parts = [compute(tf.constant(images[start : start + _BATCH])) for start in starts]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def probe_runs(runs: Iterable[str], output: str) -> None:
    """Probes every checkpoint of some run directories; adds the lines that `output` lacks."""
    from compare_gan.startup import prepare_tensorflow

    prepare_tensorflow()
    from compare_gan import engine
    from compare_gan.training import RunDir

    path = pathlib.Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text().splitlines() if path.exists() else []
    done = {(line["run"], line["step"]) for line in map(json.loads, lines)}
    for folder in runs:
        run_dir = RunDir(folder)
        name = os.path.basename(os.path.normpath(folder))
        steps = [engine.step_of(path) for path in run_dir.list_checkpoints()]
        left = [step for step in steps if (name, step) not in done]
        if not left:
            continue
        images, labels, num_classes = read_images(run_dir)
        for step in left:
            gan = run_dir.load(step, use_ema=False).state.gan
            accuracy = probe(features_of(gan, images), labels, num_classes)
            with path.open("a") as file:
                file.write(json.dumps({"run": name, "step": step, "accuracy": accuracy}) + "\n")
            print(f"{name}, step {step}: {accuracy:.4f}", flush=True)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--output", required=True, help="File of the accuracies, one line of JSON each.")
def main(runs, output):
    """Probe every checkpoint of the RUNS."""
    probe_runs(runs, output)


if __name__ == "__main__":
    main()
