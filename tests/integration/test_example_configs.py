"""One training step of every config in `example_configs/`, and of configs of the 2019 library."""

import json
import pathlib
import re

import gin
import numpy as np
import pytest
import stylegan2_numbers
from PIL import Image

from compare_gan import config
from compare_gan.datasets import write_label_file
from compare_gan.studies import read_study
from compare_gan.training.experiment import Experiment

_ROOT = pathlib.Path(__file__).parents[2]
_TRAINED_ROWS = [
    f"few_labels/{row}_fashion_mnist.gin"
    for row in ("s3gan_co", "clustering_ss", "single_label_ss", "ssgan")
]
_FOLDER = _ROOT / "example_configs"
EXAMPLES = {
    str(path.relative_to(_FOLDER)): path
    for path in sorted(_FOLDER.rglob("*.gin"))
    if not path.stem.endswith("_common") and path.parent.name != "studies"
}
STUDIES = {path.stem: path for path in sorted((_FOLDER / "studies").glob("*.gin"))}
# These repeat what other configs cover, so they are only checked, as before a run. The numbers in
# names are the percentages of labels, which a step on noise does not see.
NOT_TRAINED = [
    name
    for name in EXAMPLES
    if (name.startswith("few_labels/") and name not in _TRAINED_ROWS)
    or name.startswith(("s2gan", "s3gan_20", "reacgan", "r3gan_ffhq", "r3gan_imagenet"))
    or name in ("r3gan_fashion_mnist.gin", "stylegan2_fashion_mnist.gin")
    or name == "s3gan_fashion_mnist.gin"  # `test_main_job.py` trains it.
]
# The others are only checked in quick tests, as before a run: `test_vocabulary.py`,
# `test_every_combination.py` and `test_inferred_labels.py` train their parts.
_QUICK = (
    "few_labels/single_label_ss_fashion_mnist.gin",
    "modern_fashion_mnist.gin",
)
OLD = {path.name: path for path in sorted((_ROOT / "tests/data/configs_2019").glob("*.gin"))}

# Bindings that make a step cheap, by family; images have the smallest size of the data set.
_SMALL = {
    "dcgan": (4, ""),
    "infogan": (4, ""),
    "sndcgan": (4, ""),
    "resnet_cifar": (8, ""),
    "resnet5": (4, ""),
    "resnet_biggan": (
        8,
        """
        dataset.name = 'imagenet_64'
        resnet_biggan.Generator.blocks_with_attention = 'B1'
        resnet_biggan.Discriminator.blocks_with_attention = 'B1'
        dataset.inferred_labels = False  # They would be those of 100,000 images of noise.
        """,
    ),
    "unet_biggan": (4, "unet_biggan.Generator.blocks_with_attention = 'B1'"),
    "r3gan": (8, "r3gan.Generator.blocks_per_size = 1\nr3gan.Discriminator.blocks_per_size = 1"),
    "sagan": (4, "dataset.name = 'imagenet_64'"),
    "stylegan2": (
        8,
        """
        dataset.name = 'cifar10'
        dataset.image_size = None
        stylegan2.Generator.mapping_layers = 2
        stylegan2.Discriminator.mapping_layers = 2
        r1.interval = 1
        path_length.interval = 1
        """,
    ),
    "resnet_biggan_deep": (8, "dataset.name = 'imagenet_64'"),
}


def _replace_labels(tmp_path) -> dict[str, str]:
    """Writes label files if the parsed config reads labels from files; returns their bindings."""
    try:
        gin.query_parameter("replace_labels.file_pattern")
    except ValueError:
        return {}
    labels = np.where(np.arange(50) % 10, -1, np.arange(50) % 7)
    write_label_file(f"{tmp_path}/train-10_percent", [f"n{i}.JPEG" for i in range(50)], labels)
    return {"replace_labels.file_pattern": f"{tmp_path}/{{split}}-10_percent*"}


def _shrunken(path, **values) -> str:
    """Bindings that make the parsed config small."""
    family = gin.query_parameter("options.architecture").removesuffix("_arch")
    ch, more = _SMALL[family]
    values = {
        "options.batch_size": 4,
        "options.training_steps": 1,
        "standing_statistics.num_batches": 1,
        "standing_statistics.batch_size": 4,
        f"{family}.Generator.ch": ch,
        f"{family}.Discriminator.ch": ch,
        **values,
    }
    if gin.query_parameter("options.gan_class").selector.endswith("SSGAN"):
        values["SSGAN.rotated_batch_size"] = 4
    if gin.query_parameter("options.gan_class").selector.endswith("S3GAN"):
        values["S3GAN.rotated_batch_fraction"] = 1
    if gin.get_bindings("options").get("disc_iters", 1) > 2:
        values["options.disc_iters"] = 2
    if "inferred_labels" in gin.get_bindings("dataset"):
        values |= {"backbone.width": 4, "pretext.training_steps": 1, "pretext.batch_size": 4}
        if gin.query_parameter("infer_labels.method") == "clustering":
            values["infer_labels.num_clusters"] = 3
    return "\n".join([f"{key} = {value!r}" for key, value in values.items()] + [more])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in _QUICK else [pytest.mark.slow])
        for name in EXAMPLES
        if name not in NOT_TRAINED
    ],
)
def test_example_config(train, tmp_path, name):
    path = EXAMPLES[name]
    config.parse([str(path)])
    train(_shrunken(path, **_replace_labels(tmp_path)), gin_config=path)


@pytest.mark.slow
def test_labels_are_inferred_as_the_imagenet_configs_say(train, tmp_path):
    """Both stages with the network of these configs, on a few images in place of ImageNet."""
    path = EXAMPLES["few_labels/s3gan_imagenet128.gin"]
    rng = np.random.default_rng(0)
    for i in range(24):
        folder = tmp_path / "images" / "abc"[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        image = rng.integers(0, 256, [64, 64, 3], np.uint8)
        Image.fromarray(image).save(folder / f"{i}.png")
    config.parse([str(path)])
    small = _shrunken(path)
    more = f"""
        dataset.name = 'image_folder'
        dataset.data_dir = '{tmp_path}/images'
        dataset.labeled_fraction = 0.5
        dataset.inferred_labels = True
        pretext.labeled_batch_size = 4
    """
    train(small, more, gin_config=path, fake=False)
    [folder] = tmp_path.glob("run_*/labels")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["label_counts"] and len(manifest["given_examples"]) == 12
    key = manifest["key"]
    assert key["infer_labels.features"] == "semi_supervised" and key["backbone.bottleneck"]
    assert key["backbone.stem"] == "imagenet" and key["backbone.units"] == [3, 4, 6, 3]
    labels = json.loads((folder.parent / "training_labels.json").read_text())
    assert labels["hash"] == manifest["files"]["labels.npz"]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in _QUICK])
def test_example_config_is_consistent(name, tmp_path, monkeypatch):
    for folder in ("ffhq", "photos/a", "photos/b"):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / folder / "0.png")
    monkeypatch.chdir(tmp_path)  # Configs name folders relative to the current one.
    config.parse([str(EXAMPLES[name])])
    Experiment.from_gin().check()


def test_stylegan2_has_the_published_rates_without_those_of_additional_updates():
    """The program's, recorded, are rate · c and beta^c with c = k / (k + 1)."""
    config.parse([str(EXAMPLES["stylegan2_cifar10.gin"])])
    bound = gin.get_bindings("ModularGAN")
    rates = {"g": bound["g_lr"], "d": bound.get("d_lr", bound["g_lr"])}
    beta2 = gin.query_parameter("tf.train.AdamOptimizer.beta2")
    for network, rate in rates.items():
        key = f"lazy/{network}_interval_ratio_lr_beta1_beta2"
        interval, c, *expected = stylegan2_numbers.golden()[key]
        assert c == pytest.approx(interval / (interval + 1))
        np.testing.assert_allclose([rate * c, 0.0, beta2**c], expected)
    assert gin.query_parameter("r1.interval") == interval


@pytest.mark.parametrize("name", EXAMPLES)
def test_header_and_index(name):
    """Headers state source, expected scores, hardware and time; the index lists every config."""
    text = EXAMPLES[name].read_text()
    header = re.match("(#.*\n)+", text)[0]
    assert "Expected" in header and ("https://arxiv.org" in text or "include" in text)
    if "fashion_mnist" not in name:
        assert "Paper: https://arxiv.org/" in header and "Hardware and time: " in header
    index = (_FOLDER / "README.md").read_text()
    assert f"| [{EXAMPLES[name].name}]({name}) |" in index


@pytest.mark.parametrize("name", STUDIES)
def test_header_and_index_of_a_study(name):
    header = re.match("(#.*\n)+", STUDIES[name].read_text())[0]
    assert "Expected: " in header and "Hardware and time: " in header
    assert "Paper: https://arxiv.org/" in header
    index = (_FOLDER / "README.md").read_text()
    [row] = re.findall(rf"^\| \[{name}\.gin\]\(studies/{name}\.gin\) \|.*", index, re.MULTILINE)
    runs = read_study(f"studies/{name}").runs
    assert f" {len(runs)} runs" in row


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if "imagenet" in name else []) for name in OLD],
)
def test_config_of_2019(train, tmp_path, name):
    """The config is read unchanged; the bindings that follow only make it small."""
    path = OLD[name]
    config.parse([str(path)])
    train(_shrunken(path, **_replace_labels(tmp_path)), gin_config=path)
