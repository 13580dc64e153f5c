"""The mutants are those of the list, and the runner tells the survivors from the killed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mutation.mutants import mutants

RUN = Path(__file__).with_name("run.py")
ROOT = RUN.parents[2]


def changes(source):
    return {f"{mutant.before} -> {mutant.after}" for mutant in mutants(source)}


@pytest.mark.parametrize(("source", "expected"), [
    ("a < b", {"a < b -> a <= b", "a < b -> a >= b"}),
    ("a <= b < c", {"a <= b < c -> a < b < c", "a <= b < c -> a > b < c", "a <= b < c -> a <= b <= c", "a <= b < c -> a <= b >= c"}),
    ("a is not None", {"a is not None -> a is None"}),
    ("a and b", {"a and b -> a or b", "a and b -> a", "a and b -> b"}),
    ("not a", {"not a -> a"}),
    ("a + b", {"a + b -> a - b"}),
    ("a if b else c", {"a if b else c -> a", "a if b else c -> c"}),
    ("3", {"3 -> 4", "3 -> 2"}),
    ("0.5", {"0.5 -> 1.5", "0.5 -> 1.0", "0.5 -> 0.0"}),
    ("True", {"True -> False"}),
    ("a['key']", {"'key' -> 'key_mutant'"}),
    ("a['a whole sentence']", set()),
    ("a in ('b c', 'c d')", {"a in ('b c', 'c d') -> a not in ('b c', 'c d')"}),
    ("f(a, b)", {"f(a, b) -> f(b, a)"}),
    ("f(a, b=c)", {"f(a, b=c) -> f(a)"}),
    ("a.detach()", {"a.detach() -> a"}),
    ("a.cpu()", set()),
    ("zip(a, strict=True)", set()),
    ("min(a, b)", {"min(a, b) -> max(a, b)"}),
    ("abs(a)", {"abs(a) -> a"}),
    ("sorted(a)", {"sorted(a) -> a", "sorted(a) -> sorted(a)[::-1]"}),
    ("a[:b]", {":b -> :b + 1", ":b -> :b - 1"}),
    ("[a for a in b if c]", {" for a in b if c ->  for a in b"}),
    ("{**a, **b}", {"{**a, **b} -> {**b, **a}"}),
    ("('x y', 'y z')", {"('x y', 'y z') -> ('y z', 'x y')"}),
])  # fmt: skip
def test_an_expression_has_the_mutants_of_its_kind(source, expected):
    assert changes(f"x = {source}") == expected


@pytest.mark.parametrize(("source", "expected"), [
    ("f()", {"f() -> pass"}),
    ("a.b = c", {"a.b = c -> pass"}),
    ("a += b", {"a += b -> pass", "a += b -> a -= b"}),
    ("def f():\n    return a", {"return a -> return None"}),
    ("def f(a=True):\n    pass", {"True -> False"}),
    ("@a\ndef f():\n    pass", {"@a -> def f():"}),
    ("while a:\n    break", {"break -> continue", "while a: -> while False:"}),
    ("with a:\n    pass", {"with a: -> if True:"}),
    ("if a:\n    pass", {"if a: -> if True:", "if a: -> if False:"}),
])  # fmt: skip
def test_a_statement_has_the_mutants_of_its_kind(source, expected):
    assert expected <= changes(source)


@pytest.mark.parametrize("source", [
    '"""docstring"""', "__all__ = ['a', 'b']", "import a.b", "def f(a: 'int') -> 'str':\n    pass",
    "raise ValueError('text') from b", "raise ValueError(f'{a}text')", "a: 'int'",
    "A = Literal['a', 'b']", "A = TypeVar('A', B, C)",
])  # fmt: skip
def test_prose_is_never_edited(source):
    assert changes(source) == set()


def test_every_mutant_is_another_program_with_one_edit():
    source = Path(__file__).read_text()
    made = mutants(source)
    assert len({mutant.source for mutant in made}) == len(made) > 50
    assert [mutant.line for mutant in made] == sorted(mutant.line for mutant in made)
    for mutant in made:
        compile(mutant.source, "mutant", "exec")


def test_the_map_and_the_list_of_equivalents_name_what_there_is():
    known = tomllib.loads(RUN.with_name("modules.toml").read_text())["tests"]
    for module, tests in known.items():
        mirror = Path("tests") / Path(module).with_name(f"test_{Path(module).name}")
        assert [path for path in (module, *tests) if not (ROOT / path).exists()] == []
        assert tests or (ROOT / mirror).exists(), module
    for entry in tomllib.loads(RUN.with_name("equivalent.toml").read_text())["mutant"]:
        lines = [line.strip() for line in (ROOT / entry["module"]).read_text().splitlines()]
        assert entry["line"] in lines, entry
        assert entry["reason"]


THING = """\
def sign(a):
    return 1 if a > 0 else -1


def last(items):
    while len(items) > 1:
        items = items[1:]
    return items[0]


def double(a):
    return a + abs(a)
"""
TESTS = """\
import multiprocessing
import subprocess
import sys

from room.thing import double, last, sign


def test_sign():
    assert (sign(2), sign(-2)) == (1, -1)


def test_last():
    assert last([7, 8, 9, 6]) == 6


def test_other_processes_see_the_mutant():
    code = "from room.thing import double; print(double(-3))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "0\\n"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(double, [-3]) == [0]
"""
LISTED = """\
[[mutant]]
module = "room/thing.py"
line = "return items[0]"
change = "0 -> -1"
reason = "one item is left"

[[mutant]]
module = "room/thing.py"
line = "items = items[1:]"
change = "1 -> 0"
reason = "a claim that is wrong"
"""


@pytest.fixture
def project(tmp_path):
    """A module with its tests, and a run of the mutants: exit code and lines."""
    files = {
        "room/thing.py": THING, "tests/room/test_thing.py": TESTS, "equivalent.toml": LISTED,
        "modules.toml": 'preload = ["pytest"]\n[tests]\n"room/thing.py" = []\n', "pytest.ini": "[pytest]\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, RUN, "--folder", ".", *arguments], cwd=tmp_path, check=False, text=True,
            capture_output=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert done.stderr == "" or done.returncode == 1
        return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()

    return run


@pytest.mark.slow
def test_survivors_are_listed_and_the_equivalent_and_the_hanging_are_not(project):
    code, lines = project()
    *listed, summary = lines
    assert listed == [
        "room/thing.py:2: a > 0 -> a >= 0    in: return 1 if a > 0 else -1",
        "room/thing.py:2: 0 -> 1    in: return 1 if a > 0 else -1",
        "room/thing.py:2: 0 -> -1    in: return 1 if a > 0 else -1",
        "room/thing.py: no survivor any more: 1 -> 0    in: items = items[1:]",
    ]
    assert ", 1 equivalent, " in summary
    assert code == 1


@pytest.mark.slow
def test_a_sample_is_drawn_by_its_seed_and_leaves_no_bytecode(project, tmp_path):
    (tmp_path / "weak.py").write_text("import room.thing\n\n\ndef test_nothing():\n    pass\n")
    drawn = [project("room", "--sample", "3", "--seed", seed, "--tests", "weak.py")[1][:-1] for seed in ("2", "2", "3")]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 3
    assert not list((tmp_path / "room").rglob("thing*.pyc"))


@pytest.mark.slow
def test_a_module_whose_tests_fail_or_are_unknown_is_refused(project, tmp_path):
    assert project("pytest.ini.py") == (
        1,
        ["pytest.ini.py: no tests known: write them into modules.toml, or give --tests"],
    )
    (tmp_path / "tests/room/test_thing.py").write_text("def test_nothing():\n    assert False\n")
    assert "its tests fail without any mutant" in project("room/thing.py")[1][-1]
