"""A user's mistakes in a config: one sentence with the place and the nearest valid name."""

import gin
import pytest

from compare_gan.errors import UserError
from compare_gan.training import config
from compare_gan.training.options import Options

_GOOD = """
options.gan_class = @S3GAN
options.architecture = "dummy_arch"
options.batch_size = 64
options.training_steps = 10
S3GAN.self_supervision = "rotation"
S3GAN.rotated_batch_fraction = 4
S3GAN.g_use_ema = True
ModularGAN.g_lr = 0.0001
ModularGAN.g_optimizer_fn = @tf.train.AdamOptimizer
tf.train.AdamOptimizer.beta1 = 0.0
loss.fn = @hinge
penalty.fn = @no_penalty
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
z.distribution_fn = @tf.random.normal
"""


def _write(tmp_path, content, name="config.gin"):
    path = tmp_path / name
    path.write_text(content)
    return str(path)


def test_a_config_in_the_2019_vocabulary_parses(tmp_path):
    config.parse([_write(tmp_path, _GOOD)])
    options = Options()
    assert (options.batch_size, options.training_steps) == (64, 10)
    assert options.gan_class.__name__ == "S3GAN"
    assert gin.query_parameter("S3GAN.g_use_ema") is True


def test_bindings_win_over_files_and_later_files_over_earlier(tmp_path):
    first = _write(tmp_path, _GOOD)
    second = _write(tmp_path, "options.batch_size = 32\noptions.training_steps = 20", "more.gin")
    config.parse([first, second], ["options.batch_size = 16"])
    assert (Options().batch_size, Options().training_steps) == (16, 20)


def test_files_include_their_neighbours(tmp_path):
    _write(tmp_path, _GOOD, "base.gin")
    config.parse([_write(tmp_path, 'include "base.gin"\noptions.batch_size = 8')])
    assert Options().batch_size == 8


def test_parsing_drops_what_was_bound_before(tmp_path):
    config.parse([], ["run_config.iterations_per_loop = 7"])
    config.parse([_write(tmp_path, _GOOD)])
    with pytest.raises(ValueError, match="run_config"):
        gin.query_parameter("run_config.iterations_per_loop")


def test_a_config_may_import_parts_of_the_users_own(tmp_path, monkeypatch):
    (tmp_path / "my_losses_for_a_test.py").write_text(
        "import gin\n\n@gin.configurable\ndef loss_of_a_test(d_real_logits, d_fake_logits): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config.parse([_write(tmp_path, "import my_losses_for_a_test\nloss.fn = @loss_of_a_test")])
    assert gin.query_parameter("loss.fn").configurable.wrapped.__name__ == "loss_of_a_test"


@pytest.mark.parametrize(
    ("line", "message"),
    (
        ("option.batch_size = 4", r"called 'option' .*line 2\)\. Did you mean 'options'\?"),
        ("options.bach_size = 4", r"options has no parameter 'bach_size' .*line 2\).*'batch_size'"),
        ("loss.fn = @hing", r"called 'hing'.*line 2\)\. Did you mean 'hinge'\?"),
        ("S3GAN.g_lrr = 1", r"S3GAN has no parameter 'g_lrr'.*line 2\)\. Did you mean 'g_lr'\?"),
        ("penalty.fnn = 1", r"penalty has no parameter 'fnn'.*line 2\).*Known: fn\."),
        ("import compare_gann", r"cannot be read.*line 2\).*compare_gann"),
        ("loss.fn = ", r"cannot be read.*line 2"),
        ('include "nowhere.gin"', r"nowhere\.gin"),
    ),
)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path, line, message):
    path = _write(tmp_path, f"# A comment.\n{line}\n")
    with pytest.raises(UserError, match=message) as caught:
        config.parse([path])
    assert "\n" not in str(caught.value)


def test_a_name_that_two_parts_share_is_told(tmp_path):
    for module in ("one", "two"):
        gin.external_configurable(lambda: None, "shared_by_a_test", module=f"{module}_of_a_test")
    with pytest.raises(UserError, match=r"line 2\): Ambiguous selector 'shared_by_a_test', match"):
        config.parse([_write(tmp_path, "\nloss.fn = @shared_by_a_test")])


def test_a_mistake_in_a_binding_says_so():
    with pytest.raises(UserError, match=r"'batch_sice' \(in --gin_bindings\).*'batch_size'"):
        config.parse([], ["options.batch_sice = 4"])


def test_a_missing_file_is_told_with_the_nearest(tmp_path):
    path = _write(tmp_path, _GOOD, "s3gan.gin")
    with pytest.raises(UserError, match=r"no gin config .*s3gn\.gin'\. Did you mean .*s3gan\.gin"):
        config.parse([path.replace("s3gan", "s3gn")])
    with pytest.raises(UserError, match=r"there is no folder '.*nowhere' either"):
        config.parse([str(tmp_path / "nowhere" / "s3gan.gin")])
