"""Evaluation: metrics of sets of images, as result rows with their provenance.

score_sets.score_sets          scores of folders, arrays, data sets
evaluate.evaluate_generator    scores of a `Sampler` against a data set
measure.measure                the measurement under both
image_sets                     sets of images of every kind
protocols                      named sets of all options that scores depend on
results, comparison            result rows, their files, and whether they may be compared
"""
