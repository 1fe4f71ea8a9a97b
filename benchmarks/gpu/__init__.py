r"""Speed of training steps on a GPU: ours under JAX, alternately with the same layers in PyTorch.

It needs JAX and PyTorch with a GPU, NumPy, Keras and gin-config, but neither TensorFlow nor a
network connection nor an installed compare_gan. From the root of the repository:

    python -m benchmarks.gpu --output results          # 8 minutes at most, most important first
    python -m benchmarks.gpu --output results          # again: the cases that are still missing
    python -m benchmarks.gpu --output quick --quick    # tiny networks, also without a GPU

`results/results.json` has every number (raw times of each round, versions, the card, the profile),
`results/results.md` the tables, and `results/*.hlo.txt.gz` the compiled step that was profiled, in
which a kernel's operation can be looked up. All are written after every stage of a case, so that a
run that is cut off loses nothing. The measuring process is a child of the command, which ends it
when the time is over or a case takes too long, and starts another for the cases that are left.

A machine without internet, such as one that is lent for minutes and gets a copy of the working
tree, needs the wheels that its Python lacks. They are fetched once, elsewhere, into the folder
`build/wheels`, which git ignores (3 MB; here for Python 3.12 on x86-64):

    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -d build/wheels keras==3.15.1 gin-config==0.5.0 namex==0.1.0 optree==0.20.0

There, with `build/wheels` carried along, in the root of the tree:

    python3 -m pip install -q --no-index --no-deps --target /tmp/site build/wheels/*.whl && \
    PYTHONPATH=/tmp/site python3 -m benchmarks.gpu --output results --minutes 8

That is one command of 8.5 minutes at most, of which the first case (BigGAN-128 with 256 images,
compiled twice by XLA and once by `torch.compile`) may take six. A second command with `--minutes 4`
and the same folder measures more cases; `--cases resnet_biggan` or other parts of names choose
some. The command ends at once if JAX finds no GPU. JAX, PyTorch (with Triton and a C compiler for
`torch.compile`), NumPy, SciPy, Pillow, Matplotlib, scikit-learn, tqdm, absl-py, h5py, ml-dtypes,
packaging and rich must be there; one that is missing is fetched in the same way.
"""
