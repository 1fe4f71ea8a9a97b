"""Mistakes in a config: one sentence with the place and the nearest valid name."""

import gin
import pytest

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.training.run_options import Options

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


def test_included_files_include_their_own_neighbours(tmp_path, monkeypatch):
    """They win over neighbours of the first file, which are found if there are no others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    _write(tmp_path, _GOOD, "base.gin")
    _write(tmp_path, "options.batch_size = 1", "common.gin")
    _write(tmp_path / "rows", 'include "../base.gin"\noptions.batch_size = 8', "common.gin")
    _write(tmp_path / "rows", 'include "common.gin"\noptions.z_dim = 7', "row.gin")
    _write(tmp_path, 'include "rows/row.gin"', "main.gin")
    config.parse(["main.gin"])
    assert (Options().batch_size, Options().z_dim) == (8, 7)
    with pytest.raises(UserError, match=r"^rows/common\.gin, line 2: "), config.located():
        raise UserError("options.batch_size is wrong.")
    _write(tmp_path / "rows", 'include "base.gin"', "row.gin")
    before = list(gin.config._LOCATION_PREFIXES), list(gin.config._FILE_READERS)
    config.parse(["main.gin"])
    assert Options().batch_size == 64
    assert before == (gin.config._LOCATION_PREFIXES, gin.config._FILE_READERS)


def test_parsing_drops_earlier_bindings(tmp_path):
    config.parse([], ["run_config.iterations_per_loop = 7"])
    config.parse([_write(tmp_path, _GOOD)])
    with pytest.raises(ValueError, match="run_config"):
        gin.query_parameter("run_config.iterations_per_loop")


def test_a_config_may_import_parts_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "my_losses_for_a_test.py").write_text(
        "import gin\n\n@gin.configurable\ndef loss_of_a_test(d_real_logits, d_fake_logits): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config.parse([_write(tmp_path, "import my_losses_for_a_test\nloss.fn = @loss_of_a_test")])
    assert gin.query_parameter("loss.fn").configurable.wrapped.__name__ == "loss_of_a_test"


@pytest.mark.parametrize(
    ("line", "message"),
    (
        ("option.z_dim = 4", "Nothing configurable is called 'option'. Did you mean 'options'?"),
        ("options.z_din = 4", "options has no parameter 'z_din'. Did you mean 'z_dim'?"),
        ("loss.fn = @hing", "Nothing configurable is called 'hing'. Did you mean 'hinge'?"),
        ("S3GAN.g_lrr = 1", "S3GAN has no parameter 'g_lrr'. Did you mean 'g_lr'?"),
        ("penalty.fnn = 1", "penalty has no parameter 'fnn'. Did you mean 'fn'? Known: fn."),
        ("import compare_gann", "The config cannot be read: No module named 'compare_gann'"),
        ("loss.fn = ", "The config cannot be read: "),
        ("options.batch_size = abc", "abc is not a gin value; write 'abc' for a string, @abc for "),
        ("options.batch_size 3", "A binding has the form name.parameter = value."),
        ('include "nowhere.gin"', "The config cannot be read: Unable to open file: nowhere.gin"),
    ),
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_its_place(tmp_path, line, message):
    path = _write(tmp_path, f"# A comment.\n{line}\n")
    with pytest.raises(UserError) as caught:
        config.parse([path])
    assert str(caught.value).startswith(f"{path}, line 2: {message}")
    assert "\n" not in str(caught.value)


def test_an_ambiguous_name_is_reported(tmp_path):
    for module in ("one", "two"):
        gin.external_configurable(lambda: None, "shared_by_a_test", module=f"{module}_of_a_test")
    with pytest.raises(UserError, match=r"line 2: .*Ambiguous selector 'shared_by_a_test', match"):
        config.parse([_write(tmp_path, "\nloss.fn = @shared_by_a_test")])


def test_a_mistake_in_a_binding_names_the_flag():
    with pytest.raises(UserError, match=r"^--gin_bindings: .*'batch_sice'\..*'batch_size'"):
        config.parse([], ["options.batch_sice = 4"])
    with pytest.raises(UserError, match=r"^--gin_bindings: A binding has the form"):
        config.parse([], ["options.batch_size == 4"])


def test_an_error_of_an_imported_module_is_reported_unchanged(tmp_path, monkeypatch):
    (tmp_path / "my_part_for_a_test.py").write_text(
        "from compare_gan.errors import UserError\n\nraise UserError('No such GPU.')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"config\.gin, line 1: No such GPU\.$"):
        config.parse([_write(tmp_path, "import my_part_for_a_test")])


def test_a_missing_file_is_reported_with_the_nearest_name(tmp_path):
    path = _write(tmp_path, _GOOD, "s3gan.gin")
    with pytest.raises(UserError, match=r"no gin config .*s3gn\.gin'\. Did you mean .*s3gan\.gin"):
        config.parse([path.replace("s3gan", "s3gn")])
    with pytest.raises(UserError, match=r"there is no folder '.*nowhere' either"):
        config.parse([str(tmp_path / "nowhere" / "s3gan.gin")])


def _raise(error):
    raise error


def test_messages_begin_with_their_place(tmp_path):
    _write(tmp_path, "options.batch_size = 8\nS3GAN.g_lr = 0.1", "base.gin")
    path = _write(tmp_path, 'include "base.gin"\n\nmodels/options.batch_size = 6\nA = 3')
    config.parse([path], ["options.z_dim = 5"])
    places = {
        "options.batch_size is wrong.": f"{path}, line 3",
        "training.options.batch_size is wrong.": f"{path}, line 3",
        "S3GAN.g_lr is wrong.": f"{tmp_path}/base.gin, line 2",
        "options.z_dim is wrong, and options.batch_size.": "--gin_bindings",
        "No matter of options.": path,
    }
    for sentence, place in places.items():
        with pytest.raises(UserError) as caught, config.located():
            _raise(UserError(f"{sentence}\n  In call to configurable 'options'"))
        assert str(caught.value) == f"{place}: {sentence}"


@pytest.mark.parametrize(
    ("bindings", "message"),
    (
        (["ModularGAN.g_lr = -1"], "--gin_bindings: ModularGAN.g_lr is wrong."),
        (["ModularGAN.g_lr = 1", "S3GAN.g_lr = -1"], "--gin_bindings: S3GAN.g_lr is wrong."),
        (["SSGAN.g_lr = -1"], "--gin_bindings: S3GAN.g_lr is wrong."),  # Another class.
    ),
)
def test_messages_name_the_base_class_with_the_binding(bindings, message):
    config.parse([], bindings)
    with pytest.raises(UserError) as caught, config.located():
        _raise(UserError("S3GAN.g_lr is wrong."))
    assert str(caught.value) == message


def test_is_bound():
    config.parse([], ["S3GAN.g_lr = 1"])
    assert config.is_bound("S3GAN.g_lr")
    assert not config.is_bound("ModularGAN.g_lr")
    assert not config.is_bound("nothing.of_this_name")


def test_messages_may_quote_the_value_instead_of_the_parameter(tmp_path):
    path = _write(
        tmp_path, "loss.fn = @hinge\nevaluation.metrics = ['fid', 'mmd']\ndataset.name = 'hinge'"
    )
    config.parse([path])
    for sentence, parameters, line in (
        ("Unknown metric 'mmd'.", (), 2),
        ("Unknown loss 'hinge'.", (), 3),
        ("Unknown 'name'.", ("options.architecture", "loss.fn"), 1),
    ):
        with pytest.raises(UserError) as caught, config.located(*parameters):
            _raise(UserError(sentence))
        assert str(caught.value) == f"{path}, line {line}: {sentence}"


def test_a_place_is_added_once_and_only_to_user_errors(tmp_path):
    path = _write(tmp_path, "options.batch_size = 8")
    config.parse([path])
    with pytest.raises(UserError) as caught, config.located("loss.fn"), config.located():
        _raise(UserError("options.batch_size is wrong."))
    assert str(caught.value) == f"{path}, line 1: options.batch_size is wrong."
    with pytest.raises(RuntimeError, match=r"^Out of memory\.$"), config.located():
        _raise(RuntimeError("Out of memory."))


def test_without_a_config_a_sentence_has_no_place():
    config.parse()
    with pytest.raises(UserError, match=r"^options\.batch_size is wrong\.$"), config.located():
        _raise(UserError("options.batch_size is wrong."))
