r"""Speed of a training step of BigGAN-128 on a GPU in mixed precision, compared with PyTorch.

    pip install -e ".[bench]"                          # with a PyTorch for this GPU
    python benchmarks/gpu_step.py                      # batches of 64, 128 and 256
    python benchmarks/gpu_step.py --batch_size 64 --precision float16 --peak 312

A step is two discriminator updates and one generator update, as in `biggan_imagenet128.gin`, always
on the same batch, so that reading data costs nothing, and without averaging weights. Ours is the
compiled training loop with XLA. PyTorch runs the same layers with automatic mixed precision, in the
fastest variant of plain or `torch.compile`, channels last or first. Rounds of steps alternate
between the two; the median and the quartiles are shown. The share of the chip's peak counts
convolutions and matrix products as ours executes them, with folded resampling. To try it without a
GPU (`torch.compile` alone takes minutes on a CPU):

    python benchmarks/gpu_step.py --batch_size 2 --precision float32 --steps 1 --rounds 4 \
        --gin_bindings 'dataset.image_size = 32' \
        --gin_bindings 'resnet_biggan.Generator.ch = 2' \
        --gin_bindings 'resnet_biggan.Discriminator.ch = 2'
"""

import statistics
import tempfile
import time

import click
from operations import count_operations

from compare_gan.startup import prepare_tensorflow

BINDINGS = [
    "options.gan_class = @ModularGAN",
    "options.architecture = 'resnet_biggan_arch'",
    "options.training_steps = 1000",
    "options.disc_iters = 2",
    "options.z_dim = 120",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 128",
    "synthetic.num_classes = 1000",
    "ModularGAN.conditional = True",
    "ModularGAN.experimental_joint_gen_for_disc = True",
    "loss.fn = @hinge",
    "weights.initializer = 'orthogonal'",
    "G.batch_norm_fn = @conditional_batch_norm",
    "G.spectral_norm = True",
    "D.spectral_norm = True",
    "run_config.single_core = True",
]

# TFLOP/s in bfloat16 (T4, V100: float16) without sparsity, from NVIDIA's data sheets.
_PEAKS = {
    "H200": 989,
    "H100 PCIe": 756,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "A10": 125,
    "V100": 125,
    "T4": 65,
}


def make_trainer(model_dir: str, bindings=()):
    """The trainer of BigGAN-128, changed by gin bindings."""
    from compare_gan import config
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Experiment, Trainer

    config.parse([], [*BINDINGS, *bindings])
    return Trainer(Experiment.from_gin(), RunDir(model_dir))


def compare(batch_size: int, precision: str, steps: int, rounds: int, peer: bool, bindings=()):
    """Measures alternating rounds of steps.

    Returns:
      Images per second of each round of ours and of PyTorch (empty without `peer`), and the
      floating-point operations of one of our steps.
    """
    import tensorflow as tf

    batch_bindings = [f"options.batch_size = {batch_size}"]
    if precision != "float32":
        batch_bindings.append(f"run_config.mixed_precision = '{precision}'")
    with tempfile.TemporaryDirectory() as model_dir:
        trainer = make_trainer(model_dir, [*batch_bindings, *bindings])
        [batch] = trainer.batches().take(1)
        repeated = tf.data.Dataset.from_tensors(batch).repeat()
        trainer.loop.iterator = iter(repeated.prefetch(2))
        runs = [lambda: trainer.run_steps(steps)]
        if peer:
            runs.append(_torch_run(trainer, batch, precision, steps))
        speeds = [[] for _ in runs]
        for run in runs:
            run()  # Traces and compiles.
        for _ in range(rounds):
            for run, each in zip(runs, speeds, strict=True):
                started = time.perf_counter()
                run()
                each.append(steps * batch_size / (time.perf_counter() - started))
        step = tf.function(trainer.train_step, autograph=False)
        work = count_operations(step.get_concrete_function(batch))
    return speeds[0], speeds[1] if peer else [], work


def _torch_run(ours, batch, precision: str, steps: int):
    import torch
    from peers.torch_training import fastest_trainer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    arrays = {name: value.numpy() for name, value in batch.items()}
    trainer = fastest_trainer(
        "resnet_biggan",
        ours.gan,
        arrays,
        device=device,
        precision=precision,
        optimization=ours.state.optimization,
    )
    tensors = trainer.to_device(arrays)

    def run():
        for _ in range(steps):
            losses = trainer.start_step(tensors)
        losses["generator"].item()  # Waits for the device.

    return run


def _device_name() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:  # PyTorch also needs memory.
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return "no GPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _quartiles(values) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


@click.command()
@click.option("--batch_size", "batch_sizes", multiple=True, type=click.IntRange(min=1))
@click.option(
    "--precision",
    default="bfloat16",
    show_default=True,
    type=click.Choice(["bfloat16", "float16", "float32"]),
)
@click.option("--steps", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=8, show_default=True, type=click.IntRange(min=4))
@click.option("--peer/--no-peer", default=True, show_default=True, help="Also measure PyTorch.")
@click.option(
    "--peak", type=float, help="TFLOP/s of the chip, if this script does not know its name."
)
@click.option("--gin_bindings", multiple=True, help="Bindings added to the config.")
def main(batch_sizes, precision, steps, rounds, peer, peak, gin_bindings):
    prepare_tensorflow()
    device = _device_name()
    if peak is None:
        peak = next((value for name, value in _PEAKS.items() if name in device), None)
    print(
        f"{device}, {precision}, peak {f'{peak:g} TFLOP/s' if peak else 'not known'}\n\n"
        "| batch | images/s | PyTorch, images/s | ratio | TFLOP a step | TFLOP/s | of the peak |\n"
        "|---|---|---|---|---|---|---|"
    )
    for batch_size in batch_sizes or (64, 128, 256):
        ours, theirs, work = compare(batch_size, precision, steps, rounds, peer, gin_bindings)
        rates = [work * speed / batch_size / 1e12 for speed in ours]
        ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
        share = f"{100 * statistics.median(rates) / peak:.3g} %" if peak else "–"
        print(
            f"| {batch_size} | {_quartiles(ours)} | {_quartiles(theirs) if peer else '–'} | "
            f"{_quartiles(ratios) if peer else '–'} | {work / 1e12:.3g} | {_quartiles(rates)} | "
            f"{share} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
