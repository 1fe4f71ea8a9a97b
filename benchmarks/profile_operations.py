"""Seconds of a training step by kind of operation, from TensorFlow's profiler.

    python benchmarks/profile_operations.py s3gan_co_fashion_mnist --steps 10

Shares refer to the time in operations, summed over all threads. Averaging the weights (`ema`) and
the power iterations of spectral normalization, which have their own name scopes, are also listed.
"""

import collections
import pathlib
import tempfile

import click
from train_step import CONFIGS, make_trainer

from compare_gan.startup import prepare_tensorflow

SCOPES = ("ema", "power_iteration")


def operation_seconds(trainer, steps: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds per step by kind of operation, and by scope for `SCOPES`; both in descending order.

    Operations that only call other operations are left out.
    """
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        trainer.run_steps(steps)
        tf.profiler.experimental.stop()
        [path] = pathlib.Path(folder).glob("**/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    by_kind, by_scope = collections.Counter(), collections.Counter()
    for plane in space.planes:
        if not plane.name.startswith("/host:CPU"):
            continue
        for line in plane.lines:
            for event in line.events:
                # The event of an operation is named "scope/name:Kind". Code compiled by XLA is
                # Winograd's transforms, unless XLA compiles the whole step.
                scopes, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if kind == "ExecuteAsyncOnStream":
                    kind = "compiled by XLA"
                elif not scopes or op_def_registry.get(kind) is None or kind in _CALLERS:
                    continue
                seconds = event.duration_ps / 1e12 / steps
                by_kind[kind] += seconds
                for scope in SCOPES:
                    if scope in scopes.split("/"):
                        by_scope[scope] += seconds
    return dict(by_kind.most_common()), dict(by_scope.most_common())


_CALLERS = ("While", "StatefulPartitionedCall", "PartitionedCall")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CONFIGS)))
@click.option("--steps", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--gin_bindings", multiple=True, help="Bindings added to the configs.")
def main(names, steps, gin_bindings):
    prepare_tensorflow()
    for name in names or CONFIGS:
        with tempfile.TemporaryDirectory() as model_dir:
            trainer = make_trainer(name, model_dir, gin_bindings)
            trainer.run_steps(2)  # Traces.
            by_kind, by_scope = operation_seconds(trainer, steps)
        total = sum(by_kind.values())
        print(f"\n| {name} | s a step | share |\n|---|---|---|")
        scopes = {f"in the scope `{scope}`": seconds for scope, seconds in by_scope.items()}
        for what, seconds in [*list(by_kind.items())[:10], ("all", total), *scopes.items()]:
            print(f"| {what} | {seconds:.3g} | {100 * seconds / total:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
