"""Tasks and methods that a suite brings: made from others, or in files beside it."""

import pytest
from toy import task as toy_task

from bench import registry
from bench.errors import SpecError
from bench.runs.planning.plan import plan
from bench.suitefile import load_suite

REST = 'methods = ["dense", "ticket"]\nlevels = [1]\nseeds = [0]\n'
MADE = f'[[task]]\nbase = "toy/chain"\nscale = "smoke"\n{REST}'
IN_FILE = f'[[task]]\ntask = "my_tasks.py:digits"\n{REST}'
TASKS = """
import toy
smoke = toy.task("toy/digits", budget=50)
quick = toy.task("toy/digits", budget=90, scale="quick")
digits = {"smoke": smoke, "quick": quick}
listed = [smoke, quick]

def function():
    return smoke

def broken():
    raise RuntimeError("no data")

def wrong():
    return 3

taken = toy.task("toy/chain")
nowhere = toy.task("music/notes")
filed = {"small": smoke}
twice = [smoke, smoke]
misnamed = toy.task("toy/a b")
"""
METHODS = """
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

def choose(inputs): ...

LAYERWISE = MaskColumn(function="mine:choose", needs=("dense",), layers="level")
method = define("mine", "mine:LAYERWISE", "fresh", "full", "")
built = define("built", "uniform", "fresh", "full", "")
template = define("moved", "source", "fresh", "full", "")
taken = define("ticket", "mine:LAYERWISE", "fresh", "full", "")
misnamed = define("a/b", "mine:LAYERWISE", "fresh", "full", "")
number = 3
"""


@pytest.fixture
def suite(toys, brings):
    """Read a suite that stands beside files of the user's own."""
    folder = brings(my_tasks=TASKS, mine=METHODS)

    def read(text):
        (folder / "suite.toml").write_text(text)
        return load_suite(str(folder / "suite.toml"))

    return read


def refused(suite, text):
    with pytest.raises(SpecError) as error:
        suite(text)
    assert "\n" not in str(error.value)
    return str(error.value).rpartition("suite.toml:")[2]


def test_a_task_is_made_from_another_by_keys_and_by_a_table(suite):
    beside = "budget = 40\nconfig.seconds = 0.5\n[task.set]\nrewind_step = 20\npruning.rate = 0.5\n"
    (entry,) = suite(MADE + 'name = "toy/late"\n' + beside).entries
    task = entry.task
    assert (task.key, task.budget, task.rewind_step, task.config, task.pruning.rate) == (
        "toy/late@smoke", 40, 20, {"seconds": 0.5}, 0.5,
    )  # fmt: skip
    assert "Rewind step 20 instead of 10." in task.deviations
    assert registry.task("toy/late", "smoke") is task
    assert registry.installed_task(task) is task


def test_tickets_move_from_and_to_such_a_task(suite):
    late = MADE + 'name = "toy/late"\nrewind_step = 20\n'
    to = f'[[task]]\nname = "toy/slow"\nscale = "smoke"\n{REST}'.replace(
        '"ticket"', '"transfer+late", "mine.py:template+late"'
    )
    back = late.replace('"ticket"', '"transfer+slow"')
    units = plan(suite(to + late)).units.values()
    transfers = {unit.method.name: unit for unit in units if unit.method.source}
    assert set(transfers) == {"transfer+late", "moved+late"}
    for unit in transfers.values():
        source = next(each for each in units if each.id == unit.parents["source"])
        assert (source.task.name, source.task.rewind_step) == ("toy/late", 20)
    assert "transfer+slow" in {unit.method.name for unit in plan(suite(back)).units.values()}


def test_several_blocks_may_speak_of_one_task_of_the_suite(suite):
    late = MADE + 'name = "toy/late"\nrewind_step = 20\n'
    again = f'[[task]]\nname = "toy/late"\nscale = "smoke"\n{REST}'
    later = late.replace('base = "toy/chain"', 'base = "toy/late"').replace('name = "toy/late"', 'name = "toy/later"')
    tasks = [entry.task for entry in suite(again + late + late + later + "budget = 60\n").entries]
    assert tasks[0] == tasks[1] == tasks[2]
    assert (tasks[3].rewind_step, tasks[3].budget) == (20, 60)


def test_windows_line_ends_change_nothing(suite):
    text = MADE + 'name = "toy/late"\nrewind_step = 20\n'
    assert suite(text.replace("\n", "\r\n")) == suite(text)
    assert refused(suite, (text + "budgt = 3\n").replace("\n", "\r\n")).startswith("9: budgt: unknown key 'budgt'")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "2: base: nothing of toy/chain@smoke is set otherwise"),
        ("rewnd_step = 1\n", "7: rewnd_step: unknown key 'rewnd_step': did you mean 'rewind_step'"),
        ("\nrewind_step = 'a'\n", "8: rewind_step: is 'a': expected `int`, got `str`"),
        ("budget = 40\nrewind_step = 40\n", "8: rewind_step: task toy/chain-"),
        ("pruning.scope = 'global'\npruning.rates = {a = 0.5}\n", "7: pruning.scope: pruning has rates per layer and global"),
        ("[task.set.pruning]\nrates = {a = 0.5}\nscope = 'global'\n", "8: pruning.rates: pruning has rates per layer and global"),
        ("config.secnds = 1.0\n", "7: config.secnds: unknown key of config in tasks of toy 'secnds': did you mean 'seconds'"),
        ("[task.set]\nbudget = 40\nconfig.seconds = 'a'\n", "9: config.seconds: is 'a': it is a number"),
        ("[task.set]\n[task.set.config]\nseconds = 'a'\n", "9: config.seconds: is 'a': it is a number"),
        ("budget = 40\n[task.set]\nbudget = 50\n", "7: budget: is set twice"),
        ("set = 3\n", "7: set: is 3: write a table"),
        ("unit = 'episodes'\n", "7: unit: unit of toy/chain@smoke cannot be set"),
        ("budget = 40\nname = 'toy/still'\n", "8: name: task 'toy/still' exists already: give this one a name of its own"),
        ("budget = 40\nname = 'toy/chain'\n", "8: name: task 'toy/chain' exists already"),
        ("budget = 40\nname = 'late'\n", "8: name: is 'late': write toy/ and a name, for it is made from toy/chain"),
        ("budget = 40\nname = 'toy/../x'\n", "8: name: a task cannot be called 'toy/../x'"),
        ("budget = 40\nname = 3\n", "8: name: is 3: write a text"),
        ("task = 'my_tasks.py:digits'\n", "7: task: stands beside base"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_made_task_is_told_with_its_line(suite, keys, said):
    assert refused(suite, MADE + keys).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MADE.replace("toy/chain", "toy/chian"), "2: base: unknown task 'toy/chian': did you mean 'toy/chain'"),
        (MADE.replace("smoke", "paper"), "3: scale: unknown scale of toy/chain 'paper'"),
        (MADE.replace('scale = "smoke"\n', ""), "1: scale: is missing"),
        (MADE.replace("base", "name") + "budget = 40\n", "7: budget: is set of nothing: name what is changed by base"),
        (MADE.replace("base", "name") + "[task.set]\n", "1: set: is set of nothing"),
        (IN_FILE + "budget = 40\n", "6: budget: is set of nothing"),
        (IN_FILE + 'name = "toy/digits"\n', "6: name: stands beside task"),
    ],
)
def test_what_is_wrong_with_a_block_is_told_with_its_line(suite, text, said):
    assert refused(suite, text).startswith(said)


def test_two_tasks_of_one_name_are_refused(suite):
    late = MADE + 'name = "toy/late"\n'
    assert refused(suite, late + "budget = 40\n" + late + "budget = 50\n").startswith(
        "15: name: another task of this suite is called toy/late@smoke: give this one a name of its own"
    )


def test_the_next_suite_may_mean_another_task_by_a_name(suite):
    late = MADE + 'name = "toy/late"\n'
    old = suite(late + "budget = 40\n").entries[0].task
    new = suite(late + "budget = 50\n").entries[0].task
    assert registry.task("toy/late", "smoke") is new
    assert registry.installed_task(old) is None


@pytest.mark.parametrize(
    ("name", "scale", "budget"),
    [
        ("digits", "smoke", 50),
        ("digits", "quick", 90),
        ("listed", "quick", 90),
        ("function", None, 50),
        ("smoke", None, 50),
    ],
)
def test_a_task_stands_in_a_file_beside_the_suite(suite, monkeypatch, name, scale, budget):
    monkeypatch.chdir("/")
    text = IN_FILE.replace("digits", name) + (f'scale = "{scale}"\n' if scale else "")
    (entry,) = suite(text).entries
    assert (entry.task.name, entry.task.budget) == ("toy/digits", budget)
    assert registry.task("toy/digits", entry.task.scale).budget == budget


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digits", "my_tasks.py:digits gives a task of each scale, smoke, quick: choose one of them by its scale"),
        ("digts", "unknown name of"),
        ("broken", "my_tasks.py:12: RuntimeError: no data"),
        ("wrong", "int is no task: give a bench.spec.Task, a list of them, or one for each scale"),
        ("taken", "task 'toy/chain' exists already"),
        ("nowhere", "unknown domain 'music'"),
        ("filed", "under 'small' stands toy/digits@smoke: file each task under its scale"),
        ("twice", "toy/digits@smoke, toy/digits@smoke is given: give each task once"),
        ("misnamed", "a task cannot be called 'toy/a b'"),
    ],
)
def test_what_is_wrong_with_a_task_in_a_file_is_told_with_its_line(suite, name, said):
    told = refused(suite, IN_FILE.replace("digits", name))
    assert told.startswith("2: task: ")
    assert said in told


def test_only_a_file_of_python_holds_tasks(suite):
    told = refused(suite, IN_FILE.replace("my_tasks.py:digits", "os:system"))
    assert told == "2: task: is 'os:system': write my_tasks.py:name, or name = ... of an installed one"


def arms(suite, methods, head=""):
    named = ", ".join(f'"{name}"' for name in methods)
    return suite(
        head + f'[[task]]\nname = "toy/chain"\nscale = "smoke"\nmethods = [{named}]\nlevels = [1]\nseeds = [0]\n'
    )


def test_a_method_stands_in_a_file_beside_the_suite(suite, monkeypatch):
    monkeypatch.chdir("/")
    (entry,) = arms(suite, ["dense", "mine.py:method", "mine.py:method"]).entries
    assert [method.name for method in entry.methods] == ["dense", "mine"]
    assert registry.method("mine") is entry.methods[1]
    assert registry.columns_of(entry.methods[1]).mask.layers == "level"


def test_units_of_another_version_of_a_file_have_other_ids(suite, brings):
    def ids():
        units = plan(arms(suite, ["dense", "ticket", "mine.py:method", "mine.py:built"])).units.values()
        return {unit.method.name: unit.id for unit in units}

    first = ids()
    assert ids() == first
    brings(mine=METHODS + "# a word more\n")
    second = ids()
    assert {name for name in first if first[name] != second[name]} == {"mine"}, (
        "what has built-in columns is told whole"
    )
    brings(mine=METHODS)
    assert ids() == first


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mine.py:methd", "unknown name of"),
        ("mine.py:number", "int is no method: give what bench.tickets.methods.define makes"),
        ("mine.py:taken", "method 'ticket' exists already: give this one a name of its own"),
        ("mine.py:misnamed", "a method cannot be called 'a/b'"),
        ("mine.py:template", "unknown method 'moved': did you mean 'moved+TASK'"),
        ("none.py:method", "no file "),
    ],
)
def test_what_is_wrong_with_a_method_in_a_file_is_told_with_its_line(suite, name, said):
    told = None
    with pytest.raises(SpecError) as error:
        arms(suite, ["dense", name])
    told = str(error.value)
    assert "suite.toml:4: methods: " in told
    assert said in told
    assert "\n" not in told


def test_two_methods_of_one_name_are_refused(suite, brings):
    brings(other=METHODS.replace("mine:", "other:"))
    with pytest.raises(SpecError, match="other.py:method is called 'mine', as another method of this suite"):
        arms(suite, ["mine.py:method", "other.py:method"])


def test_all_methods_are_the_installed_ones(suite):
    arms(suite, ["mine.py:method"])
    (entry,) = suite(
        '[[task]]\nname = "toy/chain"\nscale = "smoke"\nmethods = "all"\nlevels = [1]\nseeds = [0]\n'
    ).entries
    assert "mine" not in {method.name for method in entry.methods}


def test_a_task_of_a_file_is_what_a_record_says_only_while_it_is_that_task(suite):
    suite(IN_FILE + 'scale = "smoke"\n')
    assert registry.installed_task(toy_task("toy/digits", budget=50)) is not None
    assert registry.installed_task(toy_task("toy/digits", budget=51)) is None


def test_what_a_task_declines_is_what_its_domain_says_of_it():
    for task in registry.tasks().values():
        assert registry.declining(task) == task


@pytest.mark.parametrize(
    ("base", "change", "method", "reason"),
    [
        (
            "rl/lunarlander-ppo@quick",
            "config.hyperparameters.clip_range = {linear = 0.2}",
            "fine-tune",
            "The clipping range",
        ),
        ("rl/lunarlander-ppo@quick", "budget = 65536", "gmp", None),
        ("nlp/transformer-bible@quick", 'metric = "bleu"', "one-shot-untrained", "searched for"),
        ("vision/lenet-mnist@quick", 'config.model = "torchvision:vit_b_16"', "small-dense", "torchvision"),
        ("teacher/two-layer@quick", "config.sizes = [20, 20, 20, 10]", "fanout", "hidden"),
    ],
)
def test_a_task_made_from_another_declines_what_a_listed_one_like_it_declines(tmp_path, base, change, method, reason):
    name, _, scale = base.partition("@")
    block = f'[[task]]\nbase = "{name}"\nname = "{name}-mine"\nscale = "{scale}"\nmethods = ["dense"]\nlevels = [0]\nseeds = [0]'
    (tmp_path / "mine.toml").write_text(f'title = "Mine."\n{block}\nset.{change}\n', encoding="utf-8")
    [entry] = load_suite(str(tmp_path / "mine.toml")).entries
    told = entry.task.unsupported.get(method)
    assert told is None if reason is None else reason in told
