"""Exported models give, in another process, the images of the original generator."""

import dataclasses
import os
import subprocess
import sys
import types

import eager
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.hub import saved_model
from compare_gan.hub.exporter import export
from compare_gan.sampling import Sampler
from compare_gan.training.run_dir import RunDir

# Loads the SavedModels first: TensorFlow must suffice for them.
_RELOAD = """
import sys
import numpy as np, tensorflow as tf
results = {}
for folder in sys.argv[1:]:
    inputs = dict(np.load(f"{folder}/inputs.npz"))
    loaded = tf.saved_model.load(f"{folder}/saved")
    serve, discriminate = (loaded.signatures[n] for n in ("serving_default", "discriminate"))
    outputs = {"images": serve(**{k: tf.constant(v) for k, v in inputs.items()})["images"]}
    labels = {"labels": tf.constant(inputs["labels"])} if "labels" in inputs else {}
    outputs |= discriminate(images=outputs["images"], **labels)
    results[folder] = inputs, outputs
assert "compare_gan" not in sys.modules

import keras
import compare_gan.architectures
for folder, (inputs, outputs) in results.items():
    y = inputs.get("labels")
    generator = keras.models.load_model(f"{folder}/g.keras")
    discriminator = keras.models.load_model(f"{folder}/g_discriminator.keras")
    outputs["keras_images"] = generator((inputs["z"], y), training=False)
    outputs["keras_logits"] = discriminator((outputs["images"], y), training=False)[0]
    np.savez(f"{folder}/outputs.npz", **{k: np.asarray(v) for k, v in outputs.items()})
"""
_UNCONDITIONAL = (
    "options.gan_class = @ModularGAN",
    "standardize_batch.use_moving_averages = False",
    "standing_statistics.num_batches = 3",
)


_NAMES = ["g.keras", "g_discriminator.keras", "saved"]


def _trained(tmp_path, make_trainer, *bindings):
    trainer = make_trainer(tmp_path / "run", "options.training_steps = 3", *bindings)
    trainer.run.write_description(trainer.experiment.dataset, trainer.experiment.config_text)
    with eager.eagerly():
        trainer.train()
    return RunDir(str(tmp_path / "run")).load()


def _run_here(save):
    """Runs the program of the other process in this one, where `save` writes."""

    def run(command, **options):
        _, option, code, *arguments = command
        assert option == "-c"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saved_model, "_save", save)
            patch.setattr(sys, "argv", [option, *arguments])
            exec(code, {})
        return subprocess.CompletedProcess(command, 0)

    return run


@pytest.fixture(name="exported", scope="module")
def _exported(tmp_path_factory, make_trainer, simple_steps):
    """A conditional and an unconditional model and their folders, loaded in another process."""
    exported = {}
    for name, bindings in (("conditional", ()), ("unconditional", _UNCONDITIONAL)):
        folder = tmp_path_factory.mktemp(name)
        model = _trained(folder, make_trainer, *simple_steps, *bindings)
        with pytest.MonkeyPatch.context() as patch:
            if not bindings:  # As the other process that JAX needs writes it.
                patch.setattr(subprocess, "run", _run_here(saved_model._save))
                patch.setattr(saved_model, "_save", saved_model._save_elsewhere)
            paths = [
                *export(model, str(folder / "saved"), discriminator=True),
                *export(model, str(folder / "g.keras"), discriminator=True),
            ]
        assert sorted(os.path.basename(path) for path in paths) == _NAMES
        random = np.random.RandomState(0)
        inputs = {"z": random.normal(size=(5, 4)).astype(np.float32)}
        if model.sampler.num_classes:
            inputs["labels"] = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
        np.savez(folder / "inputs.npz", **inputs)
        exported[name] = model, inputs, folder
    folders = [str(folder) for *_, folder in exported.values()]
    subprocess.run([sys.executable, "-c", _RELOAD, *folders], check=True, env=_environment())
    return exported


@pytest.mark.parametrize("name", ("conditional", "unconditional"))
def test_reloaded_it_gives_the_same_images(exported, name):
    model, inputs, folder = exported[name]
    assert ("labels" in inputs) == (name == "conditional")
    model.sampler.prepare()
    y = inputs.get("labels")
    images = model.sampler.network((inputs["z"], y), training=False).numpy()
    logits, features = model.state.gan.discriminator((images, y), training=False)
    with np.load(folder / "outputs.npz") as outputs:
        # The same operations, which a graph may fuse.
        for key, expected in {
            "images": images, "keras_images": images,
            "logits": logits, "keras_logits": logits, "features": features,
        }.items():  # fmt: skip
            np.testing.assert_allclose(outputs[key], expected, rtol=1e-5, atol=1e-6)
    files = [*_NAMES[:2], "inputs.npz", "outputs.npz", "run", "saved"]
    assert sorted(os.listdir(folder)) == files


@pytest.mark.slow
def test_another_process_writes_the_same(exported, tmp_path):
    model, inputs, folder = exported["conditional"]
    model.sampler.prepare()
    saved_model._save_elsewhere(model.sampler, None, str(tmp_path / "saved"))
    first, second = (tf.saved_model.load(str(path / "saved")) for path in (folder, tmp_path))
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    for name, images in first.signatures["serving_default"](**inputs).items():
        np.testing.assert_array_equal(images, second.signatures["serving_default"](**inputs)[name])


def _environment():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ | {"PYTHONPATH": root}


def test_the_reason_of_another_process_is_passed_on(tiny_sampler, tmp_path, monkeypatch):
    def run(command, **options):
        assert sorted(os.listdir(command[3])) == ["generator.keras", "sampler.json"]
        assert options["env"]["KERAS_BACKEND"] == "tensorflow"
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nTypeError: no Generator.\n")

    monkeypatch.setattr(subprocess, "run", run)
    path, sampler = str(tmp_path / "saved"), tiny_sampler()
    with pytest.raises(UserError, match=r"'tiny_generator\w*' must implement get_config"):
        saved_model._save_elsewhere(sampler, None, path)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(UserError, match=r"write the SavedModel: TypeError: no Generator\.$"):
        saved_model._save_elsewhere(dataclasses.replace(sampler, network=network), None, path)


def test_a_saved_model_clips_images(tmp_path):
    class Linear(keras.Model):
        def call(self, inputs, training=None):
            return inputs[0][:, :, None, None]

    sampler = Sampler(Linear(), z_dim=3, image_shape=(3, 1, 1))
    saved_model._save(sampler, None, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    images = loaded.signatures["serving_default"](z=tf.constant([[-2.0, 0.25, 3.0]]))["images"]
    assert np.ravel(images).tolist() == [0.0, 0.25, 1.0]


def test_existing_files_are_not_overwritten(tmp_path):
    gan = types.SimpleNamespace(discriminator=None)
    sampler, state = types.SimpleNamespace(network=None), types.SimpleNamespace(gan=gan)
    model = types.SimpleNamespace(sampler=sampler, state=state)
    (tmp_path / "g_discriminator.keras").write_text("mine")
    with pytest.raises(UserError, match=r"g_discriminator\.keras' exists already"):
        export(model, str(tmp_path / "g.keras"), discriminator=True)
    with pytest.raises(UserError, match="' exists already: choose another --out"):
        export(model, str(tmp_path))
    assert os.listdir(tmp_path) == ["g_discriminator.keras"]
