import re

import pytest

from compare_gan import config
from compare_gan.training import dry_run
from compare_gan.training.dry_run import describe
from compare_gan.training.memory import resident_bytes
from compare_gan.training.trainer import Experiment

# Residual networks for 32 x 32 pixels, with as few updates to trace as possible.
_LARGE = (
    "options.gan_class = @ModularGAN",
    "options.disc_iters = 1",
    "D.spectral_norm = False",
    "options.architecture = 'resnet_cifar_arch'",
    "options.batch_size = 512",
    "dataset.image_size = 32",
    "resnet_cifar.Generator.ch = 16",
    "resnet_cifar.Discriminator.ch = 16",
)


def _describe(tiny_run, *bindings, defaults=False):
    config.parse([], [*tiny_run, *bindings])
    return describe(Experiment.from_gin(), defaults=defaults)


def test_config_parameters_and_memory_are_described(tiny_run, monkeypatch):
    monkeypatch.setattr(dry_run, "has_bfloat16", lambda: True)
    text = _describe(tiny_run, defaults=True)
    assert "options.batch_size = 8" in text
    for default in (
        "S3GAN.weight_class_loss = 1.0",
        "evaluation.batch_size = 100",
        "z.minval = -1.0",
        "eval_z.maxval = 1.0",
        "run_config.jit_compile = None",
    ):
        assert default in text
    assert re.search(r"data set +synthetic, images 8x8x3, 40 to train on, 4 classes", text)
    # Generator: (4 latent + 4 label + 1) x 192 and batch norm's 2 x 192.
    assert re.search(rf"generator +{9 * 192 + 2 * 192:,} parameters", text)
    assert re.search(r"precision +float32; run_config.mixed_precision = 'bfloat16' may be", text)
    # Discriminator: (192 + 4 + 1) x 8, 8 + 1; heads: rotation 9 x 4, predictor 9 x 4, embedding
    # 4 x 8.
    assert re.search(rf"discriminator +{197 * 8 + 9 + 36 + 36 + 32:,} parameters", text)


def test_without_defaults_the_summary_comes_after_the_bindings_of_the_config(
    tiny_run, simple_steps, monkeypatch
):
    """The program and its networks are measured: the estimate is above what they take now."""
    monkeypatch.setattr(dry_run, "has_bfloat16", lambda: False)
    text = _describe(tiny_run, *simple_steps)
    process = re.search(r"process +about ([\d,]+) MiB", text)[1]
    resident = resident_bytes() / 2**20
    assert resident < int(process.replace(",", "")) < 1.25 * resident + 200
    bindings, summary = text.split("\n\n")
    assert sorted(bindings.splitlines()) == sorted(
        line for line in config.config_text().splitlines() if " = " in line
    )
    names = {each.split(" = ")[0] for each in (*tiny_run, *simple_steps)}
    assert len(bindings.splitlines()) == len(names)
    assert "options.batch_size = 8" in bindings and "run_config.jit_compile" not in bindings
    assert "precision" not in summary
    assert summary.startswith("data set ") and summary.splitlines()[-1].startswith("time ")


def _activations(*args):
    text = _describe(*args)
    return int(re.search(r"([\d,]+) MiB activations", text)[1].replace(",", ""))


def test_memory_grows_with_the_batch_unless_it_is_divided(tiny_run, simple_steps):
    def activations(*bindings):
        return _activations(tiny_run, *simple_steps, *bindings)

    large = "options.batch_size = 4096"
    small, whole = activations("options.batch_size = 1024"), activations(large)
    assert 3 * small < whole < 5 * small
    assert activations(large, "run_config.microbatches = 4") < 0.5 * whole


@pytest.mark.slow
def test_microbatches_and_rematerialized_blocks_need_less_memory(tiny_run):
    whole = _activations(tiny_run, *_LARGE)
    assert _activations(tiny_run, *_LARGE, "run_config.microbatches = 4") < 0.5 * whole
    assert _activations(tiny_run, *_LARGE, "run_config.remat = True") < 0.9 * whole
