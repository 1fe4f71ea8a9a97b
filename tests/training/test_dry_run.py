import re

from compare_gan import config
from compare_gan.training.dry_run import describe
from compare_gan.training.trainer import Experiment


def _describe(tiny_run, *bindings):
    config.parse([], [*tiny_run, *bindings])
    return describe(Experiment.from_gin())


def test_config_parameters_and_memory_are_described(tiny_run):
    text = _describe(tiny_run)
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
    # Discriminator: (192 + 4 + 1) x 8, 8 + 1; heads: rotation 9 x 4, predictor 9 x 4, embedding
    # 4 x 8.
    assert re.search(rf"discriminator +{197 * 8 + 9 + 36 + 36 + 32:,} parameters", text)


def test_memory_grows_with_the_batch(tiny_run):
    def activations(batch_size):
        text = _describe(tiny_run, f"options.batch_size = {batch_size}")
        return int(re.search(r"([\d,]+) MiB activations", text)[1].replace(",", ""))

    small, large = activations(1024), activations(4096)
    assert 3 * small < large < 5 * small
