"""Batches of images from devices that take turns."""

import collections
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.errors import DivergenceError
from compare_gan.types import Tensor


def batches_in_turn(
    generate: Callable[[Any, Any], tuple[Tensor, Tensor]],
    z: np.ndarray,
    labels: np.ndarray | None,
    batch_size: int,
    devices: Sequence[Any] = (None,),
) -> Iterator[np.ndarray]:
    """Yields the images of latents, batch after batch; see `Sampler.generate_batches`.

    Args:
      generate: Computes uint8 images [n, H, W, C] and whether each of them is finite, bool [n],
        from latents [n, z_dim] and int32 labels [n] or None.
      z: float32 [n, z_dim].
      labels: int [n]; None for an unconditional generator.
      batch_size: Images in one call, on one device.
      devices: The devices, see `backend.on_device`.

    Yields:
      uint8 [<= batch_size, H, W, C].

    Raises:
      DivergenceError: An image is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling.batches import batches_in_turn
      >>> def generate(z, labels):
      ...     return z[:, None, None].astype(np.uint8), np.isfinite(z[:, 0])
      >>> batches = batches_in_turn(generate, np.ones([5, 1], np.float32), None, batch_size=2)
      >>> [images.shape for images in batches]
      [(2, 1, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1)]
    """
    # On a GPU a call returns before the images are there, but a fetch waits for all work that was
    # given to the GPU before it. So a thread begins to fetch a batch at once, while this one goes
    # on to the next.
    with ThreadPoolExecutor(len(devices), "fetch") as fetcher:
        waiting: collections.deque[Future[np.ndarray]] = collections.deque()
        for start, device in zip(
            range(0, len(z), batch_size), itertools.cycle(devices), strict=False
        ):
            # The last batch is filled up by repeating, so that every one has the same shape.
            rows = np.arange(start, start + batch_size) % len(z)
            y = None if labels is None else labels[rows].astype(np.int32)
            with backend.on_device(device):
                images, finite = generate(z[rows], y)
            count = min(batch_size, len(z) - start)
            waiting.append(fetcher.submit(_fetch, images, finite, count))
            if len(waiting) > len(devices):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _fetch(images: Tensor, finite: Tensor, count: int) -> np.ndarray:
    broken = int(np.sum(~ops.convert_to_numpy(finite)[:count]))
    if broken:
        raise DivergenceError(
            f"The generator produced images that are not finite: {broken} of {count} in a batch."
        )
    return ops.convert_to_numpy(images)[:count]
