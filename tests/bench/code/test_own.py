"""Files of the user's own: imported by their names, told with file and line if they are wrong, and never in anybody's way."""

import re
import sys
from hashlib import sha256

import pytest

from bench.code import own
from bench.errors import SpecError, UnknownName


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def test_an_object_of_a_file_is_found_under_the_name_that_workers_import_it_by(brings):
    folder = brings(mine="def thing(): ...\nother = 3\n")
    thing, file = own.load("mine.py:thing", folder)
    assert (thing.__module__, file) == ("mine", folder / "mine.py")
    assert own.load(f"{folder}/mine.py:other", folder.parent)[0] == 3
    assert own.folders() == (str(folder),)
    assert sys.path[-1] == str(folder), "behind all that is installed"


def test_a_path_starts_at_the_folder_that_is_given(brings, monkeypatch):
    folder = brings(mine="thing = 1\n")
    (folder / "suites").mkdir()
    monkeypatch.chdir("/")
    assert own.load("../mine.py:thing", folder / "suites") == (1, folder / "mine.py")


def test_only_a_python_file_with_a_name_in_it_is_an_own_object():
    assert own.is_own("mine.py:method")
    assert own.is_own("../a b/mine.py:method")
    assert not any(map(own.is_own, ("os:system", "mine.py", "mine.py:", "ticket", "mine.py:a.b", "mine.pyc:a")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thing = (\n", "mine.py:1: not Python: '(' was never closed"),
        ("a = 1\nimport no_such_module\n", "mine.py:2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("\n\nraise ValueError('two\\nlines')\n", "mine.py:3: ValueError: two lines"),
        ("import sys\nsys.exit('bye')\n", "mine.py:2: SystemExit: bye"),
        ("from bench import registry\nregistry.method('tickt')\n", "mine.py:2: unknown method 'tickt': did you mean"),
        ("\x00", "null bytes"),
        ("thng = 1\n", "unknown name of"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_a_line(brings, text, said):
    folder = brings(mine=text)
    with pytest.raises((SpecError, UnknownName)) as error:
        own.load("mine.py:thing", folder)
    assert said in str(error.value)
    assert str(folder / "mine.py") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_function_below_the_line_that_names_it_is_told_where_to_stand(brings):
    """Python would speak of a partially initialised module and of a circular import."""
    line = "from bench.tickets.methods import define\nthing = define('a', 'mine:moved', 'fresh', 'full', '')\n"
    folder = brings(mine=line + "def moved(inputs): ...\n")
    with pytest.raises(SpecError) as error:
        own.load("mine.py:thing", folder)
    assert str(error.value) == (
        f"{folder}/mine.py:2: method column 'mine:moved' is not there yet: Python reads a file from above, so put 'moved', a "
        "function too, above the line that names it, or mend the name"
    )
    mended = brings(mended="def moved(inputs): ...\n" + line.replace("mine:", "mended:"))
    assert own.load("mended.py:thing", mended)[0].mask == "mended:moved"


def test_a_name_that_a_finished_file_does_not_have_is_not_called_late(brings):
    folder = brings(
        other="", mine="from bench.tickets.methods import define\ndefine('a', 'other:x', 'fresh', 'full', '')\n"
    )
    with pytest.raises(
        SpecError, match=r"mine.py:2: method column 'other:x' cannot be imported .* has no attribute 'x'"
    ):
        own.load("mine.py:thing", folder)


def test_the_line_is_that_of_the_users_file_and_not_of_what_it_calls(brings):
    folder = brings(mine="import other\n", other="\nimport json\njson.loads('{')\n")
    with pytest.raises(SpecError, match=re.escape(f"{folder}/other.py:3: JSONDecodeError: ")):
        own.load("mine.py:thing", folder)


@pytest.mark.parametrize("name", ["random", "torch", "bench", "sys"])
def test_a_file_never_takes_the_place_of_a_module(brings, name):
    folder = brings(**{name: "thing = 1\n"})
    with pytest.raises(SpecError, match=f"{name}.py has the name of another module, .*: call it otherwise"):
        own.load(f"{name}.py:thing", folder)


def test_files_beside_it_change_the_meaning_of_nothing_that_is_installed(brings):
    folder = brings(mine="import colorsys\nthing = colorsys\n", colorsys="raise RuntimeError\n")
    sys.modules.pop("colorsys", None)
    assert "own" not in own.load("mine.py:thing", folder)[0].__file__


def test_of_two_files_of_one_name_the_second_is_refused(brings, tmp_path):
    folder = brings(mine="thing = 1\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.py").write_text("thing = 2\n")
    assert own.load("mine.py:thing", folder)[0] == 1
    with pytest.raises(SpecError, match=r"elsewhere/mine.py has the name of another module, .*own/mine.py"):
        own.load("mine.py:thing", tmp_path / "elsewhere")


def test_a_file_that_is_not_there_or_has_no_name_of_a_module(brings):
    folder = brings(**{"my-own": "thing = 1\n"})
    with pytest.raises(SpecError, match=r"no file .*none.py: a path starts at the suite"):
        own.load("none.py:thing", folder)
    with pytest.raises(SpecError, match=r"my-own.py cannot be imported by that name: call it by letters, digits and _"):
        own.load("my-own.py:thing", folder)


def test_digests_are_of_the_file_and_of_all_beside_it_that_it_imports_or_names(brings):
    folder = brings(
        mine="import json, other\nfrom package import part\nCOLUMN = 'named:function'\n",
        other="def late():\n    import deep\n",
        deep="", named="", package="", stranger="", json="",
    )  # fmt: skip
    (folder / "package.py").unlink()
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "part.py").write_text("from . import sister\n")
    (folder / "package" / "sister.py").write_text("")
    (folder / "package" / "unused.py").write_text("")
    own.load("mine.py:COLUMN", folder)
    inside = ["mine", "other", "deep", "named", "package/__init__", "package/part", "package/sister"]
    found = own.digests(folder / "mine.py")
    assert found == {f"{name}.py": digest(folder / f"{name}.py") for name in inside}
    assert list(found) == sorted(found)


def test_a_file_that_was_edited_is_read_again_with_what_it_imports(brings):
    folder = brings(mine="import other\nthing = other.number\n", other="number = 1\n")
    assert own.load("mine.py:thing", folder)[0] == 1
    before = own.digests(folder / "mine.py")
    brings(other="number = 1000\n")
    assert own.load("mine.py:thing", folder)[0] == 1000
    assert own.digests(folder / "mine.py") != before
    assert own.files() == {folder / name: told for name, told in own.digests(folder / "mine.py").items()}


def test_a_worker_refuses_another_file_than_the_one_that_was_planned_with(brings):
    folder = brings(mine="thing = 1\n")
    own.load("mine.py:thing", folder)
    told = own.digests(folder / "mine.py")
    own.check(told)
    brings(mine="thing = 20\n")
    with pytest.raises(SpecError, match=r"own/mine.py is another file now than the one that was planned with"):
        own.check(told)
    (folder / "mine.py").unlink()
    with pytest.raises(SpecError, match="there is no mine.py here"):
        own.check(told)
