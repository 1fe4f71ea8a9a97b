"""Stands in for TensorFlow in processes that must not import it, see `computations.py`."""

# No ImportError: Keras, which asks for TensorFlow here and there, would go on without it.
raise AssertionError("TensorFlow was imported.")
