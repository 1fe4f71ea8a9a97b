"""Speed of a training step: seconds, images/s, and GFLOP/s compared with the rate of matmul.

    python benchmarks/train_step.py                   # all configs, as in benchmarks/README.md
    python benchmarks/train_step.py sndcgan --steps 9
    python benchmarks/train_step.py --peer torch      # beside PyTorch: pip install -e ".[bench]"
    python benchmarks/train_step.py --check           # slower than recorded on this kind of CPU?
    python benchmarks/train_step.py --record          # at a quiet time

A step is one generator step with its discriminator steps. Convolutions have the forms of the fixed
rule (`run_config.autotune = False`, unless `--gin_bindings` say otherwise). Steps and matrix
products alternate, so that other load on the machine affects both; the median and the quartiles are
shown.
"""

import cProfile
import functools
import os
import pathlib
import pstats
import statistics
import tempfile
import time

import click
import recorded_speeds
from operations import count_operations

from compare_gan.startup import available_cores, prepare_tensorflow

_EXAMPLES = pathlib.Path(__file__).parents[1] / "example_configs"
_CIFAR = [
    "options.gan_class = @ModularGAN",
    "options.batch_size = 64",
    "options.training_steps = 1000",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 32",
    "G.batch_norm_fn = @batch_norm",
    "D.spectral_norm = True",
]
CONFIGS = {
    "sndcgan": ([], [*_CIFAR, "options.architecture = 'sndcgan_arch'"]),
    "resnet_cifar": (
        [],
        [
            *_CIFAR,
            "options.architecture = 'resnet_cifar_arch'",
            "options.disc_iters = 5",
            "ModularGAN.experimental_joint_gen_for_disc = True",
        ],
    ),
    "s3gan_biggan": (
        [],
        [
            "options.gan_class = @S3GAN",
            "options.architecture = 'resnet_biggan_arch'",
            "options.batch_size = 64",
            "options.disc_iters = 2",
            "options.z_dim = 120",
            "options.training_steps = 1000",
            "dataset.name = 'synthetic'",
            "dataset.image_size = 32",
            "dataset.labeled_fraction = 0.2",
            "loss.fn = @hinge",
            "resnet_biggan.Generator.ch = 32",
            "resnet_biggan.Discriminator.ch = 32",
            "G.batch_norm_fn = @conditional_batch_norm",
            "G.spectral_norm = True",
            "D.spectral_norm = True",
            "weights.initializer = 'orthogonal'",
            "S3GAN.conditional = True",
            "S3GAN.project_y = True",
            "resnet_biggan.Discriminator.project_y = False",
            "S3GAN.use_predictor = True",
            "S3GAN.self_supervision = 'rotation'",
            "S3GAN.rotated_batch_fraction = 4",
            "S3GAN.experimental_joint_gen_for_disc = True",
            "S3GAN.g_use_ema = True",
        ],
    ),
    # R3GAN's loss and penalties on its networks, six times as narrow as for CIFAR-10; unconditional
    # and without ADA, so that the networks alone are measured.
    "r3gan": (
        [],
        [
            "options.gan_class = @ModularGAN",
            "options.architecture = 'r3gan_arch'",
            "options.batch_size = 16",
            "options.disc_iters = 1",
            "options.z_dim = 64",
            "options.training_steps = 1000",
            "dataset.name = 'synthetic'",
            "dataset.image_size = 32",
            "ModularGAN.loss = @rp_gan",
            "ModularGAN.penalties = [@r1_r2()]",
            "r1_r2.gamma = 0.01",
            "r3gan.Generator.ch = 128",
            "r3gan.Discriminator.ch = 128",
        ],
    ),
    # Like the main job of the README, which infers labels first.
    "s3gan_co_fashion_mnist": (
        [str(_EXAMPLES / "few_labels" / "s3gan_co_fashion_mnist.gin")],
        ["dataset.labeled_fraction = 0.2"],
    ),
}


# Which forms of convolutions are fastest depends on the moment of measuring, and benchmarks must
# not measure for the user's trainings.
FIXED_FORMS = "run_config.autotune = False"
PEERS = ("sndcgan", "resnet_cifar", "r3gan")  # Configs with a counterpart in PyTorch in `peers/`.


def make_trainer(name: str, model_dir: str, bindings=()):
    from compare_gan import config
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Experiment, Trainer

    files, own = CONFIGS[name]
    config.parse(files, [FIXED_FORMS, *own, *bindings])
    return Trainer(Experiment.from_gin(), RunDir(model_dir))


def _matmul_rate(size: int = 2048, clock=time.perf_counter) -> float:
    """Rate of float32 matrix products in GFLOP/s."""
    import tensorflow as tf

    x = tf.random.normal([size, size])
    multiply = tf.function(lambda a: tf.matmul(a, a))
    multiply(x)
    started = clock()
    for _ in range(4):
        result = multiply(x)
    result.numpy()
    return 4 * 2 * size**3 / (clock() - started) / 1e9


def _measured(trainer, steps: int, clock=time.perf_counter) -> tuple[list[float], list[float]]:
    """Seconds of steps, and the rate of matrix products after each of them."""
    trainer.run_steps(1)  # Traces.
    seconds, rates = [], []
    for _ in range(steps):
        started = clock()
        trainer.run_steps(1)
        seconds.append(clock() - started)
        rates.append(_matmul_rate(clock=clock))
    return seconds, rates


def _operations(trainer) -> int:
    """Number of floating-point operations of one training step."""
    import tensorflow as tf

    [batch] = trainer.batches().take(1)
    return count_operations(
        tf.function(trainer.train_step, autograph=False).get_concrete_function(batch)
    )


def _quartiles(values) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


def _python_share(trainer, steps: int) -> float:
    """Share of the wall time of `Trainer.run_steps` that is spent outside the compiled function."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(steps // 5):
        trainer.run_steps(5)
    profile.disable()
    entries = pstats.Stats(profile).stats
    total = sum(e[3] for (_, _, name), e in entries.items() if name == "run_steps")
    # The functions through which TensorFlow's eager runtime is called; no Python runs below them.
    inside = sum(e[3] for (_, _, name), e in entries.items() if "TFE_Py_Execute" in name)
    return 1 - inside / total


def compare_with_torch(
    name: str, steps: int, bindings=(), make_peer=None, clock=time.perf_counter, **options
) -> tuple[list, list, list]:
    """Trains our GAN and PyTorch's from equal weights on equal batches, alternating single steps.

    Args:
      name: One of `PEERS`.
      steps: Number of timed steps of each.
      bindings: Gin bindings added to our config.
      make_peer: Function that makes the PyTorch trainer from name, our GAN and a batch; by
        default the fastest variant.
      clock: Function that returns seconds.
      **options: Further arguments of `fastest_trainer`.

    Returns:
      Seconds of our steps and of PyTorch's, without the first, in which ours is traced; and the
      difference of the losses in each of the first three steps, relative to ours.
    """
    from peers.torch_training import fastest_trainer

    with tempfile.TemporaryDirectory() as model_dir:
        trainer = make_trainer(name, model_dir, bindings)
        batches = list(trainer.batches().take(steps + 1).as_numpy_iterator())
        optimization = trainer.state.optimization
        rates = optimization.g_lr, optimization.discriminator_lr
        make_peer = make_peer or functools.partial(
            fastest_trainer, learning_rates=rates, clock=clock, **options
        )
        peer = make_peer(name, trainer.gan, batches[0])
        seconds, peer_seconds, differences = [], [], []
        for batch in batches:
            started = clock()
            losses = trainer.run_steps(1)
            between = clock()
            peer_losses = peer.step(batch)
            seconds.append(between - started)
            peer_seconds.append(clock() - between)
            differences.append(
                max(abs(v / losses[f"loss/{k}"][0] - 1) for k, v in peer_losses.items())
            )
    return seconds[1:], peer_seconds[1:], differences[:3]


def _print_beside_torch(names, steps: int, bindings, cpu_time: bool, plain: bool) -> None:
    if cpu_time:
        import torch

        torch.set_num_threads(1)
    click.echo(
        "| config | s a step | PyTorch, s a step | ratio | losses of three steps differ by |\n"
        "|---|---|---|---|---|"
    )
    for name in names or PEERS:
        if name not in PEERS:
            raise click.UsageError(f"--peer knows {', '.join(PEERS)}, received {name}.")
        ours, theirs, differences = compare_with_torch(
            name,
            steps,
            bindings,
            clock=time.process_time if cpu_time else time.perf_counter,
            compiled=(False,) if plain else (True, False),
        )
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        click.echo(
            f"| {name} | {_quartiles(ours)} | {_quartiles(theirs)} | {_quartiles(ratios)} | "
            f"{max(differences):.1g} |"
        )


def _print_profiles(names, steps: int, bindings) -> None:
    click.echo("| config | s a step | Python, % of the wall time |\n|---|---|---|")
    count = steps - steps % 5 or 5
    for name in names or CONFIGS:
        with tempfile.TemporaryDirectory() as model_dir:
            trainer = make_trainer(name, model_dir, bindings)
            trainer.run_steps(1)  # Traces.
            started = time.perf_counter()
            share = _python_share(trainer, count)
            seconds = (time.perf_counter() - started) / count
        click.echo(f"| {name} | {seconds:.3g} | {100 * share:.2f} |")


def _print_speeds(names, steps: int, bindings) -> None:
    click.echo(
        "| config | s a step | images/s | GFLOP a step | GFLOP/s | matmul GFLOP/s | share |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name in names or CONFIGS:
        with tempfile.TemporaryDirectory() as model_dir:
            trainer = make_trainer(name, model_dir, bindings)
            seconds, rates = _measured(trainer, steps)
            work = _operations(trainer) / 1e9
            batch_size = trainer.experiment.options.batch_size
        shares = [100 * work / s / rate for s, rate in zip(seconds, rates, strict=True)]
        click.echo(
            f"| {name} | {_quartiles(seconds)} | "
            f"{_quartiles([batch_size / s for s in seconds])} | {work:.3g} | "
            f"{_quartiles([work / s for s in seconds])} | {_quartiles(rates)} | "
            f"{_quartiles(shares)} % |"
        )


def _measure(name: str, steps: int, clock) -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as model_dir:
        return _measured(make_trainer(name, model_dir), steps, clock)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CONFIGS)))
@click.option("--steps", default=8, show_default=True, type=click.IntRange(min=4))
@click.option("--gin_bindings", multiple=True, help="Bindings added to the configs.")
@click.option("--profile", is_flag=True, help="Show the share of time in Python instead.")
@click.option("--peer", type=click.Choice(["torch"]), help="Compare with PyTorch instead.")
@click.option(
    "--check",
    is_flag=True,
    help="List configs more than 10 % slower than recorded on this kind of CPU, and fail.",
)
@click.option("--record", is_flag=True, help="Write the speeds on this kind of CPU for --check.")
@click.option(
    "--cpu_time",
    is_flag=True,
    help="With --peer, --check, --record: CPU seconds on one thread, for busy machines.",
)
@click.option("--plain", is_flag=True, help="With --peer: not the variants of `torch.compile`.")
def main(names, steps, gin_bindings, profile, peer, check, record, cpu_time, plain):
    chosen = [
        name
        for name, given in (
            ("--profile", profile),
            ("--peer", peer),
            ("--check", check),
            ("--record", record),
        )
        if given
    ]
    if len(chosen) > 1:
        raise click.UsageError(f"Choose one of {' and '.join(chosen)}.")
    if cpu_time and not (peer or check or record):
        raise click.UsageError("--cpu_time needs --peer, --check or --record.")
    if gin_bindings and (check or record):
        raise click.UsageError("--check and --record measure the configs as they are.")
    if cpu_time:
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    prepare_tensorflow()
    if peer:
        _print_beside_torch(names, steps, gin_bindings, cpu_time, plain)
    elif profile:
        _print_profiles(names, steps, gin_bindings)
    elif check or record:
        clock = time.process_time if cpu_time else time.perf_counter
        kind = recorded_speeds.kind_of_cpu(available_cores(), cpu_time)
        if check:
            recorded_speeds.check(kind, names, lambda name: _measure(name, steps, clock))
        else:
            configs = names or CONFIGS
            recorded_speeds.record(kind, configs, lambda name: _measure(name, steps, clock))
    else:
        _print_speeds(names, steps, gin_bindings)


if __name__ == "__main__":
    main()
