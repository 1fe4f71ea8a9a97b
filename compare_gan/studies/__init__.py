"""Studies: many runs, one table.

definition.StudyDefinition     axes, seeds, budget, and the runs that they amount to
defining.define                the same from Python, checked
study_file.read_study          the same from a gin file
study_dir.StudyDir             the directory of a study, and the records of its runs
records.RunRecord              one run: its place among the variants, state, scores and costs
executor, local, ray_executor  where runs are made: processes of this machine or of a Ray cluster
cluster_scripts                scripts for Slurm and Kubernetes
scheduler                      what is left of the runs, several at a time
hparams                        the runs in TensorBoard
study.Study                    all of it from Python
table.StudyTable               all runs as tidy rows, a summary of the variants, comparisons
selection.select               the runs with certain labels
statistics, differences        the statistics of scores over seeds behind them

Names are imported when they are first used: to read a study takes neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
    from compare_gan.studies.defining import define
    from compare_gan.studies.definition import (
        PruningDecision,
        StudyDefinition,
        StudyRun,
        Variant,
    )
    from compare_gan.studies.executor import End, Executor, Task
    from compare_gan.studies.local import LocalExecutor
    from compare_gan.studies.pairwise import Comparison
    from compare_gan.studies.ray_executor import RayExecutor
    from compare_gan.studies.records import RunRecord
    from compare_gan.studies.selection import select
    from compare_gan.studies.study import Study
    from compare_gan.studies.study_dir import StudyDir
    from compare_gan.studies.study_file import read_study
    from compare_gan.studies.summary import VariantSummary
    from compare_gan.studies.table import StudyTable

__all__ = [
    "Comparison",
    "End",
    "Executor",
    "LocalExecutor",
    "PruningDecision",
    "RayExecutor",
    "RunRecord",
    "Study",
    "StudyDefinition",
    "StudyDir",
    "StudyRun",
    "StudyTable",
    "Task",
    "Variant",
    "VariantSummary",
    "define",
    "read_study",
    "select",
]

_MODULES = {
    "defining": ("define",),
    "definition": ("PruningDecision", "StudyDefinition", "StudyRun", "Variant"),
    "executor": ("End", "Executor", "Task"),
    "local": ("LocalExecutor",),
    "pairwise": ("Comparison",),
    "ray_executor": ("RayExecutor",),
    "records": ("RunRecord",),
    "selection": ("select",),
    "study": ("Study",),
    "study_dir": ("StudyDir",),
    "study_file": ("read_study",),
    "summary": ("VariantSummary",),
    "table": ("StudyTable",),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
