"""The data that label inference may see, and the keys that identify its results."""

import functools
import json
from collections.abc import Mapping

import numpy as np

from compare_gan import files
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.views import images_digest
from compare_gan.labels.classifier import choose_held_out
from compare_gan.labels.files import OLD_KEY_NAMES
from compare_gan.labels.label_options import LabelOptions

# Version of the computation: labels that an older one made are not those that would be made now.
_COMPUTATION_VERSION = 3
# The gin scopes that crop the images of some data sets.
_CROP_SCOPES = ("train_imagenet_transform", "eval_imagenet_transform")


class InferenceInputs:
    """The images, names and given labels that labels are inferred from; hidden labels are not seen.

    Everything is read when it is first asked for, and once.

    Args:
      dataset: A data set.
      options: Options of label inference.
    """

    def __init__(self, dataset: Dataset, options: LabelOptions):
        self.dataset = dataset
        self.options = options

    @functools.cached_property
    def given_labels(self) -> np.ndarray:
        """The given labels as hard labels, int32 [n], -1 where there is none."""
        return to_hard_labels(self.dataset.given_labels)

    @property
    def given_mask(self) -> np.ndarray:
        """The images with a given label, bool [n]."""
        return self.given_labels >= 0

    @functools.cached_property
    def held_out_mask(self) -> np.ndarray:
        """The labelled images that only the choice of the regularization sees, bool [n]."""
        mask = np.zeros(len(self.given_labels), bool)
        given = self.given_labels[self.given_mask]
        mask[self.given_mask] = choose_held_out(given, self.options.infer.seed)
        return mask

    @functools.cached_property
    def image_names(self) -> list[str]:
        """The names of the images; some data sets must read all records for them."""
        return self.dataset.source.keys("train")

    @functools.cached_property
    def _images_hash(self) -> str:
        return images_digest(self.dataset.source)

    def key(self) -> dict[str, object]:
        """Everything that the labels depend on."""
        uses_labels = not self.options.infer.clusters
        return self._data_key(uses_labels) | self.options.key()

    def backbone_key(self) -> dict[str, object]:
        """Everything that the weights of the network depend on."""
        uses_labels = self.options.infer.network_sees_labels
        return self._data_key(uses_labels) | self.options.backbone_key()

    def _data_key(self, uses_labels: bool) -> dict[str, object]:
        dataset, source = self.dataset, self.dataset.source
        key: dict[str, object] = {
            "computation_version": _COMPUTATION_VERSION,
            "dataset.name": dataset.name,
            "num_images": dataset.num_train,
            "image_shape": "x".join(map(str, source.image_shape)),
            "image_names_hash": _digest("\n".join(self.image_names).encode()),
            "images_hash": self._images_hash,
        }
        for scope in _CROP_SCOPES:
            key[f"{scope}.crop_method"] = dataset.crop_methods.get(scope)
        if uses_labels:
            key |= {
                "num_classes": int(source.num_classes or 0),
                "num_given_labels": int(self.given_mask.sum()),
                "given_labels_hash": _digest(np.ascontiguousarray(dataset.given_labels).tobytes()),
            }
        return key


def digest_of_key(key: Mapping[str, object]) -> str:
    """A short hash of a key, for file names.

    It is that of the key under its names of version 1, so that files made then are found.
    """
    old_key = {OLD_KEY_NAMES.get(name, name): value for name, value in key.items()}
    return _digest(json.dumps(old_key, sort_keys=True).encode())[:12]


def _digest(content: bytes) -> str:
    return files.digest(content)[:16]
