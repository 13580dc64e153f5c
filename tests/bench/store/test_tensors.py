"""Safetensors files from anybody: read as safetensors reads them, or refused in a line."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

from bench.errors import SubmissionError
from bench.store import tensors as reading
from bench.store.tensors import read_mask, read_tensors

LARGEST = 10**6


@pytest.fixture
def raw(tmp_path):
    """A file with this header (JSON, or its text) and content."""

    def write(header, content=b"", *, length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "x.safetensors"
        path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + content)
        return path

    return write


def told(shape=(2,), dtype="F32", at=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}


def test_it_reads_what_safetensors_writes(tmp_path):
    generator = np.random.default_rng(0)
    kinds = ("?", "u1", "i1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
    arrays = {f"t{kind}": generator.integers(0, 2, (2, 3)).astype(kind) for kind in kinds}
    arrays |= {"empty": np.zeros((0, 4), "<f4"), "scalar": np.full((), 3.5)}
    save_file(arrays, tmp_path / "x.safetensors", metadata={"a": "b"})
    found = read_tensors(tmp_path / "x.safetensors")
    theirs = load_file(tmp_path / "x.safetensors")
    assert found.metadata == {"a": "b"}
    assert found.arrays.keys() == theirs.keys()
    for name, each in theirs.items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (each.dtype, each.shape)
        assert found.arrays[name].tobytes() == each.tobytes()


def test_bfloat16_goes_by_its_bits(tmp_path):
    each = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    save_torch({"a": each}, tmp_path / "x.safetensors")
    found = read_tensors(tmp_path / "x.safetensors").arrays["a"]
    assert found.tobytes() == each.view(torch.int16).numpy().tobytes()


def test_an_honest_raw_file_is_read(raw):
    """So that the refusals below are refused for what they say."""
    assert read_tensors(raw({"a": told()}, bytes(8))).arrays["a"].shape == (2,)


LIES = [
    ({"a": told(at=(0, 8)), "b": told(at=(4, 12))}, bytes(12), "overlaps"),
    ({"a": told(at=(0, 8)), "b": told(at=(0, 8))}, bytes(8), "overlaps"),
    ({"a": told(at=(0, 8)), "b": told(at=(12, 20))}, bytes(20), "leaves a gap"),
    ({"a": told(at=(4, 12))}, bytes(12), "leaves a gap"),
    ({"a": told(at=(-8, 0))}, bytes(8), "leaves a gap"),
    ({"a": told(at=(8, 0))}, bytes(8), "leaves a gap"),
    ({"a": told(at=(0, -8))}, bytes(8), "has"),
    ({"a": told(at=(0, 8.0))}, bytes(8), "leaves a gap"),
    ({"a": told(at=(False, 8))}, bytes(8), "leaves a gap"),
    ({"a": told(at=("0", "8"))}, bytes(8), "leaves a gap"),
    ({"a": told(at=(0,))}, bytes(8), "x.safetensors is no safetensors file"),
    ({"a": told(at=(0, 8, 8))}, bytes(8), "x.safetensors is no safetensors file"),
    ({"a": told()}, bytes(7), "has 7 bytes, its shape asks for 8"),
    ({"a": told()}, bytes(9), "1 bytes follow the last tensor"),
    ({"a": told((3,))}, bytes(8), "its shape asks for 12"),
    ({"a": told((2**62, 2))}, bytes(8), "its shape asks for"),
    ({"a": told((2**63, 0), at=(0, 0))}, b"", "x.safetensors is no safetensors file"),
    ({"a": told((-1, -2))}, bytes(8), "has no shape"),
    ({"a": told((2.0,))}, bytes(8), "has no shape"),
    ({"a": told((True, 2))}, bytes(8), "has no shape"),
    ({"a": told((1,) * 9 + (2,))}, bytes(8), "has no shape"),
    ({"a": told("2")}, bytes(8), "has no shape"),
    ({"a": {**told(), "shape": 2}}, bytes(8), "x.safetensors is no safetensors file"),
    ({"a": {**told(), "more": 1}}, bytes(8), "unknown type or form"),
    ({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8), "unknown type or form"),
    ({"a": told(dtype="O")}, bytes(8), "unknown type or form"),
    ({"a": told(dtype="F8_E4M3", at=(0, 2))}, bytes(2), "unknown type or form"),
    ({"a": told(dtype=["F32"])}, bytes(8), "x.safetensors is no safetensors file"),
    ({"a" * 301: told()}, bytes(8), "unknown type or form"),
    ({"a": told(dtype="BOOL", at=(0, 2))}, b"\x00\x02", "is not binary"),
    ({"a": told(dtype="BOOL", at=(0, 2))}, b"\x01\xff", "is not binary"),
    ({"a": None}, b"", "x.safetensors is no safetensors file"),
    ({"a": [0, 8]}, bytes(8), "x.safetensors is no safetensors file"),
    ([], b"", "x.safetensors is no safetensors file"),
    (None, b"", "x.safetensors is no safetensors file"),
    ({"__metadata__": {"a": 1}}, b"", "its metadata are not texts"),
    ({"__metadata__": {"a": {}}}, b"", "its metadata are not texts"),
    ({"__metadata__": []}, b"", "x.safetensors is no safetensors file"),
    ({"__metadata__": "x"}, b"", "x.safetensors is no safetensors file"),
    (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":1}', bytes(8), "a name stands there twice"),
    (b'{"a":{"dtype":"F32","dtype":"F64","shape":[2],"data_offsets":[0,8]}}', bytes(8), "stands there twice"),
    (b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', bytes(8), "NaN is not JSON"),
    (b'{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', bytes(8), "has no shape"),
    (b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,8]}}', bytes(8), "no safetensors"),
    (b"{", b"", "x.safetensors is no safetensors file"),
    (b"", b"", "x.safetensors is no safetensors file"),
    (b"\xff\xfe", b"", "x.safetensors is no safetensors file"),
    (b"[" * 200_000, b"", "x.safetensors is no safetensors file"),
    (b'{"a":' * 100_000, b"", "x.safetensors is no safetensors file"),
]


@pytest.mark.parametrize(("header", "content", "said"), LIES, ids=range(len(LIES)))
def test_a_header_that_lies_is_refused(raw, header, content, said):
    with pytest.raises(SubmissionError) as caught:
        read_tensors(raw(header, content))
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("length", [3, 2**31, 2**63, 2**64 - 1])
def test_a_header_of_another_length_is_refused(raw, length):
    with pytest.raises(SubmissionError, match="no safetensors file"):
        read_tensors(raw({"a": told()}, bytes(8), length=length))


@pytest.mark.parametrize("size", range(16))
def test_a_file_that_is_cut_off_is_refused(raw, size):
    path = raw({"a": told()}, bytes(8))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(SubmissionError):
        read_tensors(path)


def test_every_byte_of_the_header_counts(raw):
    """Turned around bit by bit, it is refused or reads something of the same bytes; nothing else happens."""
    data = raw({"a": told(), "__metadata__": {"b": "c"}}, bytes(range(8))).read_bytes()
    path = raw({})
    for place in range((len(data) - 8) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            found = read_tensors(path)
        except SubmissionError:
            continue
        assert b"".join(each.tobytes() for each in found.arrays.values()) == bytes(range(8))


def test_caps(raw, tmp_path, monkeypatch):
    path = raw({f"t{number}": told((0,), at=(0, 0)) for number in range(5)})
    assert len(read_tensors(path).arrays) == 5
    monkeypatch.setattr(reading, "MOST_TENSORS", 4)
    with pytest.raises(SubmissionError, match="it has 5 tensors"):
        read_tensors(path)
    monkeypatch.setattr(reading, "LARGEST", 10)
    with pytest.raises(SubmissionError, match="is larger than 10 bytes"):
        read_tensors(path)
    monkeypatch.undo()
    monkeypatch.setattr(reading, "LARGEST_HEADER", 10)
    with pytest.raises(SubmissionError, match="its header would have"):
        read_tensors(path)
    with path.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(SubmissionError, match="is larger than"):
        read_tensors(path)


def test_links_folders_and_nothing_are_refused(raw, tmp_path):
    path = raw({"a": told()}, bytes(8))
    (tmp_path / "link").symlink_to(path)
    for name in ("link", ".", "nothing", "/dev/zero"):
        with pytest.raises(SubmissionError, match="is no plain file"):
            read_tensors(tmp_path / name)


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(SubmissionError, match="no safetensors file"):
        read_tensors(path)
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(SubmissionError, match="no safetensors file"):
        read_tensors(path)


def test_numbers_that_are_not_finite_are_read(raw):
    """Whether they may be is the checks' to say."""
    found = read_tensors(raw({"a": told()}, np.array([math.nan, math.inf], "<f4").tobytes()))
    assert np.isnan(found.arrays["a"][0])


def test_only_a_record_that_masks_nothing_may_have_no_mask(filled):
    store, plan = filled
    dense, ticket, *_ = (store.folder(unit) for unit in plan.units.values())
    assert not (dense / "mask.safetensors").exists()
    assert read_mask(dense) == {}
    assert read_mask(ticket).keys() == {"a.weight", "b.weight"}
    (ticket / "mask.safetensors").unlink()
    (dense / "record.json").unlink()
    for folder in (ticket, dense):
        with pytest.raises(SubmissionError, match=r"mask\.safetensors is no plain file"):
            read_mask(folder)
