"""The example configs of R3GAN against the presets of its authors' program."""

import copy
import pathlib

import gin
import numpy as np
import pytest

from compare_gan import config
from compare_gan.architectures import r3gan

_ROOT = pathlib.Path(__file__).parents[2]
PRESETS = {
    "r3gan_cifar10": "CIFAR10_cond",
    "r3gan_ffhq64": "FFHQ-64",
    "r3gan_ffhq256": "FFHQ-256",
    "r3gan_imagenet32": "ImageNet-32_cond",
    "r3gan_imagenet64": "ImageNet-64_cond",
}
# Options by recorded name, and the factor between the two: squared gradients with respect to
# images in [0, 1] are four times those for [-1, 1].
SCHEDULES = {
    "lr": ("ModularGAN.g_lr", 1),
    "beta2": ("tf.train.AdamOptimizer.beta2", 1),
    "gamma": ("r1_r2.gamma", 1 / 4),
    "ema": ("ModularGAN.ema_half_life", 1),
    "aug": ("ada.p", 1),
}


@pytest.fixture(scope="module")
def golden():
    with np.load(_ROOT / "tests/data/r3gan_golden.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", PRESETS)
def test_configs_are_the_presets_of_the_authors(golden, assert_golden, name):
    preset = f"r3gan/preset/{PRESETS[name]}"
    config.parse([str(_ROOT / f"example_configs/{name}.gin")])
    steps = gin.query_parameter("%schedule_steps")
    images = golden[f"{preset}/schedule/lr_base_final_total"][2]
    assert abs(steps * gin.query_parameter("options.batch_size") - images) < 4096
    fractions = golden[f"{preset}/schedule/fraction"]
    for key, (option, factor) in SCHEDULES.items():
        schedule = copy.deepcopy(gin.query_parameter(option))  # Calls the schedule's constructor.
        found = [float(schedule(round(steps * fraction))) / factor for fraction in fractions]
        key = f"{preset}/schedule/{key}"
        # A quarter of the schedule is no whole number of steps.
        assert_golden("R3GAN", key, found, golden[key], rtol=1e-4)
    size = golden[f"{preset}/resolution"]
    for network in (r3gan.Generator((size, size, 3)), r3gan.Discriminator((size, size, 3))):
        assert network.plan.widths == golden[f"{preset}/widths_g"].tolist()
        groups = golden[f"{preset}/cardinality_g"]
        assert network.plan.options["group_size"] * groups[0] == 2 * network.plan.widths[0]
    conditional = gin.get_bindings("ModularGAN").get("conditional", False)
    assert conditional == (golden[f"{preset}/classes"] > 0)
