"""Evaluation: metrics of sets of images, as result rows with their provenance.

scoring.score_sets             scores of folders, arrays, data sets
evaluate.evaluate_generator    scores of a `Sampler` against a data set
measuring.measure              the measurement under both
image_sets                     sets of images of every kind
protocols                      named sets of all options that scores depend on
results, comparison            result rows, their files, and whether they may be compared

Names are imported when they are first used: to read results takes neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
    from compare_gan.evaluation.evaluate import evaluate_generator
    from compare_gan.evaluation.evaluation_options import EvaluationOptions
    from compare_gan.evaluation.measuring import measure
    from compare_gan.evaluation.protocols import Protocol
    from compare_gan.evaluation.provenance import Provenance
    from compare_gan.evaluation.results import ResultRow, Score, provenance_differences
    from compare_gan.evaluation.results_file import ResultsFile
    from compare_gan.evaluation.scoring import SetScores, score_sets

__all__ = [
    "EvaluationOptions",
    "Protocol",
    "Provenance",
    "ResultRow",
    "ResultsFile",
    "Score",
    "SetScores",
    "evaluate_generator",
    "measure",
    "provenance_differences",
    "score_sets",
]

_MODULES = {
    "evaluate": ("evaluate_generator",),
    "evaluation_options": ("EvaluationOptions",),
    "measuring": ("measure",),
    "protocols": ("Protocol",),
    "provenance": ("Provenance",),
    "results": ("ResultRow", "Score", "provenance_differences"),
    "results_file": ("ResultsFile",),
    "scoring": ("SetScores", "score_sets"),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
