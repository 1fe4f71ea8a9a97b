"""The command line, and nothing else: `compare_gan train | label | eval | sample | export | …`.

`python -m compare_gan.main --model_dir … --gin_config … --schedule …`, as in 2019, is `train`.
"""

import errno
import os
import sys

import click

from compare_gan.errors import DivergenceError, UserError
from compare_gan.startup import prepare_tensorflow

_SCHEDULES = ("train", "eval_after_train", "continuous_eval")


class _TrainByDefault(click.Group):
    """A group whose first argument may be an option: then `train` is meant."""

    def parse_args(self, ctx, args):
        if args and args[0].startswith("--") and args[0] not in ("--help", "--version"):
            args = ["train", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_TrainByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="compare_gan")
def cli():
    """Train, evaluate and compare GANs from gin configs.

    \b
    Start with
      compare_gan train --gin_config example_configs/s3gan_fashion_mnist.gin --model_dir runs/s3gan
    """  # noqa: D301


def _config_options(command):
    for option in reversed(
        (
            click.option(
                "--gin_config",
                "gin_configs",
                multiple=True,
                metavar="FILE",
                help="Gin file; may be repeated, later ones win.",
            ),
            click.option(
                "--gin_bindings",
                multiple=True,
                metavar="BINDING",
                help="Changes anything, e.g. 'options.batch_size = 32'; may be repeated.",
            ),
            click.option(
                "--tfds_data_dir",
                metavar="DIR",
                help="Where TensorFlow Datasets keeps its data.",
            ),
            click.option(
                "--data_fake_dataset",
                is_flag=True,
                help="Noise of the data set's shape instead of its images, to try a config.",
            ),
        )
    ):
        command = option(command)
    return command


def _eval_options(command):
    for option in reversed(
        (
            click.option(
                "--num_eval_averaging_runs",
                default=3,
                show_default=True,
                type=click.IntRange(min=1),
                help="Sets of samples that every score is averaged over.",
            ),
            click.option(
                "--score_filename",
                default="scores.csv",
                show_default=True,
                metavar="NAME",
                help="Table of scores, in the model directory.",
            ),
        )
    ):
        command = option(command)
    return command


@cli.command()
@click.option("--model_dir", metavar="DIR", help="Checkpoints, pictures and scores go here.")
@_config_options
@_eval_options
@click.option(
    "--eval_every_steps",
    default=5000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Checkpoints to evaluate: multiples of this, and the last.",
)
@click.option(
    "--schedule",
    default="eval_after_train",
    show_default=True,
    type=click.Choice(_SCHEDULES),
    help="Train only; train, then evaluate; or evaluate what another process trains.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the resolved config, parameter counts and estimated memory; do nothing.",
)
def train(
    model_dir,
    gin_configs,
    gin_bindings,
    tfds_data_dir,
    data_fake_dataset,
    num_eval_averaging_runs,
    eval_every_steps,
    score_filename,
    schedule,
    dry_run,
):
    """Train from a gin config, resume where a run left off, and evaluate.

    Started again with the same --model_dir it goes on from the newest checkpoint.
    """
    prepare_tensorflow()
    from compare_gan.training import config, schedules
    from compare_gan.training.trainer import Experiment

    if not model_dir and not dry_run:
        raise UserError("--model_dir is needed: the directory that the run is written to.")
    if not gin_configs and not gin_bindings:
        raise UserError("--gin_config is needed: the gin file that says what to train.")
    config.parse(gin_configs, gin_bindings)
    experiment = Experiment.from_gin(**_dataset_overrides(tfds_data_dir, data_fake_dataset))
    if dry_run:
        from compare_gan.training.dry_run import describe

        click.echo(describe(experiment))
        return
    evaluation = schedules.EvaluationPlan(
        averaging_runs=num_eval_averaging_runs,
        every_steps=eval_every_steps,
        score_filename=score_filename,
    )
    schedules.run(schedule, experiment, model_dir, evaluation)


@cli.command()
@click.option(
    "--label_dir", metavar="DIR", help="Labels go here; infer_labels.label_dir if left out."
)
@_config_options
def label(label_dir, gin_configs, gin_bindings, tfds_data_dir, data_fake_dataset):
    """Infer the labels of a config's data set from the given ones, or cluster it.

    Needs of the config only what is about data and labels. `train` does the same by itself where
    dataset.inferred_labels = True; runs that name the folder in infer_labels.label_dir share it.
    Started again after it was killed, it goes on from its newest checkpoint.
    """
    prepare_tensorflow()
    from compare_gan.training import config
    from compare_gan.training.labelling import infer_labels

    if not gin_configs and not gin_bindings:
        raise UserError("--gin_config is needed: the gin file that says which labels to infer.")
    config.parse(gin_configs, gin_bindings)
    click.echo(infer_labels(label_dir, **_dataset_overrides(tfds_data_dir, data_fake_dataset)))


@cli.command("eval")
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--gin_bindings", multiple=True, metavar="BINDING", help="As for train.")
@click.option("--tfds_data_dir", metavar="DIR", help="As for train.")
@click.option("--data_fake_dataset", is_flag=True, help="As for train.")
@_eval_options
def evaluate(
    model_dir,
    checkpoint,
    gin_bindings,
    tfds_data_dir,
    data_fake_dataset,
    num_eval_averaging_runs,
    score_filename,
):
    """Score a checkpoint; adds a row to scores.csv and results.jsonl."""
    prepare_tensorflow()
    from compare_gan.training import config, schedules
    from compare_gan.training import model_dir as model_dirs
    from compare_gan.training.trainer import Experiment

    config.parse([model_dirs.config_path(model_dir)], gin_bindings)
    path = None if checkpoint is None else model_dirs.find_checkpoint(model_dir, checkpoint)
    experiment = Experiment.from_gin(**_dataset_overrides(tfds_data_dir, data_fake_dataset))
    plan = schedules.EvaluationPlan(
        averaging_runs=num_eval_averaging_runs, score_filename=score_filename
    )
    schedules.evaluate_checkpoints(experiment, model_dir, [path], plan)


@cli.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option("--out", metavar="PATH", help="PNG; folder or .npz (--num); in DIR if left out.")
@click.option(
    "--num",
    type=click.IntRange(min=1),
    help="Write so many single PNGs instead, or one .npz (arr_0, labels).",
)
@click.option(
    "--interpolate",
    "interpolations",
    type=click.IntRange(min=1),
    help="Write so many rows of images between two latents, left to right.",
)
@click.option("--class", "label", metavar="CLASS", help="Only this class (name or number).")
@click.option(
    "--columns", default=10, show_default=True, type=click.IntRange(min=2), help="Images a row."
)
@click.option(
    "--truncation",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=1),
    help="Narrows the latents: less variety, cleaner images.",
)
@click.option("--seed", default=0, show_default=True, help="Of the latents.")
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="The weights themselves, not their moving average.")
def sample(model_dir, out, num, interpolations, label, columns, truncation, seed, checkpoint, raw):
    """Draw images from a trained model; reads no training data.

    Without --num or --interpolate: a grid, one class a row.
    """
    prepare_tensorflow()
    from compare_gan.evaluation import drawing, writing
    from compare_gan.training.model_dir import load_trained

    if num and interpolations:
        raise UserError("--num and --interpolate exclude each other.")
    if not num and out and out.endswith(".npz"):
        raise UserError("--out with the ending .npz needs --num: a grid is written as PNG.")
    model = load_trained(model_dir, checkpoint, use_ema=not raw)
    label = drawing.find_class(model, label)
    common = dict(seed=seed, truncation=truncation, label=label)
    if num:
        path = writing.write_images(model, out or os.path.join(model_dir, "images"), num, **common)
    elif interpolations:
        out = out or os.path.join(model_dir, "interpolation.png")
        path = drawing.write_interpolation(model, out, interpolations, columns, **common)
    else:
        out = out or os.path.join(model_dir, "grid.png")
        path = drawing.write_grid(model, out, columns, **common)
    click.echo(path)


@cli.command()
@click.option("--model_dir", required=True, metavar="DIR", help="A directory written by train.")
@click.option(
    "--out",
    required=True,
    metavar="PATH",
    help="With the ending .keras a Keras file, otherwise the directory of a SavedModel.",
)
@click.option("--checkpoint", metavar="STEP", help="A step; the newest if left out.")
@click.option("--raw", is_flag=True, help="The weights themselves, not their moving average.")
@click.option("--discriminator", is_flag=True, help="The discriminator network as well.")
def export(model_dir, out, checkpoint, raw, discriminator):
    """Write the generator as a SavedModel or Keras file.

    A SavedModel needs nothing but TensorFlow: its signature takes z (and labels) and returns
    images in [0, 1].
    """
    prepare_tensorflow()
    from compare_gan.training.export import export as write
    from compare_gan.training.model_dir import load_trained

    model = load_trained(model_dir, checkpoint, use_ema=not raw)
    for path in write(model, out, discriminator):
        click.echo(path)


@cli.command("import-weights")
@click.argument("source")
@click.option("--model_dir", required=True, metavar="DIR", help="Made; as train would write it.")
@click.option(
    "--gin_config",
    "gin_configs",
    multiple=True,
    metavar="FILE",
    help="The config that the model was trained with; wins over what the weights show.",
)
@click.option("--gin_bindings", multiple=True, metavar="BINDING", help="As for train.")
def import_weights(source, model_dir, gin_configs, gin_bindings):
    """Bring back a model of the 2019 library: a TF1 checkpoint or TF-Hub module.

    \b
    SOURCE is one of
      a checkpoint's prefix (…/model.ckpt-250000), or a directory with a file `checkpoint`
      a directory with a hub module (saved_model.pb, variables/), or its .tar.gz
      a hub handle (google/compare_gan/s3gan_10_128x128/1), which is downloaded

    Architecture, image size and classes follow from the names and shapes of the variables.
    """  # noqa: D301
    prepare_tensorflow()
    from compare_gan import importing

    click.echo(importing.import_weights(source, model_dir, gin_configs, gin_bindings))


@cli.command("list")
@click.argument("kind", required=False)
def list_parts(kind):
    """List the parts that configs can name: all, or those of one KIND."""
    prepare_tensorflow()
    from compare_gan import registry

    for each in [kind] if kind else registry.kinds():
        parts = registry.components(each)
        click.echo(f"{each}")
        width = max((len(part.name) for part in parts), default=0)
        for part in parts:
            paper = f"  [{part.paper}]" if part.paper else ""
            click.echo(f"  {part.name:<{width}}  {part.summary}{paper}")


def _dataset_overrides(tfds_data_dir: str | None, fake: bool) -> dict:
    overrides = {}
    if tfds_data_dir:
        overrides["data_dir"] = tfds_data_dir
    if fake:
        overrides["fake"] = True
    return overrides


def main(args=None) -> None:
    """Entry point: errors that are no fault of the program's end in one sentence.

    The status is 2 for a user's mistake, 3 for divergence, 1 for trouble with files.
    """
    try:
        cli.main(args=args, prog_name="compare_gan", standalone_mode=False)
    except UserError as error:
        sentence = str(error).split("\n", 1)[0]  # Gin appends lines where an error passes it.
        _exit(2, f"Error: {sentence}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as error:  # What click makes of KeyboardInterrupt.
        detail = str(error.__cause__ or "") or "steps since the last checkpoint are lost"
        _exit(130, f"Interrupted: {detail}.")
    except DivergenceError as error:
        _exit(3, f"Error: {error}")
    except Exception as error:
        sentence = _about_files(error)
        if sentence is None:
            raise
        _exit(1, f"Error: {sentence}")


def _about_files(error: Exception) -> str | None:
    """The sentence for trouble with files, which TensorFlow has errors of its own for, or None."""
    if isinstance(error, OSError):
        names = " -> ".join(str(n) for n in (error.filename, error.filename2) if n is not None)
        return (error.strerror or str(error)) + (f": {names}" if names else "") + "."
    troubles = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
    message = str(error).strip().split("\n", 1)[0]
    if any(os.strerror(trouble) in message for trouble in troubles):
        return message
    return None


def _exit(status: int, message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
