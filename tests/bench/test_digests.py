import hashlib

import numpy as np
import pytest

from bench.digests import canonical_json, file_digest, json_digest, tensors_digest


def test_canonical_json_is_one_text_for_one_value():
    assert (
        canonical_json({"b": [1, 2.5], "a": "ü"})
        == canonical_json({"a": "ü", "b": [1, 2.5]})
        == '{"a":"ü","b":[1,2.5]}'
    )


def test_digests_are_the_sha256_of_what_they_say():
    assert json_digest({"b": 1, "a": "ü"}) == hashlib.sha256('{"a":"ü","b":1}'.encode()).hexdigest()
    arrays = {"b": np.array([True, False]), "a": np.arange(6, dtype="<f4").reshape(2, 3)}
    parts = b'["a","<f4",[2,3]]', arrays["a"].tobytes(), b'["b","|b1",[2]]', b"\x01\x00"
    assert tensors_digest(arrays) == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_digest_of_no_number_is_refused(number):
    with pytest.raises(ValueError):
        json_digest({"a": number})


def test_tensors_are_hashed_by_content_and_not_by_order():
    one = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True])}
    assert tensors_digest(one) == tensors_digest(dict(reversed(one.items())))


@pytest.mark.parametrize(
    "other",
    [
        {"b": np.zeros((2, 3))},
        {"a": np.zeros((3, 2))},
        {"a": np.zeros((2, 3), np.float32)},
        {"a": np.full((2, 3), -0.0)},
        {"a": np.zeros((2, 3)), "b": np.zeros(0)},
    ],
    ids=["name", "shape", "type", "sign of zero", "one more"],
)
def test_whatever_differs_has_another_digest(other):
    assert tensors_digest(other) != tensors_digest({"a": np.zeros((2, 3))})


def test_memory_layout_does_not_matter():
    array = np.arange(6.0).reshape(2, 3)
    assert tensors_digest({"a": array.T}) == tensors_digest({"a": np.ascontiguousarray(array.T)})
    assert tensors_digest({"a": np.ones(())}) != tensors_digest({"a": np.ones(1)})


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"ticket")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"ticket").hexdigest()
