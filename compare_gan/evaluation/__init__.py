"""Evaluation: metrics of sets of images, as result rows with their provenance.

score_sets.score_sets          scores of folders, arrays, data sets
evaluate.evaluate_generator    scores of a `Sampler` against a data set
measure.measure                the measurement under both
image_sets                     sets of images of every kind
protocols                      named sets of all options that scores depend on
results, comparison            result rows, their files, and whether they may be compared
"""

from compare_gan.evaluation.evaluate import evaluate_generator
from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.evaluation.measure import measure
from compare_gan.evaluation.protocols import Protocol
from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow, Score, provenance_differences
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.evaluation.score_sets import SetScores, score_sets

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
