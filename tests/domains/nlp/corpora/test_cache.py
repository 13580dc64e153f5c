"""What is cached is made once, and never trusted when it is damaged."""

import pytest

from domains.nlp.corpora.cache import cached


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ticketbench" / "nlp"


class Maker:
    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return b"content"


def test_content_is_made_once(place):
    make = Maker()
    assert [cached("a", make), cached("a", make)] == [b"content"] * 2
    assert make.made == 1
    assert [path.name for path in place.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "damage", [lambda old: old[:-1], lambda old: old[:-1] + b"X", lambda _: b"", lambda old: old + b"X"]
)
def test_a_damaged_file_is_made_again(place, damage):
    make = Maker()
    cached("a", make)
    whole = (place / "a").read_bytes()
    (place / "a").write_bytes(damage(whole))
    assert cached("a", make) == b"content"
    assert make.made == 2
    assert (place / "a").read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = Maker()
    assert [cached("a", make), cached("a", make)] == [b"content"] * 2
    assert make.made == 2


def test_a_full_disk_leaves_nothing_behind(place, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert cached("a", Maker()) == b"content"
    assert list(place.iterdir()) == []


def test_nothing_is_kept_of_what_failed(place):
    def fail():
        raise ValueError("no content")

    with pytest.raises(ValueError, match="no content"):
        cached("a", fail)
    assert not place.exists()
