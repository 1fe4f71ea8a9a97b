"""What `run_config.autotune` measures, chooses, costs and gains.

    python benchmarks/autotune.py                     # four configs
    python benchmarks/autotune.py sndcgan --steps 0   # the forms alone

For each large convolution of a training step: milliseconds of its forms with both gradients, the
form of the fixed rule, and the form that is chosen. Nothing is read from the user's cache. Then
steps with the chosen forms and steps by the fixed rule alternate, so that other load on the machine
affects both; medians and quartiles are shown.
"""

import os
import statistics
import tempfile
import time

import click
from train_step import CONFIGS, make_trainer

from compare_gan.startup import prepare_tensorflow

NAMES = ("sndcgan", "resnet_cifar", "s3gan_biggan", "s3gan_co_fashion_mnist")


def measured(name: str, folder: str):
    """The choices for the step of a config, all measured anew, and the seconds of its trace."""
    import tensorflow as tf

    from compare_gan.backend.autotune import Tuner, tuned_convolutions
    from compare_gan.backend.form_times import FormTimes

    trainer = make_trainer(name, os.path.join(folder, "traced"))
    [batch] = trainer.batches().take(1)
    tuner = Tuner(times=FormTimes(os.path.join(folder, "times.json")))
    started = time.perf_counter()
    with trainer.experiment.bindings.active(), tuned_convolutions(tuner):
        tf.function(trainer.train_step, autograph=False).get_concrete_function(batch)
    return tuner, time.perf_counter() - started


def step_seconds(name: str, folder: str, forms: dict[str, str], steps: int):
    """Seconds of alternating steps: in these forms, and by the fixed rule."""
    from compare_gan.training.run_dir import RunDir

    run = os.path.join(folder, "chosen")
    RunDir(run).convolutions.write(forms)  # As if the run had been begun with them.
    trainers = {
        "chosen": make_trainer(name, run, ["run_config.autotune = True"]),
        "rule": make_trainer(name, os.path.join(folder, "rule")),
    }
    seconds: dict[str, list[float]] = {each: [] for each in trainers}
    for trainer in trainers.values():
        trainer.run_steps(2)  # Traces and compiles.
    for _ in range(steps):
        for each, trainer in trainers.items():
            started = time.perf_counter()
            trainer.run_steps(1)
            seconds[each].append(time.perf_counter() - started)
    return seconds["chosen"], seconds["rule"]


def _quartiles(values) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CONFIGS)))
@click.option("--steps", default=5, show_default=True, help="Steps of each kind; 0 for none.")
def main(names, steps):
    prepare_tensorflow()
    from compare_gan.backend.form_times import this_machine
    from compare_gan.backend.forms import fixed_form

    print(this_machine())
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            tuner, seconds = measured(name, folder)
            print(
                f"\n{name}: {tuner} Tracing took {seconds:.1f} s, with them.\n\n"
                "| convolution | measured batch | ms | rule | chosen |\n|---|---|---|---|---|"
            )
            for convolution, choice in tuner.choices.items():
                times = ", ".join(f"{form} {1e3 * s:.1f}" for form, s in choice.seconds.items())
                print(
                    f"| {convolution} | {choice.measured_as.image[0]} | {times} | "
                    f"{fixed_form(convolution)} | {choice.form} |",
                    flush=True,
                )
            if steps:
                chosen, rule = step_seconds(name, folder, tuner.forms, max(steps, 3))
                ratios = [b / a for a, b in zip(chosen, rule, strict=True)]
                print(
                    f"\nSeconds of a step: {_quartiles(chosen)} in the chosen forms, "
                    f"{_quartiles(rule)} by the rule, ratio {_quartiles(ratios)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
