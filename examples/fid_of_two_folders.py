"""The FID of two folders of images (PNG or JPEG).

python examples/fid_of_two_folders.py real/ generated/ --image_size 28
"""

import argparse

import numpy as np

from compare_gan import registry
from compare_gan.datasets import eval_batches, get_dataset
from compare_gan.errors import UserError
from compare_gan.metrics import frechet_distance

# Names in messages of the library, and the arguments of this script that replace them.
_ARGUMENTS = {
    "dataset.data_dir": "FOLDER",
    "dataset.image_size": "--image_size",
    "image_folder.channels": "--channels",
}


def folder_features(folder: str, extractor, **options) -> np.ndarray:
    """The features [n, f] of all images in a folder, from all splits."""
    dataset = get_dataset("image_folder", data_dir=folder, **options)
    batches = (b for split in dataset.splits for b in eval_batches(dataset, split, batch_size=100))
    return np.concatenate([extractor(images)[0] for images, _ in batches])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", nargs=2, metavar="FOLDER")
    parser.add_argument("--extractor", default="fashion_cnn", help="or inception, for plain FID")
    parser.add_argument("--image_size", type=int, help="crop to squares and resize first")
    parser.add_argument("--channels", type=int, help="1 or 3: convert all to gray or color first")
    args = parser.parse_args()
    options = dict(image_size=args.image_size, channels=args.channels)
    try:
        extractor = registry.get("extractor", args.extractor)()
        first, second = (folder_features(f, extractor, **options) for f in args.folders)
        distance = frechet_distance(first, second)
    except UserError as error:
        message = str(error).split("\n", 1)[0]  # Gin appends lines to errors that pass through it.
        for name, argument in _ARGUMENTS.items():
            message = message.replace(name, argument)
        parser.error(message)
    print(f"FID ({extractor.name}): {distance:.4f}")


if __name__ == "__main__":
    main()
