"""The command line: commands, and mistakes in them."""

import errno
import itertools
import os
import pathlib
import re
import types

import click
import eager
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import compare_gan
from compare_gan import main
from compare_gan.architectures import stylegan2
from compare_gan.errors import DivergenceError
from compare_gan.evaluation import protocols
from compare_gan.sampling import Sampler
from compare_gan.training.run_dir import RunDir


@pytest.fixture(name="run")
def _run(run_command, monkeypatch, tmp_path, eagerly):
    """Runs a command, uncompiled; returns exit status, standard output, standard error."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    return run_command


def _bindings(tiny_run, *more):
    return [part for binding in (*tiny_run, *more) for part in ("--gin_bindings", binding)]


@pytest.fixture(name="model_dir", scope="module")
def _model_dir(tmp_path_factory, tiny_run, simple_steps):
    """A trained tiny run."""
    from compare_gan import config
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment

    path = str(tmp_path_factory.mktemp("run"))
    config.parse([], [*tiny_run, *simple_steps])
    with eager.eagerly():
        modes.run("train", Experiment.from_gin(), RunDir(path), modes.EvaluationPlan())
    return path


@pytest.mark.parametrize(
    "command",
    (
        [],
        ["train"],
        ["label"],
        ["eval"],
        ["study"],
        ["study", "run"],
        ["study", "status"],
        ["study", "add"],
        ["study", "prune"],
        ["sample"],
        ["export"],
        ["import-weights"],
        ["ema"],
        ["directions"],
        ["project"],
        ["metrics"],
        ["compare"],
        ["list"],
        ["configs"],
    ),
)
def test_help_lists_every_option(run, command):
    status, out, _ = run(*command, "--help")
    assert status == 0 and out.startswith("Usage: compare_gan")
    if command == ["train"]:
        for option in ("--model_dir", "--gin_config", "--gin_bindings", "--schedule", "--dry-run",
                       "--num_eval_averaging_runs", "--eval_every_steps", "--score_filename",
                       "--stop_step", "--tfds_data_dir", "--data_fake_dataset"):  # fmt: skip
            assert option in out


def test_the_2019_form_trains_and_evaluates(run, tmp_path, tiny_run, simple_steps):
    tf.config.run_functions_eagerly(False)  # As users run it.
    status, out, err = run(
        "--model_dir", str(tmp_path / "run"), *_bindings(tiny_run, *simple_steps),
        "--schedule", "eval_after_train", "--num_eval_averaging_runs", "2",
        "--eval_every_steps", "3", "--score_filename", "table.csv",
    )  # fmt: skip
    assert status == 0, err
    assert "fid_fashion_cnn" in out
    assert "step 6/6" in err
    lines = (tmp_path / "run" / "table.csv").read_text().splitlines()
    assert len(lines) == 3 and lines[1].startswith("3,") and lines[2].startswith("6,")


def test_dry_run_writes_nothing(run, tmp_path, tiny_run, simple_steps):
    path, bindings = tmp_path / "run", _bindings(tiny_run, *simple_steps)
    status, out, _ = run("train", "--dry-run", "--model_dir", str(path), *bindings)
    assert status == 0 and not path.exists()
    assert "parameters" in out and "memory" in out and "options.batch_size = 8" in out


def test_eval_adds_a_row_and_its_bindings_count(run, model_dir):
    common = ("eval", "--model_dir", model_dir, "--num_eval_averaging_runs", "1")
    status, out, err = run(*common, "--checkpoint", "3")
    assert status == 0 and "Step 3: 1 x 40 samples" in out, err
    name = "metropolis_hastings"
    options = (
        "evaluation.num_fake = 30",
        f"evaluation.refinement = @{name}()",
        f"{name}.steps = 1",
    )
    bindings = [part for option in options for part in ("--gin_bindings", option)]
    status, out, err = run(*common, *bindings)
    assert status == 0 and "Step 6: 1 x 30 samples" in out, err
    table = pathlib.Path(model_dir, "scores.csv").read_text()
    assert "metropolis_hastings(steps=1, slope=calibrated)" in table.splitlines()[-1]


def test_eval_by_a_protocol_warns_of_other_rows_in_the_table(run, model_dir, monkeypatch):
    monkeypatch.setattr(
        protocols,
        "get",
        lambda name: protocols.Protocol(name, {"fid": {}}, 50, extractor="fashion_cnn",
                                             resizer=""),
    )  # fmt: skip
    arguments = ("eval", "--model_dir", model_dir, "--num_eval_averaging_runs", "1")
    bindings = ("evaluation.extractor = 'auto'", "evaluation.num_fake = None")
    common = [part for each in bindings for part in ("--gin_bindings", each)]
    run(*arguments)
    protocol = ("--gin_bindings", "evaluation.protocol = 'fid50_train'")
    status, out, err = run(*arguments, *common, *protocol, "--score_filename", "other.csv")
    assert status == 0 and "protocol fid50_train" in out, err
    [warning] = [line for line in err.splitlines() if "measured differently" in line]
    assert warning.startswith("other.csv: These scores") and "; num_fake is 40 (step " in warning
    status, out, err = run("compare", model_dir, "--all")
    assert status == 0 and "fid50_train" in out and "Warning: These scores" in err


def test_sample_draws_a_grid_of_all_classes(run, model_dir, tmp_path):
    paths = []
    for seed in ("0", "0", "1"):
        paths.append(str(tmp_path / f"{len(paths)}.png"))
        status, out, err = run(
            "sample", "--model_dir", model_dir, "--columns", "3", "--seed", seed, "--out", paths[-1]
        )
        assert status == 0 and out.strip() == paths[-1], err
    first, same, other = (np.asarray(Image.open(path)) for path in paths)
    np.testing.assert_array_equal(first, same)
    assert first.shape == other.shape and not np.array_equal(first, other)
    assert first.shape[0] == 4 * 58 + 2  # Four classes.


def test_sample_draws_one_class_truncated_raw_or_of_a_step(run, model_dir, tmp_path):
    def draw(*options):
        path = str(tmp_path / "grid.png")
        status, _, err = run("sample", "--model_dir", model_dir, "--out", path, *options)
        assert status == 0, err
        return np.asarray(Image.open(path))

    one = draw("--class", "2")
    assert one.shape[0] == 58 + 2
    # By a percentile of 100 the best of the first samples alone are accepted at once.
    bindings = "drs.burn_in = 8", "drs.percentile = 100.0", "drs.most_rounds = 2"
    refine = ["--refine", "drs", *(part for each in bindings for part in ("--gin_bindings", each))]
    # Calibrated on the split `test` of the data set.
    calibrate = ["--refine", "metropolis_hastings", "--gin_bindings"]
    calibrate.append("metropolis_hastings.steps = 2")
    for options in (["--truncation", "0.3"], ["--raw"], ["--checkpoint", "3"], refine, calibrate):
        assert not np.array_equal(draw("--class", "2", *options), one)


def test_a_sample_is_moved_along_directions(run, model_dir, tmp_path):
    path = str(tmp_path / "directions.png")
    common = ("directions", "--model_dir", model_dir, "--out", path, "--columns", "3")
    status, out, err = run(*common, "--count", "2", "--class", "1")
    assert status == 0 and out.strip() == path, err
    assert np.asarray(Image.open(path)).shape[0] == 2 * 58 + 2


def test_directions_of_stylegan2_are_those_of_its_styles(run, monkeypatch, tmp_path):
    """A network that z enters only through a mapping network had no directions."""
    network = stylegan2.Generator((8, 8, 1), ch=4, mapping_layers=1)
    model = types.SimpleNamespace(sampler=Sampler(network, z_dim=4, image_shape=(8, 8, 1)))
    monkeypatch.setattr(RunDir, "load", lambda *_: model)
    arguments = ("directions", "--model_dir", str(tmp_path), "--columns", "3", "--count", "2")
    status, out, err = run(*arguments)
    assert status == 0 and out.strip() == str(tmp_path / "directions.png"), err
    first, second = np.split(np.asarray(Image.open(tmp_path / "directions.png"))[2:], 2)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("command", "out", "sentence"),
    (
        (("directions",), "taken", "'taken' is a folder: name a file"),
        (("directions",), "file/a.png", "'file/a.png' cannot be made: '.*file' is a file, not a"),
        (("project", "--images", "none"), "file", "'file/.*' cannot be made: .* is a file, not a"),
    ),
)
def test_a_place_is_checked_before_the_model_is_restored(
    run, model_dir, tmp_path, monkeypatch, command, out, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunDir, "load", lambda *_: pytest.fail("The model is restored."))
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("mine")
    status, _, err = run(*command, "--model_dir", model_dir, "--out", out)
    assert status == 2 and re.search(sentence, err), err
    assert (tmp_path / "file").read_text() == "mine"


def test_real_images_are_projected(run, model_dir, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    common = ("project", "--model_dir", model_dir, "--steps", "2", "--candidates", "8", "--out")
    folder = str(tmp_path / "out")
    status, out, err = run(*common, folder, "--images", tmp_path / "images.npz", "--num", "11")
    assert status == 0 and out.strip() == folder, err
    assert "root mean squared difference of pixels: 0." in err
    with np.load(os.path.join(folder, "latents.npz")) as arrays:
        assert arrays["z"].shape == (11, 4) and set(arrays["labels"]) <= {0, 1, 2, 3}
    assert np.asarray(Image.open(os.path.join(folder, "projection.png"))).shape[0] == 4 * 58 + 2

    np.savez(tmp_path / "small.npz", images=images[:, :4])
    status, _, err = run(*common, folder, "--images", tmp_path / "small.npz")
    assert status == 2 and "are 4x8x3, those of the model 8x8x3: they must" in err


def test_a_run_is_loaded_to_draw_images_in_python(model_dir):
    sampler = compare_gan.load_generator(model_dir)
    images, labels = sampler.sample(5)
    assert images.shape == (5, 8, 8, 3) and images.dtype == np.uint8 and len(labels) == 5
    for options in ({"use_ema": False}, {"checkpoint": 3}):
        others, _ = compare_gan.load_generator(model_dir, **options).sample(5)
        assert not np.array_equal(others, images)


def test_sample_writes_single_images(run, model_dir):
    status, out, err = run("sample", "--model_dir", model_dir, "--num", "5")
    assert status == 0, err
    names = sorted(os.listdir(out.strip()))
    assert names == [*(f"{i:06}_{i % 4}.png" for i in range(5)), "classes.json"]
    assert Image.open(os.path.join(out.strip(), names[0])).size == (8, 8)


def test_sample_writes_one_file_of_arrays(run, model_dir, tmp_path):
    path = str(tmp_path / "new" / "samples.npz")
    status, out, err = run(
        "sample", "--model_dir", model_dir, "--num", "5", "--class", "2", "--out", path
    )
    assert status == 0 and out.strip() == path, err
    with np.load(path) as file:
        assert file["arr_0"].shape[:3] == (5, 8, 8)
        np.testing.assert_array_equal(file["labels"], [2] * 5)


def test_errors_in_a_writing_thread_end_in_a_sentence(run, model_dir, tmp_path, monkeypatch):
    (tmp_path / "000002_2.png" / "in the way").mkdir(parents=True)
    sample = ("sample", "--model_dir", model_dir, "--num", "5", "--out", str(tmp_path))
    status, _, err = run(*sample)
    assert status == 1 and err.startswith("Error: Is a directory: ") and err.count("\n") == 1

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("compare_gan.plots.grids.save_png", fail)
    status, _, err = run(*sample)
    assert (status, err) == (1, f"Error: No space left on device: {tmp_path}.\n")


def test_sample_interpolates_from_left_to_right(run, model_dir, tmp_path):
    path = str(tmp_path / "rows.png")
    status, _, err = run(
        "sample", "--model_dir", model_dir, "--interpolate", "2", "--columns", "5", "--out", path
    )
    assert status == 0, err
    picture = np.asarray(Image.open(path)).astype(float)
    images = [
        picture[2:58, x : x + 56] for x in range(picture.shape[1] - 5 * 58, picture.shape[1], 58)
    ]
    # The ends differ most; each image lies between its neighbours.
    ends = np.abs(images[0] - images[-1]).mean()
    assert all(np.abs(a - b).mean() < ends for a, b in itertools.pairwise(images))


def test_list_prints_name_summary_and_paper(run):
    status, out, _ = run("list")
    assert status == 0
    for name in ("S3GAN", "resnet_biggan_arch", "hinge", "fashion_mnist_10k", "fashion_cnn", "fid"):
        assert name in out
    status, out, _ = run("list", "loss")
    [line] = [line for line in out.splitlines() if " hinge " in line]
    assert "Hinge loss" in line and "https://arxiv.org/abs/1705.02894" in line


def test_list_finds_a_part_by_each_of_its_names(run):
    for name in ("non_saturating", "logistic"):
        status, out, _ = run("list", name)
        kind, line = out.splitlines()
        assert (status, kind) == (0, "loss") and line.startswith("  non_saturating  Cross-entropy")
        assert "Also called logistic." in line
    status, _, err = run("list", "top_k")
    assert status == 2 and "docs/parts.md has the options that are not parts" in err


def test_configs_prints_names_and_headlines(run):
    status, out, _ = run("configs")
    assert status == 0
    [line] = [line for line in out.splitlines() if line.startswith("dcgan_celeba64 ")]
    assert line.endswith("  DCGAN on CelebA, 64 x 64.")
    assert "few_labels/s2gan_fashion_mnist" in out and "_common" not in out
    [line] = [line for line in out.splitlines() if line.startswith("studies/losses_")]
    assert line.endswith("  A first study: two losses, two seeds each, on Fashion-MNIST.")


@pytest.mark.parametrize(
    ("args", "sentence"),
    (
        (["train"], "--model_dir is needed: the directory that the run is written to."),
        (["train", "--model_dir", "x"], "--gin_config is needed: the gin file that says what"),
        (["train", "--model_dir", "x", "--gin_config", "no.gin"], "no gin config 'no.gin'."),
        (["list", "los"], "Unknown kind of part 'los'. Did you mean 'loss'?"),
        (["eval", "--model_dir", "nowhere"], "There is no directory 'nowhere'."),
        (["sample", "--model_dir", "nowhere"], "There is no directory 'nowhere'."),
        (["trian"], "No such command 'trian'"),
        (["train", "--schedule", "eval"], "Invalid value for '--schedule'"),
    ),
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_status_2(run, args, sentence):
    status, _, err = run(*args)
    assert status == 2
    assert sentence in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("binding", "sentence"),
    (
        ("dataset.name = 'fashion_mnist10k'", "Did you mean 'fashion_mnist_10k'?"),
        ("options.architecture = 'dumy_arch'", "Did you mean 'dummy_arch'?"),
        ("options.batch_size = 0", "options.batch_size must be a positive integer, received 0."),
        ("dataset.labeled_fraction = 2", "labeled_fraction must be above 0 and at most 1"),
        ("S3GAN.self_supervision = 'rotaton'", "Did you mean 'rotation'?"),
        ("evaluation.metrics = ['fidd']", "Did you mean 'fid'?"),
    ),
)
def test_a_wrong_value_is_one_sentence_before_any_work(run, tmp_path, tiny_run, binding, sentence):
    path = tmp_path / "run"
    status, out, err = run("train", "--model_dir", str(path), *_bindings(tiny_run, binding))
    assert status == 2 and sentence in err and not out
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert not path.exists()


def test_samples_are_drawn_again_by_their_numbers(run, model_dir, tmp_path):
    def draw(name, *options):
        path = tmp_path / name
        status, out, err = run("sample", "--model_dir", model_dir, "--out", str(path), *options)
        assert status == 0 and out.strip() == str(path), err
        return {file.name: np.asarray(Image.open(file)).astype(int) for file in path.glob("*.png")}

    whole, some = draw("whole", "--num", "7"), draw("some", "--seeds", "2-3,6")
    assert sorted(some) == ["000002_2.png", "000003_3.png", "000006_2.png"]
    for name, image in some.items():  # Other batch sizes may round otherwise.
        assert np.abs(image - whole[name]).max() <= 1
    two = draw("two", "--seeds", "4-6", "--class", "3", "--class", "1")
    assert sorted(two) == ["000004_3.png", "000005_1.png", "000006_3.png"]
    one = draw("one", "--seeds", "6", "--class", "3")
    assert np.abs(one["000006_3.png"] - two["000006_3.png"]).max() <= 1


def test_sample_writes_a_video_of_two_classes(run, model_dir, tmp_path):
    path = str(tmp_path / "new" / "walk.gif")
    status, out, err = run(
        "sample", "--model_dir", model_dir, "--video", path, "--seeds", "3,1,8", "--class", "3",
        "--class", "0", "--frames", "9", "--duration", "0.9",
    )  # fmt: skip
    assert status == 0 and out.strip() == path, err
    with Image.open(path) as video:
        assert (video.n_frames, video.height) == (9, 2 * 58 + 2)


def test_sampling_mistakes_are_reported(run, model_dir):
    status, _, err = run("sample", "--model_dir", model_dir, "--num", "1", "--interpolate", "1")
    assert status == 2 and "exclude each other" in err
    status, _, err = run("sample", "--model_dir", model_dir, "--out", "a.npz")
    assert status == 2 and "ending .npz needs --num" in err
    for options, sentence in (
        (["--seeds", "4-2"], "--seeds must be numbers from 0 to 999999 and ranges of them, such"),
        (["--seeds", "1", "--num", "3"], "--num and --seeds exclude each other"),
        (["--mix", "1"], "Style mixtures need a generator with styles"),
        (["--video", "a.gif", "--out", "b.gif"], "--video and --out exclude each other"),
        (["--video", "a.mp4"], "its name must end in .gif, received 'a.mp4'"),
        (["--video", "a.gif", "--frames", "99", "--duration", "1"], "at most 50 frames per second"),
        (["--frames", "9"], "--frames and --duration need --video"),
        (["--video", "a.gif", "--seeds", "7"], "at least two samples to walk between"),
    ):
        status, _, err = run("sample", "--model_dir", model_dir, *options)
        assert status == 2 and sentence in err and err.count("\n") == 1
    status, _, err = run("sample", "--model_dir", model_dir, "--class", "9")
    assert status == 2 and "Unknown class '9'" in err
    status, _, err = run("sample", "--model_dir", model_dir, "--checkpoint", "4")
    assert status == 2 and "its steps are 0, 3, 6" in err


def test_export_writes_averaged_or_raw_weights_of_a_step(run, model_dir, tmp_path):
    def images(*options):
        path = str(tmp_path / f"{len(options)}{options[-1:]}.keras")
        status, out, err = run("export", "--model_dir", model_dir, "--out", path, *options)
        assert status == 0 and out.strip() == path, err
        z, y = np.ones((4, 4), np.float32), np.eye(4, dtype=np.float32)
        return np.asarray(keras.models.load_model(path)((z, y), training=False))

    averaged = images()
    for options in (["--raw"], ["--checkpoint", "3"]):
        assert not np.array_equal(images(*options), averaged)
    status, _, err = run("export", "--model_dir", model_dir, "--out", model_dir)
    assert status == 2 and "exists already: choose another --out" in err


@pytest.mark.parametrize(
    ("error", "sentence"),
    (
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device."),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "runs/a"),
            "Permission denied: runs/a.",
        ),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "runs/step-6.index; No space left on device"
            ),
            "runs/step-6.index; No space left on device",
        ),
    ),
)
def test_errors_with_files_end_in_a_sentence(run, monkeypatch, tiny_run, error, sentence):
    def fail(*args):
        raise error

    monkeypatch.setattr("compare_gan.training.modes.run", fail)
    status, _, err = run("train", "--model_dir", "x", *_bindings(tiny_run))
    assert (status, err) == (1, f"Error: {sentence}\n")


def test_errors_of_the_program_keep_their_traceback(run, monkeypatch, tiny_run):
    def fail(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr("compare_gan.training.modes.run", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        run("train", "--model_dir", "x", *_bindings(tiny_run))


def test_divergence_has_a_status_of_its_own(run, monkeypatch, tiny_run):
    def diverge(*args):
        raise DivergenceError("Training diverged at step 4: loss is not finite.")

    monkeypatch.setattr("compare_gan.training.modes.run", diverge)
    status, _, err = run("train", "--model_dir", "x", *_bindings(tiny_run))
    assert (status, err) == (3, "Error: Training diverged at step 4: loss is not finite.\n")


@pytest.mark.parametrize(
    ("details", "shown"),
    (
        (
            ["stopped at step 2, checkpoint saved"],
            "Interrupted: stopped at step 2, checkpoint saved.",
        ),
        ([], "Interrupted."),  # Not "steps are lost": it may have been an evaluation.
    ),
)
def test_interruption_names_the_remaining_files(run, monkeypatch, tiny_run, details, shown):
    def interrupt(*args):
        raise KeyboardInterrupt(*details)

    monkeypatch.setattr("compare_gan.training.modes.run", interrupt)
    status, _, err = run("train", "--model_dir", "x", *_bindings(tiny_run))
    assert status == 130 and err.strip() == shown


def test_an_interruption_is_explained_also_where_click_hides_its_cause(run, monkeypatch):
    """As click 8.1 does."""

    def abort(**options):
        try:
            raise KeyboardInterrupt("there are no scores")
        except KeyboardInterrupt:
            raise click.Abort from None

    monkeypatch.setattr(main.cli, "main", abort)
    assert run("metrics") == (130, "", "Interrupted: there are no scores.\n")


def test_another_backend_is_refused(run, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    status, _, err = run("sample", "--model_dir", "x")
    assert (status, err) == (
        2,
        "Error: KERAS_BACKEND is 'torch', but the commands need tensorflow or jax.\n",
    )
