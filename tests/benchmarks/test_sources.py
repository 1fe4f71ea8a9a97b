"""The forms that the benchmark of sources writes are data sets with the same images."""

import pathlib
import sys

import numpy as np

from compare_gan import datasets

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import sources


def test_every_form_holds_the_same_images(tmp_path):
    sources.write_forms(tmp_path, sources._FORMS, num=20, size=16, kind="png")
    for form in sources._FORMS:
        name, place = sources._PLACES[form]
        dataset = datasets.get_dataset(name, data_dir=str(tmp_path / place))
        [(images, labels)] = datasets.eval_batches(dataset, "train", 20)
        assert np.bincount(labels).tolist() == [2] * 10, form
        order = np.argsort(images.reshape(20, -1).sum(axis=1, dtype=int), kind="stable")
        if form == "folder":
            expected = images[order], labels[order]
        elif form == "idx":  # Gray.
            assert images.shape == (20, 16, 16, 1)
        else:
            assert (images[order] == expected[0]).all() and (labels[order] == expected[1]).all()
