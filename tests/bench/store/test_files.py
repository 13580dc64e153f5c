"""Files are replaced whole, by whoever is last: process ids of containers are no names."""

import os

import pytest

from bench.store import files


def test_two_processes_of_the_same_id_replace_a_file(tmp_path, monkeypatch):
    path, write = tmp_path / "store.json", files.write

    def write_while_another_does(draft, text):
        write(draft, text)
        monkeypatch.setattr(files, "write", write)
        files.replace(path, "the other's")

    monkeypatch.setattr(files, "write", write_while_another_does)
    files.replace(path, "ours")
    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_of_the_same_id_draft_a_file(tmp_path):
    path = tmp_path / "table.csv"
    with files.drafted(path) as ours:
        ours.write_text("ours")
        with files.drafted(path) as theirs:
            theirs.write_text("the other's")
    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """A folder of somebody else's may hold one, where an archive may not."""
    os.mkfifo(tmp_path / "store.json")
    with pytest.raises(ValueError, match="no plain file"):
        files.read(tmp_path / "store.json")
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "nothing.json")
