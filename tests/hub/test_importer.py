"""Models of the golden data, as files of 2019, through the command line and back to images."""

import os
import pathlib

import numpy as np
import pytest

from compare_gan import sampling
from compare_gan.errors import UserError
from compare_gan.hub import import_weights
from compare_gan.hub.weights_source import EMA
from compare_gan.training.run_dir import RunDir

_DATA = pathlib.Path(__file__).parent.parent / "data"
_GOLDEN = _DATA / "importing_golden.npz"


@pytest.fixture(name="golden", scope="module")
def _golden():
    with np.load(_GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(name="dcgan", scope="module")
def _dcgan(old):
    return old.variables("dcgan32")


@pytest.fixture(name="narrow", scope="module")
def _narrow(old):
    return old.variables("dcgan32_ch8")


@pytest.fixture(name="biggan", scope="module")
def _biggan(old):
    return old.variables("biggan32_ch8")


@pytest.fixture(name="command")
def _command(run_command):
    return run_command


def _assert_close(actual, expected):
    # Float32 through up to ten layers, summed in another order than TensorFlow 1.15's.
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


def _logits(model, y=None):
    """For the images that the golden data's README names."""
    random = np.random.RandomState(0)
    random.uniform(-1, 1, (4, 16))
    x = random.uniform(size=(4, 32, 32, 3)).astype(np.float32)
    return model.state.gan.discriminator((x, y), training=False)[0]


# Quick are the same numbers from a hub module, and checkpoints of smaller networks.
@pytest.mark.slow
def test_a_checkpoint_gives_the_images_and_logits_of_2019(old, dcgan, golden, command, tmp_path):
    old.write_checkpoint(tmp_path, dcgan, step=70)
    path = str(tmp_path / "run")
    status, out, err = command("import-weights", str(tmp_path), "--model_dir", path)
    assert status == 0, err
    assert (
        out == f"ModularGAN of dcgan_arch, 32x32x3, no classes, step 70, {len(dcgan)} variables\n"
    )
    assert (
        "eval_z.distribution_fn = @tf.random.uniform and standardize_batch.epsilon = 1e-05" in err
    )
    assert "images of 28 pixels as well" in err

    model = RunDir(path).load()
    assert (model.step, model.sampler.z_dim, model.averaged) == (70, 16, False)
    images = model.sampler.network((golden["dcgan32/z"], None), training=False)
    _assert_close(images[:, ::8, ::8], golden["dcgan32/images_eval"])
    _assert_close(_logits(model), golden["dcgan32/logits"])

    status, out, err = command("sample", "--model_dir", path, "--num", "3")
    assert status == 0 and len(os.listdir(out.strip())) == 3, err


def test_a_hub_module_gives_the_images_and_logits_of_2019(old, biggan, golden, command, tmp_path):
    """Averages are the golden weights here, the weights themselves are others."""
    variables = dict(biggan)
    weights = [
        name
        for name in biggan
        if name.startswith("generator/") and not name.endswith("u_var") and "/accu/" not in name
    ]
    for name in weights:
        variables[name + EMA] = biggan[name]
        variables[name] = 0.5 * biggan[name]
    module = old.write_hub_module(tmp_path / "module", variables, 16, 10, epsilon=1e-5)
    path = str(tmp_path / "run")
    status, out, err = command("import-weights", module, "--model_dir", path)
    assert status == 0, err
    assert "resnet_biggan_arch, 32x32x3, 10 classes, step 0" in out and "averaged weights" in out
    assert "eval_z.distribution_fn = @tf.random.normal." in err and "epsilon" not in err

    model = RunDir(path).load()
    y = np.eye(10, dtype=np.float32)[golden["biggan32_ch8/labels"]]
    z = golden["biggan32_ch8/z"]
    assert model.averaged and model.sampler.num_classes == 10
    images = model.sampler.network((z, y), training=True)[:, ::4, ::4]
    _assert_close(images, golden["biggan32_ch8/images_train"])
    raw = {v.path: v.numpy() for v in model.state.gan.generator.trainable_variables}
    assert len(raw) == len(weights)
    for name in weights:
        np.testing.assert_array_equal(raw[name], 0.5 * biggan[name])
    _assert_close(_logits(model, y), golden["biggan32_ch8/logits"])


def _with_heads(old, variables):
    """S3GAN's three heads on the 16 features of the small BigGAN, without its own projection."""
    variables = {n: v for n, v in variables.items() if "embedding_fc" not in n}
    for name, shape in {
        "discriminator_rotation/score_classify/kernel": (16, 4),
        "discriminator_rotation/score_classify/kernel/u_var": (1, 4),
        "discriminator_rotation/score_classify/bias": (4,),
        "discriminator_predictor/predictor_linear/kernel": (16, 10),
        "discriminator_predictor/predictor_linear/kernel/u_var": (1, 10),
        "discriminator_predictor/predictor_linear/bias": (10,),
        "discriminator_projection/kernel": (10, 16),
        "discriminator_projection/kernel/u_var": (10, 1),
    }.items():
        variables[name] = old.value(name, shape)
    return variables


def test_heads_and_standing_statistics_come_along(old, biggan, command, tmp_path):
    variables = _with_heads(old, biggan)
    random = np.random.RandomState(3)
    for name, value in variables.items():
        if name.endswith(("accu_mean", "accu_variance")):
            variables[name] = random.uniform(1, 2, value.shape).astype(np.float32)
        elif name.endswith("accu_counter"):
            variables[name] = np.float32(2)
    old.write_checkpoint(tmp_path, variables)
    path = str(tmp_path / "run")
    status, out, err = command("import-weights", str(tmp_path), "--model_dir", path)
    assert status == 0 and out.startswith("S3GAN of resnet_biggan_arch"), err

    model = RunDir(path).load()
    heads = model.state.gan.heads
    assert set(heads) == {"rotation", "class_prediction", "projection"}
    for head in heads.values():
        for variable in head.variables:
            name = variable.path.replace("/u_var", "/kernel/u_var")
            np.testing.assert_array_equal(variable.value, variables[name])
    assert model.sampler.prepare() == "standing statistics as they were imported"
    kept = [v for v in model.sampler.network.variables if v.path.endswith("accu_mean")]
    assert len(kept) == 7
    for variable in kept:
        np.testing.assert_array_equal(variable.value, variables[variable.path])


@pytest.mark.slow
def test_normalized_embeddings_of_resnet_cifar_are_imported(old, tmp_path):
    """The 2019 library normalizes them under `G.spectral_norm`.

    Fault: a checkpoint of 2019 has spectrally normalized embeddings, which outputs depend on
    Command: import-weights
    User sees: ModularGAN of resnet_cifar_arch, 32x32x3, 10 classes, …
    Exit code: 0
    Lost: nothing: all variables are imported
    """
    variables = old.variables("cifar_embedded")
    vectors = {n: v.shape for n, v in variables.items() if n.startswith("generator/embed")}
    assert {n: s for n, s in vectors.items() if n.endswith("u_var")} == {
        "generator/embed_y/kernel/u_var": (10, 1),
        "generator/embed_z/kernel/u_var": (16, 1),
    }
    prefix = old.write_checkpoint(tmp_path, variables)
    out = import_weights(prefix, str(tmp_path / "run"))
    assert out.startswith("ModularGAN of resnet_cifar_arch, 32x32x3, 10 classes")
    for variable in RunDir(tmp_path / "run").load().sampler.network.variables:
        name = variable.path.replace("/u_var", "/kernel/u_var")
        np.testing.assert_array_equal(variable.value, variables[name])


def test_a_generator_alone_is_enough(old, narrow, tmp_path, caplog):
    """Parents of the new folder are created."""
    variables = {n: v for n, v in narrow.items() if n.startswith("generator/")}
    prefix = old.write_checkpoint(tmp_path / "old", variables)
    path = tmp_path / "new" / "deep" / "run"
    with caplog.at_level("WARNING", logger="compare_gan"):
        import_weights(prefix, str(path))
    assert "contains no discriminator: it stays as initialized" in caplog.text
    model = RunDir(path).load()
    assert model.step == 7
    for variable in model.sampler.network.variables:
        np.testing.assert_array_equal(variable.value, variables[variable.path])
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]


def test_a_config_wins(old, narrow, tmp_path):
    prefix = old.write_checkpoint(tmp_path, narrow)
    (tmp_path / "old.gin").write_text(
        "options.gan_class = @SSGAN\n"
        "SSGAN.self_supervision = 'none'\n"
        "options.architecture = 'dcgan_arch'\n"
        "options.batch_size = 32\n"
        "options.training_steps = 500\n"
        "dataset.name = 'cifar10'\n"
        "standardize_batch.epsilon = 1e-3\n"
    )
    path = str(tmp_path / "run")
    out = import_weights(prefix, path, [str(tmp_path / "old.gin")], ["options.batch_size = 16"])
    assert out.startswith("SSGAN of dcgan_arch, 32x32x3")
    model = RunDir(path).load()
    assert type(model.state.gan).__name__ == "SSGAN"
    assert model.sampler.network.norms[0].statistics.epsilon == 1e-3
    config = (tmp_path / "run" / "config.gin").read_text()
    assert "batch_size = 16" in config and "dataset.name = 'cifar10'" in config


@pytest.mark.slow
def test_a_config_of_2019_needs_neither_its_data_nor_its_label_files(old, command, tmp_path):
    path = str(_DATA / "configs_2019" / "s3gan_imagenet128.gin")
    assert "replace_labels.file_pattern" in pathlib.Path(path).read_text()
    width = ["resnet_biggan.Generator.ch = 8", "resnet_biggan.Discriminator.ch = 8"]
    variables = old.gan_variables([path], width, (128, 128, 3), 1000)
    for name in list(variables):
        if name.endswith(("accu_counter", "accu_variance")):  # So that they are kept.
            variables[name] = variables[name] * 0 + 2
    old.write_checkpoint(tmp_path / "old", variables)
    run = str(tmp_path / "run")
    status, out, err = command(
        *("import-weights", str(tmp_path / "old"), "--model_dir", run, "--gin_config", path)
    )
    assert status == 0, err
    assert out.startswith("S3GAN of resnet_biggan_arch, 128x128x3, 1000 classes")

    # As `sample` and `export` do.
    images = sampling.write_images(RunDir(run).load().sampler, str(tmp_path / "images"), 1, seed=0)
    assert sorted(os.listdir(images)) == ["000000_0.png", "classes.json"]


def test_classes_are_known_without_the_label_files(old, biggan, tmp_path):
    labels = ["dataset.name = 'cifar10'", "replace_labels.file_pattern = '/nowhere/{split}*'"]
    prefix = old.write_checkpoint(tmp_path, biggan)
    with pytest.raises(UserError, match="weights are for 10 classes, but 'cifar10' has 4"):
        import_weights(prefix, str(tmp_path / "run"), [], [*labels, "replace_labels.num_classes=4"])
    # The size of the images is known even where only label files have the number of classes.
    labels[0] = "dataset.name = 'celeb_a'"
    with pytest.raises(UserError, match=r" at 64x64"):
        import_weights(prefix, str(tmp_path / "run"), [], labels)


_SSGAN = """
    FAMILY = 'dcgan_arch'
    options.architecture = %FAMILY
    options.gan_class = @SSGAN
    options.batch_size = 16
    options.training_steps = 1
    SSGAN.rotated_batch_size = 16
    dcgan.Generator.ch = 8
    dcgan.Discriminator.ch = 8
"""


def test_bindings_win_in_whichever_scope(old, tmp_path):
    variables = old.gan_variables([], [_SSGAN], (32, 32, 3), None)
    weights = [n for n in variables if n.startswith("generator/") and "moving" not in n]
    prefix = old.write_checkpoint(tmp_path, variables | {n + EMA: variables[n] for n in weights})
    for bindings, averaged in (
        ([], True),  # As the variables show.
        (["ModularGAN.g_use_ema = False"], False),
        (["SSGAN.g_use_ema = False"], False),
    ):
        path = str(tmp_path / f"run{len(os.listdir(tmp_path))}")
        out = import_weights(prefix, path, [], [_SSGAN, *bindings])
        assert out.startswith("SSGAN of dcgan_arch, 32x32x3")
        assert out.endswith(", averaged weights") == averaged
    assert not RunDir(path).load().averaged


def _spoil(variables, change):
    variables = dict(variables)
    change(variables)
    return variables


@pytest.mark.parametrize(
    ("change", "bindings", "sentence"),
    (
        (
            lambda v: (
                v.update({f"generator/extra{i}/kernel": np.zeros(3) for i in range(5)}),
                v.update({"generator/g_bn1/gamma": np.zeros(3)}),
                v.pop("generator/g_bn1/beta"),
            ),
            [],
            r"dcgan_arch at 32x32: 5 variables \(generator/extra0/kernel, generator/extra1/kernel, "
            r"generator/extra2/kernel, …\) unknown; 1 variable \(generator/g_bn1/beta\) missing; "
            r"1 variable \(generator/g_bn1/gamma \[3\] instead of \[64\]\) of another shape\.$",
        ),
        (
            lambda v: v.update({"generator/g_bn1/gamma/ExponentialMovingAverage": np.zeros(64)}),
            [],
            r"variables \(generator/g_fc1/kernel/ExponentialMovingAverage, .*\) missing\.$",
        ),
        (lambda v: None, ["D.spectral_norm = False"], r"d_conv1/kernel/u_var, .*\) unknown\.$"),
        (lambda v: None, ["dataset.name = 'celeb_a'"], r"dcgan_arch at 64x64: .* of another shape"),
        (
            lambda v: None,
            ["options.architecture = 'resnet_stl_arch'"],
            r"no known architecture \(compared with resnet_stl_arch\)",
        ),
    ),
)  # fmt: skip
def test_variables_that_do_not_fit_are_listed_and_nothing_is_written(
    old, narrow, tmp_path, change, bindings, sentence
):
    prefix = old.write_checkpoint(tmp_path / "old", _spoil(narrow, change))
    with pytest.raises(UserError, match=sentence):
        import_weights(prefix, str(tmp_path / "new" / "deep" / "run"), [], bindings)
    assert os.listdir(tmp_path) == ["old"]


def test_every_variable_that_does_not_fit_is_listed(old, narrow, command, tmp_path):
    extra = [f"generator/extra{i}/kernel" for i in range(50)]
    spoilt = _spoil(narrow, lambda v: v.update({name: np.zeros(3) for name in extra}))
    spoilt["generator/g_bn1/gamma"] = np.zeros(3)
    prefix = old.write_checkpoint(tmp_path, spoilt)
    status, _, err = command("import-weights", prefix, "--model_dir", str(tmp_path / "run"))
    first, *listed, last = err.splitlines()
    assert (status, first) == (2, "50 variables unknown:")
    assert [line.strip() for line in listed] == sorted(extra)
    assert last.startswith(f"Error: '{prefix}' does not fit dcgan_arch at 32x32: 50 variables (")
    assert last.endswith(
        "unknown; 1 variable (generator/g_bn1/gamma [3] instead of [64]) of another shape."
    )


def test_a_directory_in_use_is_refused(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.gin").write_text("")
    path = str(tmp_path / "run")
    status, _, err = command("import-weights", str(tmp_path), "--model_dir", path)
    assert (status, err) == (
        2,
        f"Error: '{path}' is not an empty directory: choose another --model_dir.\n",
    )
