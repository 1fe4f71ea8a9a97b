"""Makes a page of the gallery, with everything that it needs: images, runs, probe.

    python benchmarks/gallery/make.py rotation_icons

Without the name of a page, all of them are listed. The directory of a study is RUNS/NAME; one that
does not exist begins with the records in benchmarks/gallery/records, where there are some. Runs
that have ended are not repeated, and interrupted ones resume. Images are written into the working
directory, where the study looks for them.
"""

import dataclasses
import os
import pathlib
import sys
import tarfile
from collections.abc import Callable

import click

from compare_gan import files, interruption
from compare_gan.errors import UserError, unknown_name
from compare_gan.startup import prepare_tensorflow
from compare_gan.studies import LocalExecutor, Study, StudyDir
from compare_gan.studies.records import DONE

_RECORDS = pathlib.Path(__file__).with_name("records")
_FEW_LABELS = pathlib.Path(__file__).parents[1] / "few_labels"
_GALLERY = pathlib.Path(__file__).parents[2] / "docs" / "gallery"


def _write_turned(path: str) -> None:
    import turned

    turned.write(path)


def _write_icons(folder: str) -> None:
    import icons

    icons.write(folder)


def _convert_few_labels(folder: str) -> None:
    sys.path.append(str(_FEW_LABELS))
    import as_study

    as_study.convert(folder)


@dataclasses.dataclass(frozen=True)
class Images:
    """Images that a study needs besides packaged ones.

    Attributes:
      path: Path in the bindings of the study.
      write: Function that writes them to a path.
    """

    path: str
    write: Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class GalleryStudy:
    """A study of the gallery.

    Attributes:
      file: Name of the study file.
      images: Images that the study needs; None = packaged ones.
      convert: Function that writes the study directory from other results; None = there are none.
    """

    file: str
    images: Images | None = None
    convert: Callable[[str], None] | None = None


@dataclasses.dataclass(frozen=True)
class GalleryPage:
    """A page of the gallery.

    Attributes:
      studies: Names of its studies, keys of `STUDIES`.
      is_on_self_supervision: Whether `self_supervision.py` makes the page, with the probe, and not
        `compare_gan report`.
    """

    studies: tuple[str, ...]
    is_on_self_supervision: bool = False


_TURNED = Images("runs/gallery/turned_fashion_mnist.npz", _write_turned)
_ICONS = Images("runs/gallery/icons", _write_icons)

STUDIES = {
    "few_labels": GalleryStudy("studies/few_labels_fashion_mnist", convert=_convert_few_labels),
    "landscape": GalleryStudy("studies/landscape_fashion_mnist"),
    "main_job": GalleryStudy("studies/main_job_fashion_mnist"),
    "modes": GalleryStudy("studies/modes_stacked_digits"),
    "rotation_upright": GalleryStudy("studies/rotation_upright"),
    "rotation_turned": GalleryStudy("studies/rotation_turned", _TURNED),
    "rotation_icons": GalleryStudy("studies/rotation_icons", _ICONS),
    "rotation_weights": GalleryStudy("studies/rotation_weights", _TURNED),
    "small_data": GalleryStudy("studies/small_data_fashion_mnist"),
}
PAGES = {
    **{name: GalleryPage((name,)) for name in STUDIES},
    "self_supervision": GalleryPage(("rotation_upright", "rotation_turned"), True),
    "self_supervision_icons": GalleryPage(("rotation_icons",), True),
}


def begin(name: str, folder: str) -> None:
    """Writes a study directory that does not exist from what the repository has of its results."""
    records = _RECORDS / f"{name}.tar.xz"
    if os.path.exists(folder):
        return
    if convert := STUDIES[name].convert:
        convert(folder)
    elif records.exists():
        with files.atomic(folder) as temporary, tarfile.open(records) as archive:
            archive.extractall(temporary, filter="data")
            inside = pathlib.Path(temporary, name)
            for path in inside.iterdir():
                path.rename(pathlib.Path(temporary, path.name))
            inside.rmdir()


def run(name: str, folder: str, workers: int | None, environment: dict[str, str]) -> None:
    """Makes the runs of a study that have not ended, with their images.

    Raises:
      UserError: Some runs have failed, or the images cannot be made.
    """
    study = Study(STUDIES[name].file, study_dir=folder)
    images = STUDIES[name].images
    has_ended = all(record.state in DONE for record in study.records())
    if images and not has_ended and not os.path.exists(images.path):
        images.write(images.path)
    records = study.run(executor=LocalExecutor(workers, environment), environment=environment)
    if left := sum(record.state not in DONE for record in records):
        raise UserError(
            f"{left} of {len(records)} runs have neither finished nor diverged, so there is no "
            f"page; their output is in '{study.place.file('logs')}'."
        )


def write_page(page: GalleryPage, folders: list[str], output: str) -> None:
    """Writes a page on study directories whose runs have ended."""
    if page.is_on_self_supervision:
        import probe
        import self_supervision

        for folder in folders:
            runs = [record.model_dir for record in StudyDir(folder).records()]
            probe.probe_runs(runs, os.path.join(folder, "probe.jsonl"))
        self_supervision.write_page(folders, output)
    else:
        from compare_gan import report

        report.write_page(folders[0], output)


def make(name: str, output: str, runs: str, workers: int | None = None) -> str:
    """Makes a page; returns its path.

    Args:
      name: Name of the page, a key of `PAGES`.
      output: Folder of the page.
      runs: Folder of the study directories.
      workers: Number of runs at the same time; None = one per GPU, or one.

    Raises:
      UserError: There is no such page, or it cannot be made.
    """
    if name not in PAGES:
        raise unknown_name("page", name, PAGES)
    path = os.path.join(output, f"{name}.html")
    files.check_can_write(path)
    environment = dict(os.environ)  # Without what the engine of this process adds.
    prepare_tensorflow()
    folders = [os.path.join(runs, study) for study in PAGES[name].studies]
    for study, folder in zip(PAGES[name].studies, folders, strict=True):
        begin(study, folder)
        run(study, folder, workers, environment)
    write_page(PAGES[name], folders, path)
    return path


@click.command()
@click.argument("page", required=False)
@click.option("--output", default=str(_GALLERY), help="Folder.  [default: docs/gallery]")
@click.option("--runs", default="runs", show_default=True, help="Folder of the study directories.")
@click.option("--workers", type=click.IntRange(min=1), help="Runs at the same time.")
def main(page, output, runs, workers):
    """Make PAGE with everything that it needs, or list the pages."""
    if page is None:
        for name, each in PAGES.items():
            print(f"{name}: {', '.join(STUDIES[study].file for study in each.studies)}")
        return
    try:
        with interruption.Watch():
            print(make(page, output, runs, workers))
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
