"""Set before TensorFlow is imported anywhere, and gin's bindings dropped around each test."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import pytest


@pytest.fixture(autouse=True)
def _no_gin_bindings():
    gin.clear_config()
    yield
    gin.clear_config()


# A run as small as can be: dummy networks on 8 x 8 shapes.
_TINY_RUN = (
    "options.gan_class = @S3GAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 8",
    "options.training_steps = 6",
    "options.disc_iters = 2",
    "options.z_dim = 4",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 8",
    "dataset.labeled_fraction = 0.5",
    "synthetic.num_examples = 40",
    "S3GAN.rotated_batch_fraction = 2",
    "S3GAN.conditional = True",
    "S3GAN.project_y = True",
    "S3GAN.use_predictor = True",
    "S3GAN.g_use_ema = True",
    "S3GAN.ema_decay = 0.5",
    "S3GAN.ema_start_step = 2",
    "G.batch_norm_fn = @batch_norm",
    "D.spectral_norm = True",
    "run_config.tf_random_seed = 3",
    "run_config.iterations_per_loop = 2",
    "run_config.save_checkpoints_steps = 3",
    "evaluation.extractor = 'fashion_cnn'",
    "evaluation.num_fake = 40",
)


@pytest.fixture(name="tiny_run", scope="session")
def _tiny_run():
    return _TINY_RUN


@pytest.fixture(name="make_trainer")
def _make_trainer():
    """From a model directory and bindings beside those of the tiny run to a trainer."""
    from compare_gan.training import config
    from compare_gan.training.trainer import Experiment, Trainer

    def make(model_dir, *bindings) -> Trainer:
        config.parse([], [*_TINY_RUN, *bindings])
        return Trainer(Experiment.from_gin(), str(model_dir))

    return make
