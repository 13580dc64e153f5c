"""What the tests of all domains need."""

import importlib
import sys
import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory):
    """A cache that no earlier run has filled, and no data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("TICKETBENCH_DATA", raising=False)
        yield


@pytest.fixture(scope="session")
def litter(tmp_path_factory):
    """The temporary folder of this process."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("litter")
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def leaves_no_litter(litter):
    """No task leaves anything in the temporary folder: a library did once for each agent, until the disk was full."""
    before = set(litter.iterdir())
    yield
    left = {path.name for path in set(litter.iterdir()) - before if not path.name.startswith("torchinductor_")}
    assert left == set(), "but for torch's cache: one for each user"


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
