import gzip
import struct

import numpy as np
import pytest

from bench.errors import DataError
from domains.vision.datasets import idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
HEADER = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train-images-idx3-ubyte.gz"


def refusal(path, dimensions=3):
    """The one line that names the file and says what to do."""
    with pytest.raises(DataError) as caught:
        idx.read_idx(path, dimensions)
    message = str(caught.value)
    assert str(path) in message
    assert "replace it" in message
    assert "\n" not in message
    return message


def test_the_array_is_read_as_it_was_written(path):
    path.write_bytes(gzip.compress(HEADER + IMAGES.tobytes()))
    array = idx.read_idx(path, 3)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize("kept", [0, 5, 15, 30])
def test_a_truncated_gzip_is_refused(path, kept):
    whole = gzip.compress(HEADER + IMAGES.tobytes())
    assert kept < len(whole)
    path.write_bytes(whole[:kept])
    refusal(path)


def test_a_gzip_cut_inside_its_checksum_is_refused(path):
    path.write_bytes(gzip.compress(HEADER + IMAGES.tobytes())[:-3])
    refusal(path)


def test_a_flipped_bit_is_refused(path):
    whole = bytearray(gzip.compress(HEADER + IMAGES.tobytes(), compresslevel=0))
    whole[-12] ^= 1
    path.write_bytes(whole)
    assert "CRC" in refusal(path)


def test_a_file_that_is_no_gzip_is_refused(path):
    path.write_bytes(HEADER + IMAGES.tobytes())
    refusal(path)


def test_a_missing_file_is_refused(path):
    refusal(path)


def test_labels_in_place_of_images_are_refused(path):
    labels = bytes((0, 0, 8, 1)) + struct.pack(">I", 20) + bytes(20)
    path.write_bytes(gzip.compress(labels))
    assert "00000801, not with 00000803" in refusal(path)


def test_another_element_type_is_refused(path):
    path.write_bytes(gzip.compress(bytes((0, 0, 0x0D, 3)) + HEADER[4:] + IMAGES.tobytes()))
    assert "00000d03" in refusal(path)


@pytest.mark.parametrize("length", [2, 6, 15])
def test_a_header_that_ends_early_is_refused(path, length):
    path.write_bytes(gzip.compress(HEADER[:length]))
    refusal(path)


@pytest.mark.parametrize(("content", "found"), [(bytes(23), "holds 23"), (bytes(25), "holds more")])
def test_content_of_another_length_is_refused(path, content, found):
    path.write_bytes(gzip.compress(HEADER + content))
    message = refusal(path)
    assert "promises 24 bytes" in message
    assert found in message


def test_a_header_that_asks_for_the_world_is_refused_unread(path):
    hostile = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1)
    path.write_bytes(gzip.compress(hostile + bytes(100)))
    assert "asks for" in refusal(path)
