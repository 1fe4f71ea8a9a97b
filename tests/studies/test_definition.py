"""Study files: the runs that they amount to, and one sentence for each mistake."""

import json
import subprocess
import sys

import pytest

from compare_gan.errors import UserError
from compare_gan.studies import StudyDefinition, define, read_study

_FILE = """
STEPS = 1500
study.base = "base.gin"
study.bindings = ["evaluation.num_fake = 10000"]
study.axes = {                               # Comments are allowed.
    "loss.fn": [@hinge, @wasserstein],
    "norm": {"none": [], "sn": ["D.spectral_norm = True", "G.spectral_norm = True"]},
    "g_lr": {"slow": "ModularGAN.g_lr = 1e-4"},
}
study.exclude = [{"loss.fn": @wasserstein, "norm": ["none"]}]
study.seeds = 2
study.steps = %STEPS
study.metrics = ["fid", "inception_score"]
"""


@pytest.fixture(name="read")
def _read(tmp_path, base):
    def read(text):
        path = tmp_path / "losses.gin"
        path.write_text(text)
        return read_study(str(path))

    return read


def test_a_file_amounts_to_runs(read):
    study = read(_FILE)
    assert [run.name for run in study.runs] == [
        "hinge-none-slow-seed1",
        "hinge-sn-slow-seed1",
        "wasserstein-sn-slow-seed1",
        "hinge-none-slow-seed2",
        "hinge-sn-slow-seed2",
        "wasserstein-sn-slow-seed2",
    ]
    assert study.title == "losses"
    variant = study.variants[2]
    assert variant.axes == {"loss.fn": "wasserstein", "norm": "sn", "g_lr": "slow"}
    assert variant.values == {
        "options.batch_size": 4,
        "options.disc_iters": 2,
        "options.training_steps": 1500,
        "evaluation.num_fake": 10000,
        "loss.fn": "@wasserstein",
        "D.spectral_norm": True,
        "G.spectral_norm": True,
        "ModularGAN.g_lr": 1e-4,
        "evaluation.metrics": ["fid", "inception_score"],
    }
    assert variant.images_per_step == 8  # Two batches of the discriminator.


def test_a_seed_determines_weights_data_and_inferred_labels(base):
    [run] = define(base=base, seeds=[3]).runs
    assert run.bindings == ("run_config.tf_random_seed = 3", "dataset.seed = 550")
    [run] = define(base=base, bindings="dataset.inferred_labels = True", seeds=[3]).runs
    assert run.bindings[2:] == ("infer_labels.seed = 3",)


def test_without_axes_only_the_seed_varies(base):
    study = define(base=base, seeds=3)
    assert [run.name for run in study.runs] == ["run-seed1", "run-seed2", "run-seed3"]


def test_names_do_not_change_when_values_are_added(two_losses):
    before = [run.name for run in two_losses().runs]
    axes = {"loss.fn": ["@non_saturating", "@hinge", "@wasserstein", "@least_squares"]}
    assert set(before) < {run.name for run in two_losses(axes=axes, seeds=5).runs}


@pytest.mark.parametrize(
    "value, name",
    [
        (0.5, "rate=0.5"),
        (1e-05, "rate=1e-05"),
        (True, "rate=True"),
        (None, "rate=None"),
        ("train", "train"),
        ("a/b: ../c", "a_b_.._c"),
        (["@r1()", "@lecam()"], "rate=r1_lecam"),
        ([], "rate=none"),
        ("é", "rate=é"),
    ],
)
def test_names_are_safe_for_file_systems(base, value, name):
    [run] = define(base=base, axes={"options.rate": [value]}).runs
    assert run.name == f"{name}-seed1"


def test_long_names_are_cut_and_stay_different(base):
    axis = {"é" * 200: [], "é" * 201: []}
    names = [run.name for run in define(base=base, axes={"long": axis}).runs]
    assert len(set(names)) == 2
    assert max(len(name.encode()) for name in names) < 140


def test_a_label_of_several_lines_binds_nothing(base):
    axes = {"a\noptions.batch_size = 8": {"b\noptions.z_dim = 3": "options.disc_iters = 1"}}
    [variant] = define(base=base, axes=axes).variants
    assert "options.z_dim" not in variant.values and variant.images_per_step == 4
    assert variant.values["options.disc_iters"] == 1


def test_variants_may_include_configs(base, tmp_path):
    (tmp_path / "other.gin").write_text("include 'base.gin'\noptions.batch_size = 16\n")
    axes = {"method": {"a": [], "b": ["include 'other.gin'", "options.z_dim = 8"]}}
    study = define(base=base, axes=axes | {"options.disc_iters": [1]}, folder=str(tmp_path))
    sizes = [(v.values["options.batch_size"], v.images_per_step) for v in study.variants]
    assert sizes == [(4, 4), (16, 16)]


def test_json_returns_the_same_study(read):
    study = read(_FILE)
    assert StudyDefinition.from_json(json.loads(json.dumps(study.to_json()))) == study


def test_reading_a_study_needs_no_engine(tmp_path, base):
    code = (
        "import sys; from compare_gan.studies import define; "
        f"define(base={base!r}, axes={{'loss.fn': ['@hinge']}}); "
        "print([each for each in ('keras', 'tensorflow', 'jax') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


_LOSSES = {"loss.fn": ["@hinge", "@wasserstein"]}


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"axis": {}}, "Unknown option 'study.axis'. Did you mean 'study.axes'?"),
        ({"axes": {}}, "study.axes is empty"),
        ({"axes": []}, "study.axes must be a dict"),
        ({"axes": {"loss.fn": []}}, "study.axes['loss.fn'] is empty"),
        ({"axes": {"norm": {}}}, "study.axes['norm'] is empty"),
        ({"axes": {"loss.fn": "@hinge"}}, "study.axes['loss.fn'] must be a list of values"),
        ({"axes": {"loss.fn": ["@hinge", "hinge"]}}, "has the label 'hinge' twice"),
        ({"axes": {"norm": [1, 2]}}, "'norm' must be a parameter"),
        ({"axes": {"norm": {"": []}}}, "a label must be a string that is not empty"),
        ({"axes": {"norm": {"\udc80": "D.sn = True"}}}, r"contains '\udc80', which is not a char"),
        ({"axes": {"D.name": ["\udc80"]}}, r"contains '\udc80', which is not a char"),
        ({"axes": {"norm": {"sn": "True"}}}, "'True' is not a binding"),
        ({"axes": {"norm": {"sn": [3]}}}, "must be a binding or a list of bindings"),
        ({"axes": {"norm": {"a b": [], "a_b": []}}}, "would have the same name, 'a_b'"),
        (
            {"axes": _LOSSES | {"more": {"a": ["loss.fn = @hinge"]}}},
            "study.axes['more'] and study.axes['loss.fn'] both bind loss.fn",
        ),
        (
            {"axes": {"options.training_steps": [1, 2]}, "steps": 3},
            "study.axes['options.training_steps'] and study.steps both bind",
        ),
        ({"axes": {"dataset.seed": [1, 2]}}, "and study.seeds both bind dataset.seed"),
        ({"bindings": ["dataset.seed = 3"]}, "study.bindings and study.seeds both bind"),
        (
            {"axes": _LOSSES, "exclude": [{"loss.fn": "hing"}]},
            "names a label 'hing', which the axis 'loss.fn' does not have. Did you mean 'hinge'?",
        ),
        (
            {"axes": _LOSSES, "exclude": [{"los.fn": "hinge"}]},
            "names an axis 'los.fn', which the study does not have. Did you mean 'loss.fn'?",
        ),
        ({"axes": {"loss.fn": [len]}}, "<built-in function len> is not a gin value"),
        ({"exclude": 3}, "study.exclude must list combinations"),
        ({"exclude": [{}]}, "study.exclude must list combinations"),
        (
            {"axes": _LOSSES, "exclude": {"loss.fn": ["hinge", "wasserstein"]}},
            "study.exclude leaves no combination",
        ),
        ({"seeds": 0}, "study.seeds must be a positive integer"),
        ({"seeds": "three"}, "study.seeds must be a number of seeds or a list"),
        ({"seeds": [1, 1]}, "study.seeds has a seed twice"),
        ({"seeds": [-1]}, "study.seeds must contain integers from 0"),
        ({"steps": 0}, "study.steps must be a positive integer, received 0."),
        ({"steps": 1.5}, "study.steps must be a positive integer, received 1.5."),
        ({"base": ()}, "study.steps is needed"),
        ({"base": 3}, "study.base must be a gin file"),
        ({"base": "supervised_fashion_mnst"}, "Did you mean 'supervised_fashion_mnist'?"),
        ({"metrics": "fid"}, "study.metrics must be a list of names"),
        ({"metrics": [1]}, "study.metrics must be a list of names"),
        ({"protocol": 3}, "study.protocol must be a string"),
        ({"averaging_runs": 0}, "study.averaging_runs must be a positive integer"),
    ],
)
def test_a_mistake_is_one_sentence(base, options, sentence):
    with pytest.raises(UserError) as error:
        define(**{"base": base} | options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("study.base = 'base.gin'\nstudy.sead = 3\n", "losses.gin, line 2: Unknown option"),
        ("study.base = 'base.gin'\nstudy.seeds = 0\n", "losses.gin, line 2: study.seeds must"),
        ("options.z_dim = 3\n", "line 1: A study file binds only options of `study`"),
        ("study.axes = {'a': {'x': [], 'x': []}}\n", "The key 'x' is there twice."),
        ("study.axes = {'loss.fn':\n[hinge]}\n", "line 2: hinge is not a gin value"),
        ("study.axes = {'loss.fn': [\n", "losses.gin: The config cannot be read"),
        ("include 'missing.gin'\n", "losses.gin, line 1: There is no file 'missing.gin'"),
        ("include 'losses.gin'\n", "includes itself"),
    ],
)
def test_a_mistake_in_a_file_has_its_place(read, text, sentence):
    with pytest.raises(UserError) as error:
        read(text)
    assert sentence in str(error.value)


def test_a_study_file_may_include_another_one(read, tmp_path):
    (tmp_path / "common.gin").write_text("study.seeds = 4\nstudy.base = 'base.gin'\n")
    study = read("include 'common.gin'\nstudy.steps = 2\n")
    assert len(study.runs) == 4
    assert "include" not in study.source
