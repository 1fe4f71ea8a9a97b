"""The same training on different devices, engines and numbers of processes, compared.

    python benchmarks/strategies.py --output build/strategies

S³GAN with everything switched on (predictor, rotation, EMA, spectral norm, conditional batch norm,
lazy R1, LeCam, DiffAugment, a schedule, Adam) trains 20 steps on synthetic images with TensorFlow
on one device, on 2, 4 and 8 replicas, on 2 and 3 workers, and with JAX on 1, 2, 4 and 8 devices,
with state divided among 8, and in 2 processes: each by the command line, from the first one's
initial weights. A Markdown table shows how far losses, weights and scores are from the first row's.
Finished trainings are not repeated.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import click
import numpy as np

_STEPS = 20
_CONFIG = f"""
options.gan_class = @S3GAN
options.architecture = "dummy_arch"
options.batch_size = 96
options.training_steps = {_STEPS}
options.disc_iters = 2
options.z_dim = 8
dataset.name = "synthetic"
dataset.image_size = 8
dataset.labeled_fraction = 0.5
synthetic.num_examples = 480
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
weights.initializer = "orthogonal"
z.distribution_fn = @tf.random.normal
loss.fn = @non_saturating
S3GAN.conditional = True
S3GAN.self_supervision = "rotation"
S3GAN.rotated_batch_fraction = 1
S3GAN.project_y = True
S3GAN.use_predictor = True
S3GAN.experimental_joint_gen_for_disc = True
S3GAN.penalties = [@r1(), @lecam()]
S3GAN.augmentations = [@diff_augment()]
S3GAN.g_use_ema = True
S3GAN.ema_decay = 0.5
S3GAN.ema_start_step = 2
S3GAN.g_lr = @cosine_decay()
cosine_decay.initial = 0.001
cosine_decay.final = 0.0005
cosine_decay.steps = {_STEPS}
diff_augment.policy = "color,translation,cutout"
r1.gamma = 1.0
r1.interval = 2
lecam.start_step = 0
evaluation.extractor = "fashion_cnn"
evaluation.num_fake = 240
evaluation.batch_size = 24
run_config.tf_random_seed = 1
run_config.deterministic = True
run_config.iterations_per_loop = 1
run_config.save_checkpoints_steps = 5
run_config.keep_checkpoint_max = 10
"""
# By name: the backend, the number of processes, and the arguments.
_SHARDED = ("--gin_bindings", "run_config.shard_state = True")
_TRAININGS = {
    "TensorFlow, 1 device": ("tensorflow", 1, ()),
    "TensorFlow, 2 replicas": ("tensorflow", 1, ("--devices", "2")),
    "TensorFlow, 4 replicas": ("tensorflow", 1, ("--devices", "4")),
    "TensorFlow, 8 replicas": ("tensorflow", 1, ("--devices", "8")),
    "TensorFlow, 2 workers": ("tensorflow", 2, ()),
    "TensorFlow, 3 workers": ("tensorflow", 3, ()),
    "JAX, 1 device": ("jax", 1, ()),
    "JAX, 2 devices": ("jax", 1, ("--devices", "2")),
    "JAX, 4 devices": ("jax", 1, ("--devices", "4")),
    "JAX, 8 devices": ("jax", 1, ("--devices", "8")),
    "JAX, 8 devices, `shard_state`": ("jax", 1, ("--devices", "8", *_SHARDED)),
    "JAX, 2 processes": ("jax", 2, ()),
}


def _environments(backend: str, processes: int) -> list[dict[str, str]]:
    """What the environment of each process has in addition."""
    if processes == 1:
        return [{"KERAS_BACKEND": backend}]
    sockets = [socket.socket() for _ in range(processes)]
    for free in sockets:
        free.bind(("localhost", 0))
    addresses = [f"localhost:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    if backend == "jax":
        shared = {"COORDINATOR_ADDRESS": addresses[0], "NUM_PROCESSES": str(processes)}
        own = [{"PROCESS_ID": str(index)} for index in range(processes)]
    else:
        shared, cluster = {}, {"worker": addresses}
        own = [
            {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})}
            for i in range(processes)
        ]
    return [{"KERAS_BACKEND": backend, **shared, **extra} for extra in own]


def _train(run: pathlib.Path, backend: str, processes: int, arguments: tuple[str, ...]) -> None:
    config = run.parent / "everything.gin"
    config.write_text(_CONFIG)
    command = ["--gin_config", str(config), "--model_dir", str(run), *arguments]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "compare_gan.main", "train", *command],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for environment in _environments(backend, processes)
    ]
    said = [process.communicate()[1] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("\n".join(said))


def _weights(run: pathlib.Path, step: int) -> dict[str, np.ndarray]:
    from compare_gan.startup import prepare_tensorflow

    prepare_tensorflow()  # Without its messages.
    from compare_gan import engine

    arrays = engine.read_checkpoint(str(run / "checkpoints" / f"step-{step}"))
    # The gradient of a bias before a batch norm is zero but for rounding, of which Adam makes whole
    # steps of the learning rate. (So is, with the hinge loss, that of the discriminator's last bias
    # while all logits are within the margins: this is why the loss is another one here.)
    return {
        name: value
        for name, value in arrays.items()
        if np.issubdtype(value.dtype, np.floating)
        and not (name.endswith("fc/bias") and "discriminator" not in name)
    }


def _weight_difference(first: pathlib.Path, second: pathlib.Path, step: int) -> float:
    """The largest difference in one array, relative to its largest entry if that exceeds 1."""
    a, b = _weights(first, step), _weights(second, step)
    assert a and a.keys() == b.keys()
    return max(float(np.abs(b[k] - v).max() / max(1, np.abs(v).max())) for k, v in a.items())


def _losses(run: pathlib.Path) -> dict[int, list[float]]:
    rows = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return {r["step"]: [v for k, v in sorted(r.items()) if k.startswith("loss/")] for r in rows}


def _loss_difference(first: pathlib.Path, second: pathlib.Path, step: int) -> float:
    """The largest difference of a loss up to this step, relative to the loss if that exceeds 1."""
    a, b = _losses(first), _losses(second)
    return max(
        abs(x - y) / max(1, abs(x)) for s in a if s <= step for x, y in zip(a[s], b[s], strict=True)
    )


def _fid(run: pathlib.Path) -> float:
    [row] = map(json.loads, (run / "results.jsonl").read_text().splitlines())
    return row["scores"]["fid_fashion_cnn"]["mean"]


@click.command(help=__doc__.partition("\n")[0])
@click.option("--output", type=click.Path(path_type=pathlib.Path), required=True)
def main(output: pathlib.Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    print("| devices | losses, 5 steps | losses, 20 | weights, 5 steps | weights, 20 | FID |")
    print("|---|---|---|---|---|---|")
    first = None
    for name, (backend, processes, arguments) in _TRAININGS.items():
        run = output / "".join(c if c.isalnum() else "_" for c in name)
        if not (run / "results.jsonl").exists():
            if first is not None:
                shutil.rmtree(run, ignore_errors=True)
                # Only the initial weights: the run goes on from step 0.
                start = pathlib.PurePath("checkpoints", "step-0")
                shutil.copytree(first / start, run / start)
            _train(run, backend, processes, arguments)
        first = first or run
        losses = [f"{_loss_difference(first, run, step):.1e}" for step in (5, _STEPS)]
        weights = [f"{_weight_difference(first, run, step):.1e}" for step in (5, _STEPS)]
        print(f"| {name} | {' | '.join(losses + weights)} | {_fid(run):.6f} |", flush=True)


if __name__ == "__main__":
    main()
