"""Set before TensorFlow is imported anywhere, and gin's bindings dropped around each test."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import gin
import pytest


@pytest.fixture(autouse=True)
def _no_gin_bindings():
    gin.clear_config()
    yield
    gin.clear_config()
