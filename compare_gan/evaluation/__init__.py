"""Evaluation: samples of a generator, their scores, result rows, pictures."""
