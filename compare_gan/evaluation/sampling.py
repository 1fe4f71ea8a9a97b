"""Images from a generator."""

import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import gin
import numpy as np
import tensorflow as tf

from compare_gan.datasets.latents import draw_eval_z
from compare_gan.errors import DivergenceError, check_positive_integer
from compare_gan.layers.standing_statistics import (
    accumulating_standing_statistics,
    reset_standing_statistics,
    uses_standing_statistics,
)

BATCH_SIZE = 64  # Unless said otherwise.
# The compiled sampler of each generator, for as long as the generator lives.
_samplers: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def sample_latents(num: int, z_dim: int, seed: int, truncation: float = 1.0) -> np.ndarray:
    """Latents by the gin scope `eval_z`.

    Args:
      num: How many.
      z_dim: Dimension of each.
      seed: Equal seeds give equal latents.
      truncation: In (0, 1]; less than 1 narrows the distribution.

    Returns:
      float32 [num, z_dim].
    """
    return np.asarray(draw_eval_z(num, z_dim, seed, truncation), np.float32)


def labels_in_turn(num: int, num_classes: int | None) -> np.ndarray | None:
    """Labels 0, 1, …, num_classes - 1, 0, …: int32 [num]; None without classes."""
    return None if num_classes is None else np.arange(num, dtype=np.int32) % num_classes


def sample_images(
    generator,
    num: int,
    batch_size: int,
    z_dim: int,
    num_classes: int | None,
    seed: int,
    labels=None,
    *,
    truncation: float = 1.0,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draws images; refreshes standing statistics first where the generator has them.

    Args:
      generator: Called as `generator((z, y), training=False)`; gives images in [0, 1].
      num: How many.
      batch_size: Images in one forward.
      z_dim: Dimension of the latent.
      num_classes: Classes of the generator; None for an unconditional one.
      seed: Of the latents.
      labels: int [num], the classes to draw; all in turn if None.
      truncation: See `sample_latents`.

    Returns:
      uint8 images [num, H, W, C] and int labels [num] (None for an unconditional generator).

    Raises:
      DivergenceError: An image is not finite.
    """
    refresh_standing_statistics(generator, z_dim, num_classes, truncation=truncation)
    if labels is None:
        labels = labels_in_turn(num, num_classes)
    z = sample_latents(num, z_dim, seed, truncation)
    return generate(generator, z, labels, num_classes, batch_size=batch_size), labels


def generate(
    generator, z, labels, num_classes: int | None, *, batch_size: int = BATCH_SIZE
) -> np.ndarray:
    """Images for given latents and labels.

    Standing statistics are used as they are, and accumulated if there are none yet.

    Args:
      generator: Called as `generator((z, y), training=False)`; gives images in [0, 1].
      z: float [n, z_dim].
      labels: int [n]; None for an unconditional generator.
      num_classes: Classes of the generator; None for an unconditional one.
      batch_size: Images in one forward.

    Returns:
      uint8 [n, H, W, C], rounded to the nearest level.

    Raises:
      DivergenceError: An image is not finite.
    """
    return np.concatenate(
        list(generate_batches(generator, z, labels, num_classes, min(batch_size, len(z))))
    )


def generate_batches(
    generator, z, labels, num_classes: int | None, batch_size: int
) -> Iterator[np.ndarray]:
    """As `generate`, but yields uint8 [<= batch_size, H, W, C] one after the other.

    While one batch is on its way from the device the next is being made: two are held at a time.
    """
    z, labels = np.asarray(z, np.float32), None if labels is None else np.asarray(labels)
    if _standing_statistics_are_empty(generator):
        refresh_standing_statistics(generator, z.shape[1], num_classes)
    sampler = _sampler(generator)
    # On a GPU a call of the sampler returns before the images are there, but a fetch waits for all
    # work that was given to the GPU before it. So a thread begins to fetch a batch at once, while
    # this one goes on to the next.
    with ThreadPoolExecutor(1, "fetch") as fetcher:
        earlier = None
        for start in range(0, len(z), batch_size):
            # The last batch is filled up by repeating, so that every one has the same shape.
            rows = np.arange(start, start + batch_size) % len(z)
            y = None if labels is None else tf.constant(labels[rows], tf.int32)
            images, finite = sampler(tf.constant(z[rows]), y, num_classes)
            count = min(batch_size, len(z) - start)
            fetched = fetcher.submit(_fetch, images, finite, count)
            if earlier is not None:
                yield earlier.result()
            earlier = fetched
        if earlier is not None:
            yield earlier.result()


def _fetch(images: tf.Tensor, finite: tf.Tensor, count: int) -> np.ndarray:
    broken = int(np.sum(~finite.numpy()[:count]))
    if broken:
        raise DivergenceError(
            f"The generator made images that are not finite: {broken} of {count} in a batch."
        )
    return images.numpy()[:count]


@gin.configurable("standing_statistics")
def refresh_standing_statistics(
    generator,
    z_dim: int,
    num_classes: int | None,
    num_batches: int = 100,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    keep: bool = False,
    *,
    truncation: float = 1.0,
) -> str:
    """Accumulates the batch-norm moments of a generator with standing statistics anew.

    Does nothing to other generators. Needed again after its weights have changed.

    Args:
      generator: As for `generate`.
      z_dim: Dimension of the latent.
      num_classes: Classes of the generator, which take turns; None for an unconditional one.
      num_batches: How many batches of fakes the moments are averaged over.
      batch_size: Images in each of them.
      seed: Of their latents.
      keep: Use the statistics that the generator has, if it has any: those of an imported model.
      truncation: Of their latents: that of the samples to come.

    Returns:
      What samples are normalized with, in words.

    Raises:
      UserError: `num_batches` or `batch_size` is not positive.
    """
    check_positive_integer("standing_statistics.num_batches", num_batches)
    check_positive_integer("standing_statistics.batch_size", batch_size)
    if not uses_standing_statistics(generator):
        return "moving averages"
    if keep and not _standing_statistics_are_empty(generator):
        return "standing statistics as they were imported"
    num = num_batches * batch_size
    z = sample_latents(num, z_dim, seed, truncation)
    labels = labels_in_turn(num, num_classes)
    sampler = _sampler(generator)
    reset_standing_statistics(generator)
    with accumulating_standing_statistics(generator):
        for start in range(0, num, batch_size):
            rows = slice(start, start + batch_size)
            y = None if labels is None else tf.constant(labels[rows])
            sampler(tf.constant(z[rows]), y, num_classes)
    return f"standing statistics of {num_batches} batches of {batch_size}"


def _standing_statistics_are_empty(generator) -> bool:
    counters = [v for v in generator.variables if v.path.endswith("/accu_counter")]
    return bool(counters) and max(float(v.numpy()) for v in counters) < 1


def _sampler(generator):
    """The compiled function (z, labels, num_classes) -> uint8 images, whether each is finite."""
    if generator not in _samplers:
        # Held weakly, or the function would keep its own key alive.
        reference = weakref.ref(generator)

        @tf.function(autograph=False)
        def sampler(z, labels, num_classes):
            y = None if labels is None else tf.one_hot(labels, num_classes)
            images = tf.cast(reference()((z, y), training=False), tf.float32)
            finite = tf.reduce_all(tf.math.is_finite(images), axis=[1, 2, 3])
            images = tf.round(tf.clip_by_value(images, 0.0, 1.0) * 255.0)
            return tf.cast(images, tf.uint8), finite

        _samplers[generator] = sampler
    return _samplers[generator]
