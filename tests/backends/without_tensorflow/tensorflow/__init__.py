"""Replaces TensorFlow in processes that must not import it; see `computations.py`."""

# Not an ImportError: Keras tries to import TensorFlow in places and would continue without it.
raise AssertionError("TensorFlow was imported.")
