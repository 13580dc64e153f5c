"""Tasks that contradict themselves are refused, and say what they are."""

from dataclasses import replace

import pytest
from specs import AGENT, LENET, OWN

from bench import registry
from bench.digests import canonical_json
from bench.errors import SpecError
from bench.spec import SCALES, Pruning, Task, method_identity, task_identity, to_json


def test_tasks_and_methods_are_the_same_where_only_what_is_reported_differs():
    task, method = to_json(LENET), to_json(OWN)
    assert task_identity({**task, "chance": 0.0, "source": "elsewhere"}) == task_identity(task)
    assert task_identity({**task, "budget": 1001}) != task_identity(task)
    assert method_identity({**method, "about": "another sentence"}) == method_identity(method)
    assert method_identity({**method, "version": 4}) != method_identity(method)
    del method["about"]
    assert method_identity(method) == canonical_json(method)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale": "huge"}, "scale 'huge'"),
        ({"rewind_step": 1000}, "rewinds to step 1000 of 1000"),
        ({"rewind_step": -1}, "rewinds to step -1 of 1000"),
        ({"metric": "f1"}, "without a direction"),
        ({"select": None}, "go together"),
        ({"split": "train"}, "evaluated are val, test"),
        ({"at": (), "select": None}, "reads no score: name in `at` when it is read"),
        ({"at": ("final", "early-stop", "final")}, "names 'final' twice in at"),
        ({"splits": ("val", "test", "val")}, "names 'val' twice in splits"),
        (
            {"at": tuple(f"last-{n}" for n in range(1, 130)), "select": None},
            "names 129 in at: a report has room for 128",
        ),
        ({"splits": tuple(map(str, range(129))), "split": "1"}, "names 129 in splits"),
        (
            {"directions": {**LENET.directions, **dict.fromkeys(map(str, range(128)), "max")}},
            "names 1(29|3[0-9]) in directions",
        ),
        ({"select": "nope"}, "selects by 'nope': measured are accuracy, loss"),
        ({"splits": ("test",)}, "selects by 'loss' on 'val', which it does not evaluate: evaluated are test; add it"),
        *(
            ({"at": ("final", "early-stop", at)}, f"reads scores at '{at}': write final, .* share of the budget as 5%")
            for at in (
                "finl",
                "5",
                "5 %",
                "05%",
                "5.0%",
                "5.%",
                "0%",
                "100%",
                "-5%",
                "1/2%",
                "1e1%",
                "last",
                "last-0",
                "",
            )
        ),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(wrong, said):
    with pytest.raises(SpecError, match=said):
        replace(LENET, **wrong)


@pytest.mark.parametrize("at", ["final", "last-100", "last-5", "1%", "5%", "99%", "0.5%", "12.25%"])
def test_a_reading_is_spelled_in_one_way(at):
    assert replace(LENET, at=("early-stop", at)).at == ("early-stop", at)


def test_a_parameter_belongs_to_the_first_group_that_names_it():
    task = replace(LENET, groups={"fc1.*": "first", "*.weight": "rest"})
    names = ("fc1.weight", "fc2.weight", "fc2.bias")
    assert [task.group_of(name) for name in names] == ["first", "rest", None]
    assert LENET.group_of("fc1.weight") is None


def test_a_task_says_its_domain_key_and_direction():
    assert (AGENT.domain, AGENT.key, AGENT.direction) == ("rl", "rl/cartpole@small", "max")
    assert replace(LENET, metric="loss").direction == "min"
    assert LENET.at == ("final", "early-stop")
    assert replace(LENET, at=("final",), select=None) == replace(
        Task(**{name: getattr(LENET, name) for name in Task.__slots__ if name not in ("at", "select")})
    )
    assert SCALES == ("smoke", "quick", "small", "paper")  # from the least to the most of the source's budget


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": 4e1}, "budget is 40.0: expected `int`, got `float`"),
        ({"budget": "40"}, "budget is '40': expected `int`"),
        ({"rewind_step": 5.0}, "rewind_step is 5.0: expected `int`"),
        ({"tolerance": "1"}, "tolerance is '1': expected `int | float`"),
        ({"version": True}, "version is True: expected `int`"),
        ({"pruning": {"rate": 0.2}}, "pruning is {'rate': 0.2}: expected a bench.spec.Pruning"),
        ({"pruning": Pruning(exempt="output.*")}, "expected `array`, got `str` - at `$.exempt`"),
        ({"at": None}, "at is None: expected `array`"),
        ({"deviations": "A sentence."}, "deviations is 'A sentence.': expected `array`"),
    ],
)
def test_a_field_of_another_kind_is_told_by_its_name_where_tasks_are_brought(changes, said):
    with pytest.raises(SpecError) as caught:
        registry.each_task(replace(LENET, **changes))
    assert f"task vision/lenet: {next(iter(changes))} is" in str(caught.value)
    assert said in str(caught.value)


def test_a_task_as_it_was_made_has_fields_of_its_kinds():
    assert registry.each_task([LENET, AGENT]) == (LENET, AGENT)
