"""Packs the records of a study, from which its page can be made again, into a small archive.

    python benchmarks/gallery/pack.py runs/rotation_icons benchmarks/gallery/records
    tar xf benchmarks/gallery/records/rotation_icons.tar.xz -C runs
    compare_gan report runs/rotation_icons

Results, logs, configs and the last sample grid of each run are kept; checkpoints, earlier grids,
plots of the losses and events for TensorBoard are not. `compare_gan study run` takes the ended runs
of an unpacked study as they are and makes those that are missing; runs that had not ended are left
out and start anew.
"""

import os
import pathlib
import tarfile

import click

from compare_gan import files
from compare_gan.errors import UserError
from compare_gan.studies import StudyDir, records

# Paths in the directory of a study: heavy, of use only where they were made, or drawn from others.
_LEFT_OUT = (
    "locks",
    "logs",
    "tensorboard",
    "runs/*/checkpoints",
    "runs/*/losses.png",
    "runs/*/samples",
    "runs/*/tensorboard",
    "runs/*/*.lock",
    "shared/backbones/*.lock",
    "shared/backbones/pretext-*",
    "shared/labels/*/lock",
)


def pack(study: str, folder: str) -> pathlib.Path:
    """Writes `<folder>/<name of the study directory>.tar.xz` and returns its path."""
    study_dir = StudyDir(study)
    runs = study_dir.records()
    left = {run.model_dir for run in runs if run.state not in records.DONE}
    root = pathlib.Path(study_dir.path)

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = pathlib.PurePath(member.name).relative_to(root.name)
        # Below a root, because a relative path would be matched from its end.
        if any(pathlib.PurePath("/", inside).match(f"/{pattern}") for pattern in _LEFT_OUT):
            return None
        if os.path.join(root, inside) in left:
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    path = pathlib.Path(folder) / f"{root.name}.tar.xz"
    with files.atomic(str(path)) as temporary, tarfile.open(temporary, "w:xz") as archive:
        archive.add(root, root.name, filter=kept)
    return path


@click.command()
@click.argument("study", type=click.Path())
@click.argument("folder", type=click.Path())
def main(study, folder):
    """Packs the records of the study directory STUDY into FOLDER."""
    try:
        path = pack(study, folder)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    ended = sum(run.state in records.DONE for run in StudyDir(study).records())
    print(f"{path}: {ended} ended runs, {path.stat().st_size / 1e6:.2g} MB")


if __name__ == "__main__":
    main()
