r"""Speed of training steps on a GPU: ours under JAX, alternately with the same layers in PyTorch.

It needs JAX and PyTorch with a GPU, NumPy, Keras and gin-config, but neither TensorFlow nor a
network connection nor an installed compare_gan. From the root of the repository:

    python -m benchmarks.gpu --output results          # 8 minutes at most, most important first
    python -m benchmarks.gpu --output results          # again: the cases that are still missing
    python -m benchmarks.gpu --output quick --quick    # tiny networks, also without a GPU

`results/results.json` has every number (raw times of each round, versions, the card), and
`results/results.md` the tables. Both are written after every stage of a case.

A machine without internet gets the wheels that its Python lacks. They are fetched once, elsewhere,
into the ignored folder `build/wheels` (4 MB for Keras, gin-config, namex and optree):

    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -d build/wheels keras==3.15.1 gin-config==0.5.0 namex==0.1.0 optree==0.20.0

and there, with `build/wheels` beside the working tree:

    python3 -m pip install -q --no-index --no-deps --target /tmp/site build/wheels/*.whl
    PYTHONPATH=/tmp/site python3 -m benchmarks.gpu --output results --minutes 8

`absl-py`, `h5py`, `ml-dtypes`, `packaging` and `rich`, which Keras also imports, come with JAX and
most scientific installations; where one is missing, it is fetched in the same way.
"""
