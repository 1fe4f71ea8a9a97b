"""Speed of feature extraction: images/s of decoding, resizing and the network, alone and together.

    python benchmarks/metrics_extraction.py efficientnet_lite0
    python benchmarks/metrics_extraction.py inception --size 128 --num 256 --resizer clean

Images of noise are written as PNG files and read as the data set `image_folder`. The stages
alternate, so that other load on the machine affects all of them; medians and quartiles are shown.
Inception has random weights if its weights are not in the cache.
"""

import collections
import os
import tempfile
import time
from collections.abc import Callable, Iterable

import click
import numpy as np
from train_step import _quartiles

from compare_gan.startup import prepare_tensorflow


def extraction_rates(
    extractor, batches: Callable[[], Iterable[np.ndarray]], rounds: int = 5
) -> dict[str, list[float]]:
    """Images/s of each stage alone and of all stages together.

    Args:
      extractor: An `Extractor`.
      batches: Function that iterates over the images, in batches uint8 [n, H, W, C].
      rounds: Number of alternating measurements of each stage, after one for warm-up.

    Returns:
      Rates [rounds] of `decode` (going through `batches`), `resize` (the part of the
      extractor outside the network; absent if there is none), `network` (with resizing, if that is
      part of it), and `together` (`stream`).
    """
    from compare_gan.metrics.base import ImageBatch
    from compare_gan.metrics.extractors import base

    images = list(batches())
    prepared = [extractor.prepare(each) for each in images]
    resizes = prepared[0] is not images[0]

    def network():
        for each in prepared:
            extractor._compiled(each)[0].numpy()

    stages = {
        "decode": lambda: collections.deque(batches(), maxlen=0),
        **({"resize": lambda: [extractor.prepare(each) for each in images]} if resizes else {}),
        "network": network,
        "together": lambda: collections.deque(
            base.stream(extractor, (ImageBatch(each) for each in batches())), maxlen=0
        ),
    }
    rates = {name: [] for name in stages}
    for _ in range(rounds + 1):
        for name, run in stages.items():
            started = time.perf_counter()
            run()
            rates[name].append(sum(map(len, images)) / (time.perf_counter() - started))
    return {name: values[1:] for name, values in rates.items()}


def make_extractor(name: str, resizer: str | None):
    """The registered extractor, Inception with random weights if need be."""
    import gin

    from compare_gan import registry
    from compare_gan.metrics.extractors import inception, inception_2015, weights

    if resizer is not None:
        gin.bind_parameter(f"{name}.resizer", resizer)
    if name == "inception" and not weights.cached_file([inception._FILE.name]):
        network = inception_2015.build_inception_2015(False)
        inception_2015.load_inception_2015 = lambda path, logit_bias: (network, "random")
        gin.bind_parameter("inception.path", __file__)
    return registry.get("extractor", name)()


def _write_images(folder: str, num: int, size: int) -> None:
    import PIL.Image

    rng = np.random.default_rng(0)
    for i in range(num):
        image = PIL.Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
        image.save(os.path.join(folder, f"{i:06}.png"))


@click.command(help=__doc__.split("\n", 1)[0])
@click.argument("extractor")
@click.option("--size", default=32, show_default=True, help="Side of the images in pixels.")
@click.option("--num", default=512, show_default=True, help="Number of images.")
@click.option("--batch_size", default=32, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--resizer", help="Resizer; by default that of the extractor.")
def main(extractor, size, num, batch_size, rounds, resizer):
    """Prints one row per stage."""
    prepare_tensorflow()
    from compare_gan.datasets import eval_batches, get_dataset

    made = make_extractor(extractor, resizer)
    with tempfile.TemporaryDirectory() as folder:
        _write_images(folder, num, size)
        dataset = get_dataset("image_folder", data_dir=folder)

        def batches():
            for split in dataset.splits:
                read = eval_batches(dataset, split, batch_size=batch_size)
                yield from (images for images, _ in read)

        rates = extraction_rates(made, batches, rounds)
    print(f"{made.name}, {size} x {size} pixels, {made.resizer}")
    for stage, values in rates.items():
        print(f"  {stage:<10}{_quartiles(values)} images/s")


if __name__ == "__main__":
    main()
