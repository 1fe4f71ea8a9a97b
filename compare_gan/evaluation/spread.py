"""Generated images spread over processes: each draws its share, the first one gets all of them.

The devices of all processes take turns, batch by batch. A process that fails ends the others.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from compare_gan.engine import Peers
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import GeneratedImages
from compare_gan.metrics.base import ImageBatch, Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.metrics.extractors.base import stream

EXTRACTED = frozenset({"features", "logits"})


class _OthersHaveFailedError(UserError):
    """Another process has failed; this one knows already."""


@contextlib.contextmanager
def ending_together(peers: Peers) -> Iterator[None]:
    """Context of work that processes share: if it fails in one of them, all of them end.

    Inside, all processes have to make the same calls of `gathered`, and none of `peers`.

    Raises:
      UserError: Another process has failed.
    """
    try:
        yield
    except _OthersHaveFailedError:
        raise
    except BaseException:
        peers.any(True)
        raise
    _check_others(peers)


def gathered(
    images: GeneratedImages,
    metrics: Sequence[Metric],
    extractor: Extractor,
    batch_size: int,
    peers: Peers,
) -> Iterator[ImageBatch]:
    """The batches of a set, with features and logits if a metric needs them, from all processes.

    Args:
      images: The set; each process has the same one.
      metrics: The metrics, which say what is sent.
      extractor: The extractor.
      batch_size: Images in one forward pass.
      peers: The processes and their devices.

    Yields:
      All batches in order, to every process. Images are there if a metric needs them.
    """
    needs = frozenset[str]().union(*(metric.needs for metric in metrics))
    width = len(peers.devices)
    own: Iterable[ImageBatch] = images.share(batch_size, width, peers.index, peers.count)
    if needs & EXTRACTED:
        own = stream(extractor, own, peers.devices)
    batches = iter(own)
    done = 0
    while done < images.count:
        # As many full batches in each process.
        part = [next(batches) for _ in range(width)]
        arrays = {
            name: np.stack([getattr(batch, name) for batch in part])
            for name in ("images", "labels", "features", "logits")
            if getattr(part[0], name) is not None and (name != "images" or name in needs)
        }
        _check_others(peers)
        everywhere = peers.gather(arrays)
        for i in range(peers.num_devices):
            count = min(batch_size, images.count - done)
            if count > 0:
                yield ImageBatch(**{name: each[i][:count] for name, each in everywhere.items()})
                done += count


def _check_others(peers: Peers) -> None:
    if peers.any(False):
        raise _OthersHaveFailedError(
            "Another process of this run has failed, so this one ends too."
        )
