"""One folder for all that is kept between runs."""

from pathlib import Path

import pytest

from bench import cache
from domains.nlp.corpora.cache import cached as cached_bytes
from domains.vision.datasets.cache import cached


def test_it_is_where_users_have_their_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert cache.folder("vision") == tmp_path / "own/ticketbench/vision"
    assert cache.folder() == tmp_path / "own/ticketbench"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder("vision") == tmp_path / ".cache/ticketbench/vision"


def test_without_a_home_everything_is_made_anew(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(OSError, match="Not a directory"):
        cache.folder("vision").mkdir(parents=True)
    made = []
    for _ in range(2):
        assert cached("key", lambda: made.append(1) or {}) == {}
        assert cached_bytes("key", lambda: made.append(1) or b"x") == b"x"
    assert len(made) == 4
