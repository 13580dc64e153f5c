"""Tasks and methods are found by name, built in or from whatever package is installed."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from toy import Toy

from bench import registry
from bench.errors import UnknownName
from bench.spec import SCALES
from bench.tickets.methods import METHODS, TEMPLATES

NODE_METHODS = ("fanout", "fanout-reinit", "fanout-random")
"""Those of the teacher-student tasks, which the distribution names as an outside package would."""
GUEST = """
import toy
from bench.spec import Method
from bench.tickets.columns import MaskColumn
from bench.tickets.methods import define

domain = toy.Toy()
def choose(inputs): ...
mask = MaskColumn(function=choose, needs=("dense",))
mine = define("mine", "guest:mask", "fresh", "full", "")
moved = define("moved", "source", "fresh", "full", "")
plus = define("mine+more", "uniform", "fresh", "full", "")
forgets = Method(name="forgets", mask="guest:mask", weights="fresh", training="full")
small, quick = toy.task("toy/digits"), toy.task("toy/digits", scale="quick")
listed, scaled = [small, quick], {"smoke": small, "quick": quick}
filed, nowhere, taken, twice = {"small": small}, toy.task("music/notes"), toy.task(), [small, small]
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package of a name with the given entry points, group -> name -> value."""

    def install(package="guest", code=GUEST, **groups):
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = []
        for group, entries in groups.items():
            lines += [f"[ticketbench.{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / f"{package}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        forget()

    def forget():
        for found in (registry.domains, registry.definitions, registry.packaged_tasks):
            found.cache_clear()

    yield install
    forget()
    for package in ("guest", "other"):
        sys.modules.pop(package, None)


def test_a_package_brings_its_tasks(installed):
    installed(domains={"toy": "guest:domain"})
    assert registry.task("toy/chain", "smoke").key == "toy/chain@smoke"
    assert "toy" in registry.domains()


def test_a_package_brings_its_methods_whose_parents_follow_from_their_columns(installed):
    installed(methods={"mine": "guest:mine"})
    assert registry.method("mine").mask == "guest:mask"
    assert registry.method("mine").parents == ("dense",)
    assert list(registry.methods())[-1] == "mine"


@pytest.mark.parametrize("value", ["small", "listed", "scaled"])
def test_a_package_brings_tasks_of_a_domain_that_another_one_brings(installed, value):
    installed(domains={"toy": "guest:domain"}, tasks={"digits": f"guest:{value}"})
    assert registry.task("toy/digits", "smoke").name == "toy/digits"
    assert ("toy/digits@quick" in registry.tasks()) == (value != "small")
    assert "toy/digits@smoke" not in registry.domain("toy").tasks()
    assert registry.installed_task(registry.task("toy/digits", "smoke")) is not None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere", "unknown domain of its task 'music/notes' 'music'"),
        ("taken", "its task 'toy/chain@smoke' exists already: choose another name"),
        ("twice", "toy/digits@smoke, toy/digits@smoke is given: give each task once"),
        ("filed", "under 'small' stands toy/digits@smoke: file each task under its scale"),
        ("mine", "Method is no task: give a bench.spec.Task"),
        ("none", "AttributeError"),
    ],
)
def test_tasks_that_cannot_be_are_left_out_with_one_line(installed, capsys, value, said):
    installed(domains={"toy": "guest:domain"}, tasks={"digits": f"guest:{value}", "others": "guest:quick"})
    assert set(registry.packaged_tasks()) == {"toy/digits@quick"}, "the others go on"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ticketbench: package guest is left out of ticketbench.tasks: digits = guest:{value}: ")
    assert said in line


def test_of_two_packages_that_bring_one_task_the_second_is_left_out(installed, capsys):
    installed(domains={"toy": "guest:domain"}, tasks={"digits": "guest:small"})
    installed("other", GUEST, tasks={"theirs": "other:listed"})
    assert set(registry.packaged_tasks()) == {"toy/digits@smoke"}, "all of it: half a set of scales is none"
    assert "'toy/digits@smoke' exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("group", "name", "value", "said"),
    [
        ("methods", "random-ticket", "guest:mine", "'random-ticket' exists already"),
        ("methods", "mine", "guest:none", "AttributeError"),
        ("methods", "mine", "no_such_module:mine", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("methods", "other", "guest:mine", "no bench.spec.Method of the name 'other'"),
        ("methods", "mine", "guest:choose", "no bench.spec.Method of the name 'mine'"),
        ("methods", "mine+more", "guest:plus", "no bench.spec.Method of the name 'mine+more', or '+' is in it"),
        ("methods", "transfer", "guest:mine", "'transfer' exists already"),
        ("methods", "forgets", "guest:forgets", "method 'forgets' does not name its parent 'dense'"),
        ("domains", "vision", "guest:domain", "'vision' exists already"),
        ("domains", "toys", "guest:domain", "its task 'toy/chain@smoke' is none of domain 'toys'"),
        ("domains", "toy", "guest:mine", "AttributeError"),
    ],
)
def test_a_package_that_is_broken_or_in_the_way_is_left_out_with_one_line(installed, capsys, group, name, value, said):
    installed(**{group: {name: value}})
    built_in = {"nlp", "rl", "teacher", "vision"} if group == "domains" else {*METHODS, *NODE_METHODS}
    assert set(getattr(registry, group)()) == built_in
    assert all(type(domain).__module__ != "toy" for domain in registry.domains().values())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ticketbench: package guest is left out of ticketbench.{group}: {name} = {value}: ")
    assert said in line


def test_of_two_packages_of_one_name_the_rest_goes_on(installed, capsys):
    installed(methods={"mine": "guest:mine"})
    installed("other", GUEST, methods={"mine": "guest:mine", "yours": "other:yours"})
    assert "mine" in registry.methods()
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all("package other is left out" in line for line in errors)


def test_plan_goes_on_without_a_broken_package(installed, tmp_path):
    installed(methods={"mine": "no_such_module:mine"}, domains={"vision": "guest:domain"})
    command = [
        sys.executable,
        "-m",
        "bench",
        "plan",
        "smoke",
        "--tasks",
        "vision/lenet-mnist",
        "--store",
        tmp_path / "s",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert len([line for line in done.stderr.splitlines() if "is left out" in line]) == 2
    assert "Traceback" not in done.stderr


def test_what_is_installed_is_known_by_everything_that_decides_a_training(toys):
    task, method = registry.task("toy/chain", "smoke"), registry.method("ticket")
    assert registry.installed_task(replace(task, tolerance=9.0, chance=0.0)) is task
    assert registry.installed_task(replace(task, budget=31)) is None
    assert registry.installed_task(replace(task, version=2)) is None
    assert registry.installed_method(replace(method, about="other words")) is method
    assert registry.installed_method(replace(method, version=2)) is None
    assert registry.columns_of(method).mask.ranked == "previous"


def test_the_columns_of_a_stranger_are_never_imported(monkeypatch):
    monkeypatch.setattr("bench.tickets.columns.named", lambda *_: pytest.fail("imported"))
    assert registry.columns_of(replace(registry.method("ticket"), mask="os:system")) is None


def test_of_very_many_names_the_nearest_are_told():
    """One line that a terminal holds: 200 tasks are no answer to a slip."""
    several, many = [f"a/task-{number:02}" for number in range(30)], [f"a/task-{number:03}" for number in range(200)]
    assert str(UnknownName("task", "a/tsk-07", several)).endswith("known are " + ", ".join(several))
    told = str(UnknownName("task", "a/tsk-107", many))
    assert told.startswith("unknown task 'a/tsk-107': did you mean 'a/task-107'? known are a/task-107, ")
    assert told.endswith(" and 194 more")


def test_unknown_names_suggest_the_nearest(toys):
    with pytest.raises(UnknownName, match="unknown task 'toy/chian': did you mean 'toy/chain'"):
        registry.task("toy/chian", "smoke")
    with pytest.raises(UnknownName, match=r"unknown scale of toy/chain 'paper': .*known are quick, smoke"):
        registry.task("toy/chain", "paper")
    with pytest.raises(UnknownName, match="unknown method 'tickt': did you mean 'ticket'"):
        registry.method("tickt")
    with pytest.raises(UnknownName, match="unknown domain 'music'"):
        registry.domain("music")


def test_an_unknown_task_says_what_its_domain_would_list_besides(toys, monkeypatch):
    said = "toys of your own need TOYS"
    monkeypatch.setattr(Toy, "unlisted", lambda _: said, raising=False)
    with pytest.raises(UnknownName, match="known are .*toy/[a-z]+; toys of your own need TOYS$"):
        registry.task("toy/digits", "smoke")
    with pytest.raises(UnknownName, match="known are .*toy/[a-z]+$"):
        registry.task("music/digits", "smoke")
    said = None
    with pytest.raises(UnknownName, match="known are .*toy/[a-z]+$"):
        registry.task("toy/digits", "smoke")


def test_a_transfer_is_named_by_its_source():
    method = registry.method("transfer-reinit+lenet-mnist")
    assert (method.name, method.source, method.mask) == ("transfer-reinit+lenet-mnist", "lenet-mnist", "source")
    assert registry.installed_method(method) == method
    assert registry.columns_of(method).mask.taken == "source"
    assert registry.installed_method(replace(method, options={"source": "lenet-fashion"})) is None
    assert registry.known_method("transfer+") is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [("transfer", "transfer+TASK"), ("transfer+", "transfer+TASK"), ("trnsfer+lenet-mnist", "transfer+lenet-mnist")],
)
def test_a_transfer_that_is_named_wrongly_is_told_how_it_is_named(name, meant):
    with pytest.raises(UnknownName, match=re.escape(f"unknown method {name!r}: did you mean {meant!r}?")):
        registry.method(name)


def test_templates_are_no_methods_before_a_source_is_named():
    assert set(registry.templates()) == set(TEMPLATES)
    assert set(registry.methods()) == {*METHODS, *NODE_METHODS}


def test_a_package_may_bring_a_template(installed):
    installed(methods={"moved": "guest:moved"})
    assert "moved" not in registry.methods()
    assert registry.method("moved+lenet-mnist").source == "lenet-mnist"


def test_what_comes_with_the_package_is_told_from_what_is_brought(installed):
    installed(methods={"moved": "guest:moved", "mine": "guest:mine"})
    ours = {*METHODS, *TEMPLATES, *NODE_METHODS, "transfer+lenet-mnist"}
    assert all(map(registry.is_built_in, ours))
    assert not any(map(registry.is_built_in, ["moved+lenet-mnist", "mine", "somebody-s"]))


def test_every_built_in_method_is_filed_under_its_name():
    assert all(name == method.name and method.about for name, method in registry.methods().items())


def test_scales_go_from_the_smallest_to_the_papers():
    assert SCALES == ("smoke", "quick", "small", "paper")


def test_listing_tasks_and_methods_needs_no_torch():
    code = "import sys; from bench import registry; registry.tasks(); registry.methods(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
