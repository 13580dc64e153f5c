"""Code that a task of a user's own names is imported only as the file that the task was made with."""

import sys

import pytest

from bench.code import pinned
from bench.errors import DataError, SpecError

LOUD = "import pathlib\npathlib.Path({mark!r}).touch()\ndef one():\n    return 1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of `sys.path` whose modules are forgotten afterwards, and the mark that they leave when they are imported."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for module in set(sys.modules) - before:
        del sys.modules[module]


@pytest.fixture
def mark(folder):
    return folder / "was imported"


def test_a_digest_is_the_files_and_nothing_is_imported_for_it(folder, mark):
    text = LOUD.format(mark=str(mark))
    (folder / "loud.py").write_text(text)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "__init__.py").write_text(text)
    (folder / "bundle" / "inner.py").write_text(text)
    found = pinned.digests("loud:one", "loud:two", "mnist", "bundle:Env-v0", "bundle.inner:one")
    assert found.keys() == {"loud", "bundle", "bundle.inner"}
    (folder / "loud.py").write_text(f"import beside\n{text}")
    (folder / "beside.py").write_text("")
    imports = pinned.digests("loud:one")
    assert imports["loud"] != found["loud"]
    (folder / "beside.py").write_text("edited = 1")
    assert pinned.digests("loud:one") != imports
    (folder / "bundle" / "inner.py").write_text("")
    assert pinned.digests("bundle:Env-v0") != {"bundle": found["bundle"]}
    assert not mark.exists()


def test_a_module_is_imported_as_what_it_was_when_the_task_was_made(folder, mark):
    file = folder / "loud.py"
    file.write_text(LOUD.format(mark=str(mark)))
    known = pinned.digests("loud:one")
    file.write_text(file.read_text() + "# edited\n")
    with pytest.raises(DataError, match=r"loud.py is not what the task was made with.*restore it"):
        pinned.load("loud:one", known)
    assert not mark.exists()
    assert pinned.called("loud:one", pinned.digests("loud:one")) == 1
    assert mark.exists()


@pytest.mark.parametrize("name", ["loud:one", "os:system", "bundle.inner:one"])
def test_a_name_alone_imports_nothing(folder, mark, name):
    (folder / "loud.py").write_text(LOUD.format(mark=str(mark)))
    (folder / "bundle").mkdir()
    (folder / "bundle" / "__init__.py").write_text(LOUD.format(mark=str(mark)))
    with pytest.raises(SpecError, match=f"{name!r} names code without the sha256"):
        pinned.called(name, {"another": "0" * 64})
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["nosuch:one", "sys:exit", "bundle.nosuch:one", ":one", "json.decoder.nosuch:x", "a..b:c"]
)
def test_what_has_no_file_has_no_digest(folder, name):
    (folder / "bundle").mkdir()
    with pytest.raises(SpecError, match=r"is no Python file in any folder of sys.path"):
        pinned.digests(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "raise ZeroDivisionError('no\\nground')",
            r"spoilt.py:1: ZeroDivisionError: no ground$",
        ),
        ("import sys; sys.exit(3)", r"spoilt.py:1: SystemExit: 3"),
        ("def one(:\n", r"spoilt.py:1: not Python: invalid syntax"),
        ("two = 2", r"spoilt.py has no function 'one'"),
        ("one = 2", r"spoilt.py has no function 'one'"),
        ("def one(n):\n    return n", r"spoilt.py: TypeError: one\(\) missing 1 required positional argument"),
    ],
)
def test_what_is_broken_is_told_in_one_line(folder, text, message):
    (folder / "spoilt.py").write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        pinned.called("spoilt:one", pinned.digests("spoilt:one"))
    assert "\n" not in str(caught.value)


def test_a_file_in_the_place_of_a_module_is_told_what_to_write():
    with pytest.raises(SpecError, match=r"'mine\.py:data' names a file: write the module, 'mine:data'"):
        pinned.digests("mine.py:data")
    with pytest.raises(SpecError, match=r"'json\.decoder\.re' is no Python file"):
        pinned.digests("json.decoder.re:data")
