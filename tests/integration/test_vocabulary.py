"""The gin vocabulary of the 2019 library: one training step for every scope and parameter.

Networks that take long to differentiate are only built here; `test_every_combination.py` takes a
step with each architecture.

`tests/data/gin_vocabulary.json` lists what must work: scopes with their parameters, the allowed
values of parameters that have a choice, defaults, names of architectures and data sets.
"""

import inspect
import itertools
import json
import pathlib

import gin
import numpy as np
import pytest

from compare_gan import config, registry
from compare_gan.config.keywords import bindable_parameters
from compare_gan.datasets import write_label_file
from compare_gan.training.experiment import Experiment
from compare_gan.training.optimization import OptimizationOptions

_FILE = pathlib.Path(__file__).parents[1] / "data" / "gin_vocabulary.json"
VOCABULARY = json.loads(_FILE.read_text())
PARAMETERS = {f"{scope}.{name}" for scope, names in VOCABULARY["rows"].items() for name in names}

BASE = """
    options.gan_class = @ModularGAN
    options.architecture = 'dummy_arch'
    options.batch_size = 4
    options.training_steps = 1
    options.z_dim = 4
    dataset.name = 'mnist'
    run_config.monitors = False
"""
_BIGGAN = """
    options.architecture = '{family}_arch'
    options.z_dim = 8
    dataset.name = 'cifar10'
    ModularGAN.conditional = True
    G.batch_norm_fn = @conditional_batch_norm
"""
_GAN = """
    {name}.g_lr = 0.001
    {name}.d_lr = 0.002
    {name}.g_optimizer_fn = @tf.train.RMSPropOptimizer
    {name}.d_optimizer_fn = @tf.train.MomentumOptimizer
    {name}.g_use_ema = True
    {name}.ema_decay = 0.5
    {name}.ema_start_step = 0
    {name}.conditional = True
    {name}.fit_label_distribution = True
    {name}.experimental_joint_gen_for_disc = True
    {name}.experimental_force_graph_unroll = True
    {name}.deprecated_split_disc_calls = True
    options.gan_class = @{name}
    options.disc_iters = 2
"""
# Runs that set all parameters of some rows of the vocabulary's table to non-default values.
RUNS = {
    "options, dataset, loss, penalty, weights": """
        options.gan_class = @S3GAN
        options.architecture = 'dcgan_arch'
        options.batch_size = 8
        options.training_steps = 2
        options.disc_iters = 2
        options.lamba = 2
        options.z_dim = 5
        options.discriminator_normalization = 'spectral_norm'
        dataset.name = 'cifar10'
        dataset.seed = 1
        loss.fn = @hinge
        penalty.fn = @wgangp_penalty
        weights.initializer = 'truncated'
        weights.stddev = 0.05
        S3GAN.self_supervision = 'none'
        dcgan.Generator.ch = 2
        dcgan.Discriminator.ch = 2
        """,
    "replace_labels, conditional_batch_norm": """
        replace_labels.file_pattern = '{tmp_path}/labels_{{split}}-*.tfrecord'
        conditional_batch_norm.use_bias = True
        G.batch_norm_fn = @conditional_batch_norm
        ModularGAN.conditional = True
        """,
    "train_imagenet_transform, eval_imagenet_transform": """
        dataset.name = 'imagenet_64'
        run_config.monitors = True
        train_imagenet_transform.crop_method = 'random'
        eval_imagenet_transform.crop_method = 'none'
        """,
    "run_config, z, eval_z, tf.train.AdamOptimizer": """
        run_config.tf_random_seed = 5
        run_config.single_core = True
        run_config.iterations_per_loop = 2
        run_config.save_checkpoints_steps = 1
        run_config.keep_checkpoint_max = 1
        z.distribution_fn = @tf.random.normal
        z.minval = -2
        z.maxval = 2
        z.stddev = 0.5
        eval_z.distribution_fn = @tf.random.normal
        eval_z.minval = -2
        eval_z.maxval = 2
        eval_z.stddev = 0.5
        tf.train.AdamOptimizer.beta1 = 0.5
        tf.train.AdamOptimizer.beta2 = 0.9
        tf.train.AdamOptimizer.epsilon = 1e-5
        tf.train.AdamOptimizer.learning_rate = 0.5
        """,
    "G, D, spectral_norm, standardize_batch": """
        G.batch_norm_fn = @batch_norm
        G.spectral_norm = True
        D.batch_norm_fn = @no_batch_norm
        D.layer_norm = True
        D.spectral_norm = True
        spectral_norm.epsilon = 1e-10
        spectral_norm.singular_value = 'auto'
        standardize_batch.decay = 0.9
        standardize_batch.epsilon = 1e-5
        standardize_batch.use_moving_averages = False
        standardize_batch.use_cross_replica_mean = False
        """,
    "ModularGAN, self_modulated_batch_norm": _GAN.format(name="ModularGAN")
    + """
        self_modulated_batch_norm.num_hidden = 8
        G.batch_norm_fn = @self_modulated_batch_norm
        """,
    "SSGAN": _GAN.format(name="SSGAN")
    + """
        SSGAN.self_supervision = 'rotation_only'
        SSGAN.rotated_batch_size = 4
        SSGAN.weight_rotation_loss_d = 0.5
        SSGAN.weight_rotation_loss_g = 0.5
        """,
    "S3GAN": _GAN.format(name="S3GAN")
    + """
        S3GAN.self_supervision = 'rotation'
        S3GAN.rotated_batch_fraction = 1
        S3GAN.weight_rotation_loss_d = 0.5
        S3GAN.weight_rotation_loss_g = 0.5
        S3GAN.project_y = True
        S3GAN.use_predictor = True
        S3GAN.use_soft_pred = True
        S3GAN.weight_class_loss = 0.5
        S3GAN.use_soft_labels = True
        """,
    "resnet_biggan.Generator, resnet_biggan.Discriminator": _BIGGAN.format(family="resnet_biggan")
    + """
        resnet_biggan.Generator.ch = 4
        resnet_biggan.Generator.blocks_with_attention = 'B2'
        resnet_biggan.Generator.hierarchical_z = False
        resnet_biggan.Generator.embed_z = True
        resnet_biggan.Generator.embed_y = False
        resnet_biggan.Generator.embed_y_dim = 4
        resnet_biggan.Generator.embed_bias = True
        resnet_biggan.Discriminator.ch = 4
        resnet_biggan.Discriminator.blocks_with_attention = 'B2'
        resnet_biggan.Discriminator.project_y = False
        """,
    "resnet_biggan_deep.Generator, resnet_biggan_deep.Discriminator": _BIGGAN.format(
        family="resnet_biggan_deep"
    )
    + """
        resnet_biggan_deep.Generator.ch = 4
        resnet_biggan_deep.Generator.embed_y = False
        resnet_biggan_deep.Generator.embed_y_dim = 4
        resnet_biggan_deep.Generator.experimental_fast_conv_to_rgb = True
        resnet_biggan_deep.Discriminator.ch = 4
        resnet_biggan_deep.Discriminator.blocks_with_attention = 'B2'
        resnet_biggan_deep.Discriminator.project_y = False
        """,
    "resnet_cifar.Generator, resnet_cifar.Discriminator": _BIGGAN.format(family="resnet_cifar")
    + """
        resnet_cifar.Generator.ch = 4
        resnet_cifar.Generator.hierarchical_z = True
        resnet_cifar.Generator.embed_z = True
        resnet_cifar.Generator.embed_y = True
        resnet_cifar.Discriminator.ch = 4
        resnet_cifar.Discriminator.project_y = True
        """,
}
# The values of every choice, including normalizations: run k takes the k-th of each.
# (Only real images are cropped: tests/datasets/test_tensorflow_datasets.py.)
CHOICES = [
    {
        key: values[k % len(values)]
        for key, values in VOCABULARY["values"].items()
        if not key.startswith(("options", "SSGAN", "S3GAN", "train_imagenet", "eval_imagenet"))
    }
    for k in range(max(map(len, VOCABULARY["values"].values())))
]
# Bindings that make the architectures small.
SMALL = {
    "infogan_arch": "infogan.Generator.ch = 2\ninfogan.Discriminator.ch = 2",
    "sndcgan_arch": "sndcgan.Generator.ch = 2\nsndcgan.Discriminator.ch = 2",
    "resnet5_arch": """
        resnet5.Generator.ch = 2
        resnet5.Discriminator.ch = 2
        dataset.name = 'celeb_a'
        """,
    "resnet30_arch": """
        resnet30.Generator.ch = 4
        resnet30.Discriminator.ch = 4
        resnet30.Generator.blocks_per_size = 1
        resnet30.Discriminator.blocks_per_size = 1
        dataset.name = 'celeb_a_hq_128'
        """,
    "resnet_stl_arch": """
        resnet_stl.Generator.ch = 2
        resnet_stl.Discriminator.ch = 2
        dataset.name = 'image_folder'
        dataset.image_size = 48
        """,
}
# Passed by the runner, from `ModularGAN.g_lr`.
GIVEN = {"tf.train.AdamOptimizer.learning_rate"}


def _configurable(scope: str):
    registry.load_all()
    return gin.config._REGISTRY.get_match(scope).wrapped


def _used(key: str):
    """The value that gin passed for a parameter since its bindings were last cleared."""
    scope, name = key.rsplit(".", 1)
    selector = gin.config._REGISTRY.get_match(scope).selector
    return gin.config._OPERATIVE_CONFIG["", selector][name]


@pytest.mark.parametrize("key", sorted(PARAMETERS))
def test_every_parameter_is_known_with_its_default(key):
    scope, name = key.rsplit(".", 1)
    part = _configurable(scope)
    bases = [part] if not inspect.isclass(part) else [*part.__mro__[:-1], OptimizationOptions]
    known = (
        bindable_parameters(part) if inspect.isclass(part) else inspect.signature(part).parameters
    )
    assert name in known
    if key in VOCABULARY["defaults"]:
        signatures = [inspect.signature(base).parameters for base in bases]
        default = next(s[name].default for s in signatures if name in s)
        expected = VOCABULARY["defaults"][key]
        if isinstance(expected, str) and expected.startswith("@"):
            default, expected = inspect.unwrap(default), _configurable(expected[1:])
        assert default == expected


def test_every_row_has_a_run():
    bound = {
        line.split("=")[0].strip() for run in RUNS.values() for line in run.strip().splitlines()
    }
    assert bound >= PARAMETERS
    rows = [scope for scopes in RUNS for scope in scopes.split(", ")]
    assert sorted(rows) == sorted(VOCABULARY["rows"])


def _build(*texts: str) -> None:
    """Builds the networks of the config, without variables, as before a run."""
    lines = [line.strip() for text in texts for line in text.splitlines()]
    config.parse([], lines)
    Experiment.from_gin(fake=True).check()


def _check_use(rows: str) -> None:
    for scope in rows.split(", "):
        for name in VOCABULARY["rows"][scope]:
            key = f"{scope}.{name}"
            value = gin.query_parameter(key)
            assert value != VOCABULARY["defaults"].get(key, "none")
            assert key in GIVEN or _used(key) == value


_ARCHITECTURES = [rows for rows in RUNS if rows.startswith("resnet_")]


@pytest.mark.parametrize("rows", _ARCHITECTURES)
def test_rows_of_networks(rows):
    _build(BASE, RUNS[rows])
    _check_use(rows)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(rows, marks=[pytest.mark.slow] if rows in _ARCHITECTURES else [])
        for rows in RUNS
    ],
)
def test_rows(train, tmp_path, rows):
    # The images of the fake mnist are given these soft labels in turn.
    labels = np.random.default_rng(0).dirichlet(np.ones(10), 20)
    write_label_file(f"{tmp_path}/labels_train-0.tfrecord", [str(i) for i in range(20)], labels)
    run = RUNS[rows].format(tmp_path=tmp_path)
    train(BASE, run)
    _check_use(rows)


@pytest.mark.parametrize("values", CHOICES, ids=itertools.count())
def test_choices(train, values):
    norms = values["G.batch_norm_fn"], values["D.batch_norm_fn"]
    conditional = any("conditional" in value for value in norms)
    train(
        BASE,
        f"ModularGAN.conditional = {conditional}",
        "D.spectral_norm = True",
        *(f"{key} = {value}" for key, value in values.items()),
        # A conditional GAN of which no network uses labels is refused.
        "G.batch_norm_fn = @conditional_batch_norm" if conditional else "",
    )
    assert all(_used(key) == gin.query_parameter(key) for key in values)


@pytest.mark.parametrize("scope", ("SSGAN", "S3GAN"))
def test_self_supervision(train, scope):
    runs = "".join(RUNS.values())
    size = {"SSGAN": "rotated_batch_size = 4", "S3GAN": "rotated_batch_fraction = 1"}[scope]
    for value in VOCABULARY["values"][f"{scope}.self_supervision"]:
        binding = f"{scope}.self_supervision = {value}"
        if binding not in runs:
            train(BASE, f"options.gan_class = @{scope}", binding, f"{scope}.{size}")


@pytest.mark.parametrize("name", VOCABULARY["architectures"])
def test_architecture(name):
    family = name.removesuffix("_arch")
    assert name in SMALL or name == "dummy_arch" or f"'{name}'" in "".join(RUNS.values())
    if name in SMALL:
        _build(BASE, f"options.architecture = '{name}'", SMALL[name])
        for network in ("Generator", "Discriminator"):
            key = f"{family}.{network}.ch"
            assert _used(key) == gin.query_parameter(key)


def test_every_data_set_is_known():
    """`datasets/test_opening.py` draws batches of each one's fake."""
    for name in VOCABULARY["datasets"]:
        registry.get("dataset", name)  # UserError for an unknown name.


@pytest.mark.parametrize(
    "name",
    [
        # The quick ones: without classes, and with ten.
        pytest.param(name, marks=[] if name in ("lsun-bedroom", "mnist") else [pytest.mark.slow])
        for name in VOCABULARY["datasets"]
    ],
)
def test_dataset(train, colour_arch, name):
    conditional = registry.get("dataset", name).num_classes is not None
    train(
        BASE,
        f"options.architecture = '{colour_arch}'",
        f"dataset.name = '{name}'",
        f"ModularGAN.conditional = {conditional}",
    )
