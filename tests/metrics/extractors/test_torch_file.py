"""PyTorch files: tensors are read, and everything else is refused before it can run."""

import gc
import os
import pickle
import time
import zipfile

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics.extractors.torch_file import read_torch_tensors

_X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(params=(False, True), ids=("zip", "legacy"))
def legacy(request):
    return request.param


def test_arrays_are_read_as_written(tmp_path, write_torch_file, legacy):
    arrays = {"x": _X, "a.b": _X[0, :, 0], "scalar": np.float32(3), "empty": _X[:0]}
    if not legacy:
        arrays["whole"] = np.array([2**40, -1])
    path = str(tmp_path / "w.pth")
    write_torch_file(path, arrays, legacy)
    read = read_torch_tensors(path)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_views_of_shared_numbers(tmp_path, torch_format, legacy):
    pickled = torch_format.state(
        turned=torch_format.tensor("0", (4, 3, 2), (1, 4, 12), 24),
        part=torch_format.tensor("0", (2, 2), (12, 4), 24, offset=5),
    )
    path = str(tmp_path / "w.pth")
    torch_format.write(path, pickled, {"0": _X}, legacy)
    read = read_torch_tensors(path)
    np.testing.assert_array_equal(read["turned"], _X.T)
    np.testing.assert_array_equal(read["part"], _X[:, 1:, 1])


class _Malicious:
    def __init__(self, called, *arguments):
        self.call = called, arguments

    def __reduce__(self):
        return self.call


def test_calls_in_a_pickle_are_not_run(tmp_path, torch_format, legacy):
    path, touched = str(tmp_path / "w.pth"), str(tmp_path / "touched")
    for what in (
        _Malicious(os.mkdir, touched),
        {"x": _Malicious(os.mkdir, touched)},
        _Malicious(eval, f"__import__('os').mkdir({touched!r})"),
        _Malicious(getattr, touched, "upper"),
    ):
        torch_format.write(path, pickle.dumps(what, 2), {}, legacy)
        with pytest.raises(UserError, match=r"is refused: .* received a call of '.*\.\w+'\.$"):
            read_torch_tensors(path)
        assert not os.path.exists(touched)


def test_a_plain_pickle_is_refused(tmp_path):
    path, touched = tmp_path / "w.pth", tmp_path / "touched"
    path.write_bytes(pickle.dumps(_Malicious(os.mkdir, str(touched)), 4))
    with pytest.raises(UserError, match=r"received a call of '\w+.mkdir'"):
        read_torch_tensors(str(path))
    assert not touched.exists()


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ({"x": 1}, "'x', which is not a tensor but of type int"),
        ([1.5], "list instead of dict"),
        (os.mkdir, "received Global instead of dict"),
        ({"x": b"bytes"}, "the instruction|a call of"),
        ({1, 2}, "a call of"),
    ],
)
def test_other_values_are_refused(tmp_path, torch_format, legacy, value, received):
    path = str(tmp_path / "w.pth")
    torch_format.write(path, pickle.dumps(value, 2), {}, legacy)
    with pytest.raises(UserError, match=f"only names and tensors, .*({received})"):
        read_torch_tensors(path)


def test_an_object_with_a_state_is_refused(tmp_path, torch_format):
    class_and_state = b"\x80\x02ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aK\x01sb."
    path = str(tmp_path / "w.pth")
    torch_format.write(path, class_and_state, {})
    with pytest.raises(UserError, match="received an object with a state"):
        read_torch_tensors(path)


@pytest.mark.parametrize(
    "tensor",
    [
        dict(shape=(5, 5), strides=(5, 1), count=24),
        dict(shape=(2, 3), strides=(12, 12), count=24),
        dict(shape=(2,), strides=(1,), count=24, offset=23),
        dict(shape=(2,), strides=(-1,), count=24, offset=5),
        dict(shape=(2,), strides=(1,), count=24, offset=-3),
        dict(shape=(2,), strides=(1, 1), count=24),
        dict(shape=(30,), strides=(1,), count=30),
        dict(shape=(1000, 1000), strides=(0, 0), count=24),
    ],
)
def test_tensors_beyond_their_numbers_are_refused(tmp_path, torch_format, tensor):
    path = str(tmp_path / "w.pth")
    pickled = torch_format.state(x=torch_format.tensor("0", **tensor))
    torch_format.write(path, pickled, {"0": _X})
    with pytest.raises(UserError, match="'x'"):
        read_torch_tensors(path)


def test_numbers_of_an_unknown_type_are_refused(tmp_path, torch_format, legacy):
    path = str(tmp_path / "w.pth")
    pickled = torch_format.state(x=torch_format.tensor("0", (2,), (1,), 2, kind="BFloat16Storage"))
    torch_format.write(path, pickled, {"0": np.zeros(2, np.int16)}, legacy)
    with pytest.raises(UserError, match=r"received numbers of type 'torch.BFloat16Storage'"):
        read_torch_tensors(path)


# A tuple of two tuples of two tuples ...: 2^27 in 136 bytes, each memoized as number 0. Printing or
# hashing it would take seconds, but not all memory.
_HUGE = b")" + 27 * b"q\x00h\x00\x86"
_ALLOWED = 0.5  # Seconds of this thread's CPU time; reading takes milliseconds.
_NAME = b"X\x01\x00\x00\x00a"


@pytest.fixture(name="no_collection")
def _no_collection():
    """No garbage collection, which looks through all of TensorFlow, is part of the time."""
    gc.disable()
    yield
    gc.enable()


def _in_a_tensor(**places):
    """The state dictionary of one tensor `a`, with a huge tuple somewhere in it."""
    places = {
        "module": b"ctorch\nFloatStorage\n",
        "key": b"X\x01\x00\x00\x000",
        "count": b"K\x18",
        "offset": b"K\x00",
        "shape": b"(K\x02t",
        "strides": b"(K\x01t",
    } | places
    storage = b"(X\x07\x00\x00\x00storage%(module)b%(key)bX\x03\x00\x00\x00cpu%(count)btQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"%(offset)b%(shape)b%(strides)btR"
    named = {key.encode(): value for key, value in places.items()}
    return b"\x80\x02}" + _NAME + tensor % named + b"s."


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"\x80\x02" + _HUGE + b")R.", id="called"),
        pytest.param(b"\x80\x02}" + _HUGE + _NAME + b"s.", id="key"),
        pytest.param(b"\x80\x02}(" + _HUGE + _NAME + b"u.", id="keys"),
        pytest.param(b"\x80\x02" + _HUGE + _NAME + b"\x93.", id="name"),
        pytest.param(b"\x80\x02" + _HUGE + b".", id="everything"),
        pytest.param(b"\x80\x02}" + _NAME + _HUGE + b"s.", id="value"),
        pytest.param(_in_a_tensor(module=_HUGE), id="type of numbers"),
        pytest.param(_in_a_tensor(key=_HUGE), id="name of numbers"),
        pytest.param(_in_a_tensor(count=_HUGE), id="count"),
        pytest.param(_in_a_tensor(offset=_HUGE), id="offset"),
        pytest.param(_in_a_tensor(shape=_HUGE), id="shape"),
        pytest.param(_in_a_tensor(strides=b"(" + _HUGE + b"t"), id="strides"),
        # 2^2039 to the power of 2,000.
        pytest.param(
            _in_a_tensor(
                shape=b"(\x8a\xff" + 254 * b"\xff" + b"\x7fq\x00" + 1_999 * b"h\x00" + b"t",
                strides=b"(" + 2_000 * b"K\x00" + b"t",
            ),
            id="large numbers",
        ),
    ],
)
def test_values_that_are_too_large_to_print_are_refused(
    tmp_path, torch_format, legacy, pickled, slowness, no_collection
):
    path = str(tmp_path / "w.pth")
    torch_format.write(path, pickled, {"0": _X}, legacy)
    start = time.thread_time()
    with pytest.raises(UserError, match=r"only names and tensors|is damaged"):
        read_torch_tensors(path)
    assert time.thread_time() - start < _ALLOWED * slowness()


def test_such_tuples_in_the_header_of_an_old_file_are_refused(tmp_path, slowness, no_collection):
    path, huge = tmp_path / "w.pth", b"\x80\x02" + _HUGE + b"."
    marks = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001)]
    header, empty = pickle.dumps({"little_endian": True}, 2), pickle.dumps({}, 2)
    keys = b"\x80\x02](" + _HUGE + b"e."
    start = time.thread_time()
    for parts in (
        [huge, huge],
        [*marks, huge],
        [*marks, header, huge],
        [*marks, header, empty, huge],
        [*marks, header, empty, keys],
    ):
        path.write_bytes(b"".join(parts))
        with pytest.raises(UserError, match=r"only names and tensors|is damaged"):
            read_torch_tensors(str(path))
    assert time.thread_time() - start < _ALLOWED * slowness()


def test_a_compressed_archive_is_refused(tmp_path, torch_format):
    path = str(tmp_path / "w.pth")
    pickled = torch_format.state(x=torch_format.tensor("0", (24,), (1,), 24))
    torch_format.write(path, pickled, {"0": _X}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="received a compressed archive"):
        read_torch_tensors(path)


def test_missing_numbers_are_refused(tmp_path, torch_format, legacy):
    path = str(tmp_path / "w.pth")
    pickled = torch_format.state(x=torch_format.tensor("0", (24,), (1,), 24))
    torch_format.write(path, pickled, {"0": _X[0]}, legacy)
    with pytest.raises(UserError, match=r"is damaged.* 12 .*24 numbers"):
        read_torch_tensors(path)


def test_damaged_files_are_refused(tmp_path, write_torch_file, legacy):
    path = tmp_path / "w.pth"
    write_torch_file(str(path), {"x": _X, "y": _X}, legacy)
    content = path.read_bytes()
    halves = (content[:20], content[: len(content) // 2], content[:-50])
    # "P" starts an instruction of pickles, whose line the archive's time or checksum may end.
    for broken in (b"", b"text", b"PK\x03\x04\n", *halves):
        path.write_bytes(broken)
        with pytest.raises(UserError, match="is damaged or not a PyTorch file"):
            read_torch_tensors(str(path))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_torch_tensors(str(tmp_path / "w.pth"))


def test_files_that_pytorch_writes(tmp_path, legacy):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5), torch.nn.BatchNorm2d(4))
    tensors = network.state_dict()
    tensors["turned"] = torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2)
    tensors["parameter"] = torch.nn.Parameter(torch.ones(3))
    tensors["half"], tensors["flags"] = torch.ones(2).half(), torch.tensor([True, False])
    path = str(tmp_path / "w.pth")
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)
    read = read_torch_tensors(path)
    assert list(read) == list(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(read[name], value.detach().numpy())
    torch.save(network, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match="only names and tensors"):
        read_torch_tensors(path)
