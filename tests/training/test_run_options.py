import gin
import pytest

from compare_gan.errors import UserError
from compare_gan.training.run_options import Options, RunConfig
from compare_gan.training.trainer import Experiment

_REQUIRED = dict(gan_class="ModularGAN", architecture="dummy_arch", batch_size=4, training_steps=2)


def test_defaults_are_those_of_the_2019_library():
    options = Options(**_REQUIRED)
    assert (options.disc_iters, options.lamba, options.z_dim) == (1, 1, 128)
    run_config = RunConfig()
    assert (
        run_config.iterations_per_loop,
        run_config.save_checkpoints_steps,
        run_config.keep_checkpoint_max,
    ) == (1000, 5000, 1000)


@pytest.mark.parametrize("name", ("batch_size", "training_steps", "disc_iters", "z_dim"))
@pytest.mark.parametrize("value", (0, -1, 1.5, True, "8"))
def test_counts_must_be_positive_integers(name, value):
    with pytest.raises(UserError, match=rf"options\.{name} must be a positive integer, received"):
        Options(**_REQUIRED | {name: value})


def test_the_weight_of_the_penalty_must_not_be_negative():
    with pytest.raises(UserError, match=r"options\.lamba must be at least 0, received -1"):
        Options(**_REQUIRED, lamba=-1)


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("iterations_per_loop", 0),
        ("save_checkpoints_steps", 0),
        ("keep_checkpoint_max", 0),
        ("sample_steps", 0),
        ("tf_random_seed", 2**63),
        ("iterations_per_loop", 1e3),
        ("distribution", "mirored"),
        ("mixed_precision", "half"),
        ("mixed_precision", 16),
    ),
)
def test_run_config_refuses_impossible_values(name, value):
    with pytest.raises(UserError, match=rf"run_config\.{name} must be .*received '?{value}"):
        RunConfig(**{name: value})


def test_missing_required_options_are_named():
    gin.parse_config("options.batch_size = 4\noptions.training_steps = 2")
    with pytest.raises(UserError, match=r"no value for options\.gan_class, options\.architecture"):
        Experiment.from_gin()
