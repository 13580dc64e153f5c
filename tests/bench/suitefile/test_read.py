"""Suites are read from TOML, and what is wrong with one is told with file, line and key."""

from pathlib import Path

import pytest

from bench import suitefile
from bench.errors import SpecError, UnknownName

HEAD = 'title = "t"\n\n[[task]]\n'
GOOD = 'name = "toy/chain"\nscale = "smoke"\nmethods = ["ticket"]\nlevels = [1]\nseeds = [0]\n'


def read(text, toys=None):
    return suitefile.parse(text, name="mine", file="mine.toml", folder=Path())


def test_a_suite_is_read(toys):
    suite = read(HEAD + GOOD + "\n[[task]]\n" + GOOD.replace("toy/chain", "toy/still").replace("[1]", '"0-2,5"'))
    assert (suite.name, suite.title) == ("mine", "t")
    assert [entry.task.key for entry in suite.entries] == ["toy/chain@smoke", "toy/still@smoke"]
    assert suite.entries[1].levels == (0, 1, 2, 5)
    assert [method.name for method in suite.entries[0].methods] == ["ticket"]


@pytest.mark.parametrize(
    ("value", "meant"),
    [("0-3", (0, 1, 2, 3)), ("1,3,5-6", (1, 3, 5, 6)), (" 2 , 1 ", (1, 2)), ([4, 0, 4], (0, 4)), ("7", (7,))],
)
def test_numbers(value, meant):
    assert suitefile.numbers(value) == meant


@pytest.mark.parametrize(
    "value", ["", "3-1", "a", "1-", "-1", "1,,2", [], [1.5], [True], [-1], 3, None, "0-99999", [10_000]]
)
def test_what_is_not_a_choice_of_numbers_is_refused(value):
    with pytest.raises(SpecError, match="not a choice of numbers"):
        suitefile.numbers(value)


def test_all_is_every_method_that_the_task_supports(toys):
    suite = read(HEAD + GOOD.replace("toy/chain", "toy/picky").replace('["ticket"]', '"all"'))
    names = {method.name for method in suite.entries[0].methods}
    assert {"dense", "random-ticket", "synflow"} <= names
    assert not {"ticket", "reinit", "shuffled", "snip"} & names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = \n", "mine.toml:1: not TOML: Invalid value"),
        (HEAD + GOOD + "seeds = [1]\n", "mine.toml:9: not TOML: Cannot overwrite a value"),
        ('titel = "t"\n' + HEAD[12:] + GOOD, "mine.toml:1: titel: unknown key 'titel': did you mean 'title'"),
        ('title = "t"\n', "mine.toml:1: task: write at least one"),
        ("title = 3\n" + HEAD[12:] + GOOD, "mine.toml:1: title: is 3: write a text"),
        (HEAD + GOOD + "sede = 1\n", "mine.toml:9: sede: unknown key 'sede': did you mean 'seeds'"),
        (HEAD + GOOD + "\n[options]\na = 1\n", "mine.toml:10: options: unknown key 'options'"),
        (HEAD + GOOD.replace("seeds = [0]\n", ""), "mine.toml:3: seeds: is missing"),
        (HEAD + GOOD.replace("toy/chain", "toy/chian"), "mine.toml:4: name: unknown task 'toy/chian': did you mean"),
        (HEAD + GOOD.replace("smoke", "smok"), "mine.toml:5: scale: unknown scale of toy/chain 'smok': did you mean"),
        (HEAD + GOOD.replace("[1]", '"x"'), "mine.toml:7: levels: 'x' is not a choice"),
        (HEAD + GOOD.replace("[0]", "true"), "mine.toml:8: seeds: True is not a choice"),
        (HEAD + GOOD.replace('["ticket"]', '["tickt"]'), "mine.toml:6: methods: unknown method 'tickt': did you mean"),
        (HEAD + GOOD.replace('["ticket"]', '"some"'), "mine.toml:6: methods: 'some' is no choice"),
        (HEAD + GOOD.replace('"toy/chain"', "1"), "mine.toml:4: name: is 1: write a text"),
        (HEAD + GOOD.replace("[1]", "[0]"), "mine.toml:7: levels: 0 is the dense network's level, so that no unit is"),
        (
            HEAD + GOOD.replace("[1]", "[]").replace("ticket", "dense"),
            "mine.toml:7: levels: [] is no level: a block of dense alone writes levels = [0]",
        ),
        (HEAD + GOOD.replace("[1]", "[]"), "mine.toml:7: levels: [] is not a choice of numbers"),
        (HEAD + GOOD + "[[task]]\n" + GOOD.replace("[1]", "[-1]"), "mine.toml:13: levels: [-1] is not a choice"),
    ],
)
def test_errors_name_file_line_and_key(toys, text, said):
    with pytest.raises(SpecError) as error:
        read(text)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_what_python_cannot_read_is_told_too(toys):
    for value in ("[" * 5_000 + "]" * 5_000, "{a=" * 5_000 + "1" + "}" * 5_000):
        with pytest.raises(
            SpecError, match=r"^mine.toml: lists or tables are too deep inside each other: write them flat$"
        ):
            read(f"title = {value}")
    with pytest.raises(SpecError, match=r"^mine.toml: a number has thousands of digits: write it shorter$"):
        read(HEAD + GOOD.replace("[0]", f"[{'1' * 5_000}]"))


def test_a_suite_in_a_file(toys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(HEAD + GOOD)
    assert suitefile.load_suite(str(path)).name == "own"
    path.write_text(HEAD + GOOD + "x = 1\n")
    with pytest.raises(SpecError, match=r"own.toml:9: x: unknown key"):
        suitefile.load_suite(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="cannot be read"):
        suitefile.load_suite(str(path))


def test_level_0_is_enough_for_dense(toys):
    suite = read(HEAD + GOOD.replace("[1]", "[0]").replace('"ticket"', '"ticket", "dense"'))
    assert suite.entries[0].levels == (0,)


def test_the_mark_that_windows_writes_before_a_text_is_no_part_of_it(toys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(HEAD + GOOD, encoding="utf-8-sig")
    assert suitefile.load_suite(str(path)).title == "t"


def test_a_suite_that_does_not_exist(tmp_path):
    with pytest.raises(UnknownName, match="unknown suite 'quik': did you mean 'quick'"):
        suitefile.load_suite("quik")
    with pytest.raises(SpecError, match=r"no file .*none.toml"):
        suitefile.load_suite(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("name", suitefile.names())
def test_the_suites_that_come_along_are_right(name):
    suite = suitefile.load_suite(name)
    assert suite.title
    assert suite.entries


def test_the_main_suites_exist():
    assert {"smoke", "quick", "lth-mnist"} <= set(suitefile.names())
