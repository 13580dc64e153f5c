"""Plain text as users have it: what is wrong is said with file and line."""

import pytest

from bench.errors import DataError
from domains.nlp.corpora.lines import files, read, read_pair


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\n\nthree\n", ["one", "", "three"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
        (b"one\r\ntwo\r\n", ["one\r", "two\r"]),
    ],
)
def test_only_a_line_feed_ends_a_line(write, content, lines):
    assert read(write("train.en", content)).lines == lines


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\t\n"])
def test_an_empty_file_is_named(write, content):
    path = write("valid.en", content)
    with pytest.raises(DataError, match="valid.en is empty: at least one line is needed") as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good\nb\xe4d\ngood\n", "line 2: byte 0xe4 is not UTF-8"),
        (b"\xff", "line 1: byte 0xff is not UTF-8"),
        (b"one\ntwo\ncut \xc3", "line 3: byte 0xc3 is not UTF-8"),
    ],
)
def test_what_is_not_utf8_is_named_with_its_line(write, content, said):
    with pytest.raises(DataError, match=f"train.de, {said}"):
        read(write("train.de", content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="test.en: No such file or directory; a split is one text file per language"):
        read(tmp_path / "test.en")
    (tmp_path / "train.en").mkdir()
    with pytest.raises(DataError, match="train.en: Is a directory"):
        read(tmp_path / "train.en")


def test_different_line_counts_are_named_with_the_first_line_that_is_alone(write):
    sides = write("train.en", b"1\n2\n3\n"), write("train.de", b"1\n2\n")
    with pytest.raises(DataError, match=r"train.en has 3 lines, .*train.de has 2: line 3 has no counterpart"):
        read_pair(*sides)
    with pytest.raises(DataError, match=r"train.de has 2 lines, .*train.en has 3: line 3 has no counterpart"):
        read_pair(*reversed(sides))


@pytest.mark.parametrize("name", ["valid", "val", "dev"])
def test_a_validation_split_has_several_names(tmp_path, name):
    (tmp_path / f"{name}.de").touch()
    assert files(tmp_path, ("en", "de"))["val"] == (tmp_path / f"{name}.en", tmp_path / f"{name}.de")


def test_the_first_name_stands_for_files_that_are_not_there(tmp_path):
    assert files(tmp_path, ("en", "de"))["val"] == (tmp_path / "valid.en", tmp_path / "valid.de")
