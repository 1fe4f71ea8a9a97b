"""The FID of two folders of images (PNG or JPEG).

python examples/fid_of_two_folders.py real/ generated/ --image_size 28
"""

import argparse

import numpy as np

from compare_gan import registry
from compare_gan.datasets import eval_batches, get_dataset
from compare_gan.metrics import frechet_distance, gaussian_statistics


def folder_statistics(folder: str, extractor, image_size: int | None):
    """Mean [f] and covariance [f, f] of the features of all images of a folder."""
    dataset = get_dataset("image_folder", data_dir=folder, image_size=image_size)
    batches = eval_batches(dataset, dataset.eval_split, batch_size=100).as_numpy_iterator()
    return gaussian_statistics(np.concatenate([extractor(images)[0] for images, _ in batches]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", nargs=2, metavar="FOLDER")
    parser.add_argument("--extractor", default="fashion_cnn", help="or inception, for plain FID")
    parser.add_argument("--image_size", type=int, help="crop to squares and resize first")
    args = parser.parse_args()
    extractor = registry.get("extractor", args.extractor)()
    first, second = (folder_statistics(f, extractor, args.image_size) for f in args.folders)
    print(f"FID ({extractor.name}): {frechet_distance(*first, *second):.4f}")


if __name__ == "__main__":
    main()
