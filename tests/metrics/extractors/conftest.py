"""PyTorch files, written without PyTorch."""

import pickle
import struct
import zipfile

import numpy as np
import pytest

_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def _global(module, name):
    return f"c{module}\n{name}\n".encode()


def _text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _numbers(numbers):
    return b"(" + b"".join(b"J" + struct.pack("<i", n) for n in numbers) + b"t"


def tensor(key, shape, strides, count, offset=0, kind="FloatStorage"):
    """Returns the instructions that encode a tensor."""
    storage = (
        b"(" + _text("storage") + _global("torch", kind) + _text(key) + _text("cpu")
        + b"J" + struct.pack("<i", count) + b"tQ"
    )  # fmt: skip
    return (
        _global("torch._utils", "_rebuild_tensor_v2")
        + b"(" + storage + b"J" + struct.pack("<i", offset) + _numbers(shape) + _numbers(strides)
        + b"\x89" + _global("collections", "OrderedDict") + b")RtR"
    )  # fmt: skip


def state(**instructions):
    """Returns the pickle of a state dictionary of tensors."""
    items = b"".join(_text(name) + value for name, value in instructions.items())
    ordered = _global("collections", "OrderedDict") + b")R"
    metadata = b"}" + _text("_metadata") + ordered + b"sb"
    return b"\x80\x02" + ordered + b"(" + items + b"u" + metadata + b"."


def write(path, pickled, storages, legacy=False, compression=zipfile.ZIP_STORED):
    """Writes a file in the layout of `torch.save`; `storages` are arrays by key."""
    if not legacy:
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/byteorder", "little")
            archive.writestr("archive/version", "3\n")
            for key, content in storages.items():
                archive.writestr(f"archive/data/{key}", content.tobytes())
        return
    with open(path, "wb") as file:
        header = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
        for value in (0x1950A86A20F9469CFC6C, 1001, header):
            file.write(pickle.dumps(value, 2))
        file.write(pickled + pickle.dumps(list(storages), 2))
        for content in storages.values():
            file.write(struct.pack("<q", content.size) + content.tobytes())


def _write_tensors(path, arrays, legacy=False):
    instructions, storages = {}, {}
    for i, (name, array) in enumerate(arrays.items()):
        array = np.ascontiguousarray(array)
        strides = [step // array.itemsize for step in array.strides]
        kind = _STORAGES[array.dtype.name]
        instructions[name] = tensor(str(i), array.shape, strides, array.size, kind=kind)
        storages[str(i)] = array
    write(path, state(**instructions), storages, legacy)


@pytest.fixture(scope="session")
def write_torch_file():
    """`write_torch_file(path, arrays, legacy=False)`, for float32 and int64 arrays by name."""
    return _write_tensors


@pytest.fixture(scope="session")
def torch_format():
    """The functions `tensor`, `state` and `write`, to write files that PyTorch would not."""
    import types

    return types.SimpleNamespace(tensor=tensor, state=state, write=write)
