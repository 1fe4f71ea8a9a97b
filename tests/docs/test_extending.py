"""The complete examples of docs/extending: each trains, scores or labels as its page says."""

import dataclasses
import importlib

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import config, datasets, registry
from compare_gan.evaluation.scoring import score_sets
from compare_gan.gans import ModularGAN
from compare_gan.sampling import Draws, Sampler
from compare_gan.training.experiment import Experiment
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

_TINY = ("options.gan_class = @ModularGAN", "options.disc_iters = 1", "D.spectral_norm = False")
_REAL, _FAKE = np.random.RandomState(0).randint(256, size=(2, 20, 8, 8, 3)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of docs/extending, whose files can be imported.

    Attributes:
      configs: Lines of each gin block.
      files: Text of each file, by its title.
    """

    configs: list[list[str]]
    files: dict[str, str]


@pytest.fixture(autouse=True, scope="module")
def _registry():
    """After these tests the registry forgets the parts; their modules are imported only once."""
    known = {}
    for kind in registry.kinds():
        registry.load(kind)
        known[kind] = dict(registry._components[kind])
    yield
    registry._components.update(known)


@pytest.fixture(name="page")
def _page(blocks, tmp_path, monkeypatch):
    """`page(name)` writes the files of a page to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str) -> Page:
        place = f"docs/extending/{name}.md"
        texts = {b.title: b.text for b in blocks(place, "python") if b.title}
        for title, text in texts.items():
            (tmp_path / title).write_text(text)
        configs = [b.text.splitlines() for b in blocks(place, "gin")]
        return Page([[line for line in lines if line] for lines in configs], texts)

    return write  # Imported modules stay: gin has their names now.


@pytest.mark.parametrize(
    ("name", "terms"),
    (
        ("index", [["penalty"], ["d_loss", "penalty"]]),
        ("loss", [["d_loss"], ["g_loss"]]),
        ("penalty", [["penalty"], ["zero_centred", "r1"], ["steady_spread", "r1"]]),
    ),
)
def test_it_trains_from_each_of_its_configs(name, terms, page, make_trainer, tmp_path, eagerly):
    """`test_augmentation_schedule_task_and_data_set_train_together` compiles its step."""
    configs = page(name).configs
    assert len(configs) == len(terms)
    for i, (lines, names) in enumerate(zip(configs, terms, strict=True)):
        trainer = make_trainer(tmp_path / f"run{i}", *_TINY, *lines)
        history = trainer.run_steps(2)
        for term in names:
            assert f"loss/{term}" in history
        assert all(np.isfinite(course).all() for course in history.values())


def test_augmentation_schedule_task_and_data_set_train_together(page, make_trainer, tmp_path):
    names = ("augmentation", "schedule", "task", "dataset")
    lines = [line for name in names for line in page(name).configs[0]]
    trainer = make_trainer(tmp_path / "run", *_TINY, *lines)
    gan = trainer.state.gan
    assert [part.name for part in gan.augmentations] == ["flip", "diff_augment"]
    history = trainer.run_steps(2)
    assert {"loss/d_loss", "loss/upside_down_real", "loss/upside_down_fake"} <= history.keys()
    assert all(np.isfinite(course).all() for course in history.values())
    # The warm-up begins at 0, and is at 0.001 / 500 in the second step.
    assert float(trainer.state.g_optimizer.learning_rate.value) == pytest.approx(2e-6)
    assert trainer.experiment.dataset.class_names == ("horizontal", "vertical")


def test_the_penalty_with_memory_is_saved_and_resumed(page, make_trainer, tmp_path, eagerly):
    lines = [*page("penalty").configs[-1], "run_config.deterministic = True"]
    trainer = make_trainer(tmp_path / "run", *lines)
    history = trainer.run_steps(3)
    assert np.all(history["loss/steady_spread"] > 0)
    trainer.checkpoints.save()
    trainer.checkpoints.wait()
    average = trainer.state.variables()["penalties/steady_spread/average"].numpy()
    assert average != 1.0
    resumed = make_trainer(tmp_path / "run", *lines)
    assert resumed.state.variables()["penalties/steady_spread/average"].numpy() == average


def test_the_relativistic_loss_sees_real_images_in_the_steps_of_the_generator(page):
    page("loss")
    loss = importlib.import_module("my_relativistic_loss").relativistic_average
    gan = ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4, loss=loss)
    random = np.random.RandomState(0)
    batch = {
        "images": tf.constant(random.rand(4, 8, 8, 1), tf.float32),
        "z": tf.constant(random.normal(size=(4, 4)), tf.float32),
        "seed": tf.constant([0, 1]),
    }
    real, fake = (
        gan.discriminator((images, None), training=True)[0].numpy()
        for images in (batch["images"], gan.fakes(batch))
    )
    expected = np.logaddexp(0, real - fake.mean()).mean()
    expected += np.logaddexp(0, real.mean() - fake).mean()
    assert float(gan.generator_loss(batch).total) == pytest.approx(expected, rel=1e-5)


def test_the_flip_mirrors_those_that_are_drawn(page):
    page("augmentation")
    flip = importlib.import_module("my_augmentation").Flip(0.5)
    images = np.random.RandomState(0).rand(3, 4, 4, 1).astype(np.float32)
    draws = np.float32([0.1, 0.9, 0.4]).reshape(3, 1, 1, 1)
    mirrored = np.asarray(flip(images, lambda shape: draws, None, step=0))
    np.testing.assert_array_equal(mirrored[1], images[1])
    np.testing.assert_array_equal(mirrored[::2], images[::2, :, ::-1])


def test_the_adaptive_flip_mirrors_all_at_probability_one(page):
    page("augmentation")
    flip = importlib.import_module("my_adaptive_augmentation").AdaptiveFlip(p=1.0)
    images = np.random.RandomState(0).rand(2, 4, 4, 1).astype(np.float32)
    mirrored = np.asarray(flip(images, lambda shape: np.full(shape, 0.99), None, step=0))
    np.testing.assert_array_equal(mirrored, images[:, :, ::-1])


def test_the_warm_up_reaches_its_value(page):
    page("schedule")
    warm_up = importlib.import_module("my_schedule").WarmUp(0.001, steps=500)
    values = [float(warm_up(step)) for step in (0, 250, 500, 1000)]
    np.testing.assert_allclose(values, [0.0, 0.0005, 0.001, 0.001], rtol=1e-6)


def test_the_toy_family_trains_from_its_config(page, tmp_path):
    """As a family of the library: options in gin, a training step, saving and loading."""
    shape, batch_size, z_dim, num_classes = (16, 16, 3), 4, 6, 3
    toy = page("architecture")
    assert len(toy.files["toy.py"].splitlines()) < 60
    gin.parse_config(
        [
            *(line for line in toy.configs[0] if not line.startswith(("options", "dataset"))),
            "toy.Generator.upsample = 'nearest'",
            "toy.Discriminator.project_y = True",
            "G.batch_norm_fn = @conditional_batch_norm",
            "D.spectral_norm = True",
        ]
    )
    (component,) = (c for c in registry.components("architecture") if c.name == "toy_arch")
    assert component.summary == "Small residual networks for 16 x 16 images."
    keras.utils.set_random_seed(0)
    gan = ModularGAN(shape, num_classes, "toy_arch", z_dim=z_dim, conditional=True)
    state = TrainState(gan, seed=0, optimization=OptimizationOptions())
    kernels = [
        v for v in gan.generator_variables + gan.discriminator_variables if v.name == "kernel"
    ]
    before = [v.numpy() for v in kernels]

    random = np.random.RandomState(0)
    classes = random.randint(num_classes, size=(2, batch_size))
    labels = np.eye(num_classes, dtype=np.float32)[classes]
    batch = {
        "images": random.randint(0, 256, (2, batch_size, *shape)).astype(np.uint8),
        "z": random.normal(size=(2, batch_size, z_dim)).astype(np.float32),
        "labels": labels,
        "fake_labels": labels[::-1],
        "seed": np.array([[0, 1], [0, 2]], np.int32),
    }
    result = TrainStep(state)({name: tf.constant(value) for name, value in batch.items()})
    assert np.isfinite(result.numpy()).all()
    assert all(not np.array_equal(v.numpy(), old) for v, old in zip(kernels, before, strict=True))

    inputs = batch["z"][0], labels[0]
    images = gan.generator(inputs)
    assert images.shape == (batch_size, *shape)
    gan.generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded(inputs), images)


def test_the_data_set_is_found_by_its_name(page):
    page("dataset")
    importlib.import_module("my_set")
    dataset = datasets.get_dataset("stripes", num_examples=6)
    assert dataset.class_names == ("horizontal", "vertical")
    assert dataset.given_labels.tolist() == [0, 1] * 3


def test_the_metric_scores_sets_of_images(page):
    config.parse([], page("metric").configs[0])
    result = score_sets(_REAL, _FAKE, ["brightness"], batch_size=7)
    assert result.scores["brightness"] == pytest.approx(_FAKE.mean() - _REAL.mean())


def test_the_extractor_scores_sets_of_images(page):
    config.parse([], page("extractor").configs[0])
    result = score_sets(_REAL, _FAKE, ["fid"], "mean_colour")
    assert result.scores["fid_mean_colour"] > 0
    extractor = registry.get("extractor", "mean_colour")()
    pixels = _REAL.astype(float)
    expected = np.concatenate([pixels.mean((1, 2)), pixels.std((1, 2))], axis=1)
    np.testing.assert_allclose(extractor(_REAL)[0], expected, rtol=1e-5)


def test_the_refinement_chooses_the_best_of_several(page, tiny_run):
    config.parse([], [*tiny_run, *page("refinement").configs[0]])
    refinement = Experiment.from_gin().evaluation.make_refinement()
    assert refinement.describe() == "best_of(count=8)"
    sampler = Sampler(
        lambda inputs, training: inputs[0][:, :, None, None],
        z_dim=1,
        image_shape=(1, 1, 1),
        logits=lambda x, y: x[:, 0, 0],
    )
    z = dataclasses.replace(sampler, refinement=refinement).draw_latents(20, seed=0)
    draws = Draws(sampler, 0, 20, np.arange(20))
    np.testing.assert_array_equal(z, np.max([draws.latents(k) for k in range(8)], axis=0))


def test_the_protocol_is_found_with_an_extractor(page, tiny_run):
    config.parse([], [line for line in tiny_run if not line.startswith("evaluation")])
    gin.parse_config(page("protocol").configs[0])
    evaluation = Experiment.from_gin().evaluation
    assert evaluation.num_fake == evaluation.num_real == 5000
    assert evaluation.extractor == "fashion_cnn"


def test_the_labels_of_the_nearest_mean_are_read(page, capsys, tmp_path):
    labels = page("labels")
    exec(labels.files["nearest_mean.py"], {"__name__": "nearest_mean"})
    accuracy = float(capsys.readouterr().out.split(" %")[0])
    assert 60 < accuracy < 80  # By chance 19.
    config.parse([], labels.configs[0])
    labelled = datasets.get_dataset(datasets.DataOptions.from_gin())
    gin.clear_config()
    same = labelled.given_labels == datasets.get_dataset("fashion_mnist_10k").given_labels
    assert 100 * same.mean() == pytest.approx(accuracy, abs=0.1)
