"""Some training steps of many GANs on the current Keras backend, from recorded initial weights.

`python engine_computations.py FOLDER [CASE…]` runs these cases, or all. TensorFlow writes the
initial state and the losses of each to FOLDER, JAX starts from that state. Without arguments the
script runs all cases on both and prints the largest difference of each.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

if os.environ.get("KERAS_BACKEND") == "jax":
    sys.modules["tensorflow"] = None  # Keras would import it with a seed, which takes seconds.

import gin
import keras
import numpy as np

from compare_gan import engine, registry
from compare_gan.gans.parts import make_penalties
from compare_gan.penalties import R1
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

STEPS, BATCH, CLASSES, Z_DIM = 5, 4, 3, 8
LOSSES = ("hinge", "non_saturating", "rp_gan")
PENALTIES = ("no_penalty", "wgangp_penalty", "lazy_r1")
# By architecture: family, width, image shape; the smallest that it allows.
ARCHITECTURES = {
    "dummy_arch": ("dummy", None, (8, 8, 1)),
    "dcgan_arch": ("dcgan", 2, (8, 8, 1)),
    "infogan_arch": ("infogan", 2, (8, 8, 1)),
    "sndcgan_arch": ("sndcgan", 2, (8, 8, 1)),
    "resnet5_arch": ("resnet5", 2, (8, 8, 1)),
    "resnet30_arch": ("resnet30", 4, (128, 128, 1)),
    "resnet_cifar_arch": ("resnet_cifar", 4, (32, 32, 1)),
    "resnet_stl_arch": ("resnet_stl", 2, (48, 48, 1)),
    "resnet_biggan_arch": ("resnet_biggan", 2, (32, 32, 1)),
    "resnet_biggan_deep_arch": ("resnet_biggan_deep", 8, (32, 32, 1)),
    "sagan_arch": ("sagan", 2, (32, 32, 1)),
    "unet_biggan_arch": ("unet_biggan", 2, (32, 32, 1)),
    "r3gan_arch": ("r3gan", 8, (8, 8, 1)),
    "stylegan2_arch": ("stylegan2", 4, (8, 8, 1)),
}
_COMMON = """
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
weights.initializer = 'orthogonal'
resnet30.Generator.blocks_per_size = 1
resnet30.Discriminator.blocks_per_size = 1
ModularGAN.conditional = True
"""
MODULAR = "options.gan_class = @ModularGAN"
EVERYTHING = """
options.gan_class = @S3GAN
S3GAN.self_supervision = "rotation"
S3GAN.rotated_batch_fraction = 1
S3GAN.project_y = True
S3GAN.use_predictor = True
S3GAN.experimental_joint_gen_for_disc = True
S3GAN.penalties = [@r1(), @lecam()]
S3GAN.augmentations = [@diff_augment(), @ada(), @apa(), @instance_noise()]
S3GAN.g_use_ema = True
S3GAN.ema_decay = 0.5
S3GAN.ema_start_step = 2
S3GAN.g_lr = @cosine_decay()
cosine_decay.initial = 0.001
cosine_decay.final = 0.0005
cosine_decay.steps = 5
diff_augment.policy = "color,translation,cutout"
ada.policy = "color,cutout"
ada.p = 0.5
apa.interval = 1
apa.images = 50
r1.gamma = 1.0
r1.interval = 2
lecam.start_step = 0
loss.fn = @hinge
"""


def cases() -> list[str]:
    """The names of all cases: architecture, loss and penalty, or S³GAN with everything."""
    names = [f"{a}/{loss}/{p}" for a in ARCHITECTURES for loss in LOSSES for p in PENALTIES]
    return [*names, "s3gan/dummy_arch", "s3gan/resnet_cifar_arch"]


def make_state(architecture: str, config: str = MODULAR, disc_iters: int = 1) -> TrainState:
    """The state of a GAN as the runner creates it, all options from gin."""
    gin.clear_config()
    for kind in (
        "architecture", "gan", "loss", "normalization", "optimizer", "penalty", "schedule",
        "augmentation",
    ):  # fmt: skip
        registry.load(kind)
    family, width, image_shape = ARCHITECTURES[architecture]
    gin.parse_config(_COMMON + config)
    if width is not None:
        gin.bind_parameter(f"{family}.Generator.ch", width)
        gin.bind_parameter(f"{family}.Discriminator.ch", width)
    keras.utils.set_random_seed(1)
    options = Options(
        architecture=architecture,
        batch_size=BATCH,
        training_steps=STEPS,
        disc_iters=disc_iters,
        z_dim=Z_DIM,
    )
    gan = options.make_gan(image_shape, CLASSES)
    for v in gan.discriminator_variables:
        if v.name == "sigma":  # Otherwise attention starts switched off, without gradients.
            v.assign(0.5)
    return TrainState(gan, seed=0, optimization=options.optimization)


def batches(image_shape, disc_iters=1, size=BATCH, parts=1, part=0):
    """Endless batches as NumPy arrays; the rows of one of the parts of each."""
    random, rows = np.random.RandomState(0), size // parts
    own = slice(part * rows, (part + 1) * rows)
    lead = (disc_iters + 1, size)
    while True:
        labels, fake_labels = np.eye(CLASSES, dtype=np.float32)[
            random.randint(CLASSES, size=(2, *lead))
        ]
        yield {
            "images": random.randint(0, 256, (*lead, *image_shape)).astype(np.uint8)[:, own],
            "z": random.normal(size=(*lead, Z_DIM)).astype(np.float32)[:, own],
            "labels": labels[:, own],
            "fake_labels": fake_labels[:, own],
            "seed": random.randint(2**20, size=(disc_iters + 1, 2)).astype(np.int32),
        }


def run(state: TrainState, start: list[np.ndarray], steps: int = STEPS) -> dict[str, np.ndarray]:
    """Every value's course over some steps from these values of all variables."""
    for variable, value in zip(state.all_variables(), start, strict=True):
        variable.assign(value)
    gan = state.gan
    loop = engine.Loop(TrainStep(state), lambda *_: None)
    loop.iterator = batches(gan.image_shape, gan.disc_iters)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        elements = [next(loop.iterator) for _ in range(steps)]
        stacked = {name: np.stack([e[name] for e in elements]) for name in elements[0]}
        loop.iterator = iter(tf.data.Dataset.from_tensor_slices(stacked))
    return loop.run(steps)


def compute(folder: pathlib.Path, names: Sequence[str]) -> None:
    """Writes the initial state, under JAX that of TensorFlow, and the losses of these cases."""
    states: dict[str, tuple[TrainState, list[np.ndarray]]] = {}
    on_tensorflow = keras.backend.backend() == "tensorflow"
    for name in names:
        architecture, *parts = name.split("/")
        if architecture == "s3gan":
            key, arguments = name, (parts[0], EVERYTHING, 2)
        else:
            # Two updates of the discriminator where they are traced and compiled soon.
            updates = 2 if architecture == "dummy_arch" else 1
            key, arguments = architecture, (architecture, MODULAR, updates)
        if key not in states:
            states[key] = (
                (made := make_state(*arguments)),
                [v.numpy() for v in made.all_variables()],
            )
        made, start = states[key]
        file = folder / f"{name.replace('/', '-')}.npz"
        if on_tensorflow:
            arrays = {f"start/{i}": value for i, value in enumerate(start)}
        else:
            with np.load(file, allow_pickle=False) as recorded:
                start = [recorded[f"start/{i}"] for i in range(len(start))]
        if architecture != "s3gan":
            made.gan.loss = registry.get("loss", parts[0])
            lazy = parts[1] == "lazy_r1"
            made.gan.penalties = make_penalties(R1(gamma=1.0, interval=2) if lazy else parts[1])
            for penalty in made.gan.penalties:
                penalty.prepare()
        began = time.perf_counter()
        history = run(made, start)
        print(f"{name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
        if on_tensorflow:
            np.savez(file, **arrays, **{f"value/{k}": v for k, v in history.items()})
        else:
            np.savez(file.with_suffix(".jax.npz"), **history)


def start_process(backend, *arguments, script=__file__, flags="", **environment):
    """Runs a script of this folder on a backend, in a process of its own."""
    # By itself, without pytest, the script has time for optimizations.
    quick = os.environ.get("QUICK_XLA_FLAGS", "")
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(pathlib.Path(__file__).parents[2]),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": f"{quick} {flags}",
        **environment,
    }
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(*processes: subprocess.Popen) -> list[str]:
    """Waits for processes, returns their outputs; raises an error with that of one that fails."""
    try:
        outputs = [process.communicate()[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode:
            raise RuntimeError(output)
    return outputs


def differences(folder: str) -> dict[str, tuple[float, str]]:
    """The largest difference of a loss, relative if it is above 1, and its name, by case."""
    result = {}
    for file in sorted(pathlib.Path(folder).glob("*.jax.npz")):
        with np.load(file) as ours, np.load(str(file).replace(".jax", "")) as reference:
            losses = [name for name in ours.files if name.startswith("loss/")]
            assert {f"value/{name}" for name in ours.files} <= set(reference.files) and losses
            found = []
            for name in losses:
                expected, actual = reference[f"value/{name}"], ours[name]
                assert expected.shape == actual.shape == (STEPS,), (file.name, name)
                difference = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
                found.append((float(np.nan_to_num(difference, nan=np.inf).max()), name))
            result[file.name.removesuffix(".jax.npz")] = max(found)
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compute(pathlib.Path(sys.argv[1]), sys.argv[2:] or cases())
    else:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("tensorflow", "jax"):
                wait_for(start_process(name, folder))
            for case, (difference, loss) in differences(folder).items():
                print(f"{case:50} {difference:.1e} {loss}")
