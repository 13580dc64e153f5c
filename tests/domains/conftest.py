"""What the tests of all domains need."""

import importlib
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory):
    """A cache that no earlier run has filled, and no data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("TICKETBENCH_DATA", raising=False)
        yield


@pytest.fixture
def write_code(tmp_path, monkeypatch):
    """Writes a Python file of a user's into a folder of `sys.path`; what was imported of it is forgotten afterwards."""
    names = []
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        names.append(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        forget(names[-1])
        return path

    def forget(module):
        sys.modules.pop(module, None)
        importlib.invalidate_caches()

    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions of a second would share it
    yield write
    for module in names:
        forget(module)
