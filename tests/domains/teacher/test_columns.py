"""Methods that prune whole nodes: which nodes, exactly how many weights, and where they are refused."""

from dataclasses import replace

import pytest
import torch

from bench import registry
from bench.errors import SpecError, Unsupported
from bench.learner import State
from bench.runs.planning.plan import plan, refusal
from bench.spec import Entry, Pruning, Suite, Unit
from bench.streams import Streams
from bench.tickets.choose import choose
from bench.tickets.columns import MaskColumn, columns
from bench.tickets.conformance import check_method
from bench.tickets.inputs import MethodInputs, Parent
from bench.tickets.methods import METHODS
from domains.teacher import columns as own
from domains.teacher import domain

TASK = domain.tasks()["teacher/two-layer-narrow@smoke"]
NODES = {"fanout": own.fanout, "fanout-reinit": own.fanout_reinit, "fanout-random": own.fanout_random}


def inputs(method, level=1, *, task=TASK, seed=0, fanout=None):
    """Of a unit whose dense network ended with these norms of the weights from its nodes."""
    learner = domain.learner(task, streams=Streams(seed), device="cpu")
    begin = learner.snapshot()
    weights = dict(begin.weights)
    if fanout is not None:
        outgoing = torch.zeros_like(weights["output.weight"])
        outgoing[-1] = torch.tensor(fanout, dtype=outgoing.dtype)
        weights["output.weight"] = outgoing
    final = State(
        weights=weights, buffers=begin.buffers, scalars={"trained": True}, step=task.budget, updates=task.budget
    )
    states = {"initial": begin, "rewind": begin, "final": final}
    parents = {role: Parent(mask={}, state=states.__getitem__, search_cost=0, result=role) for role in method.parents}
    unit = Unit(task=task, method=method, level=level, seed=seed, parents=dict.fromkeys(method.parents, "0" * 64))
    return MethodInputs(unit, domain, "cpu", parents)


FANOUT = [7.0, 1.0, 3.0, 3.0, *range(10, 26)]
"""Of 20 nodes: the largest come last, node 1 is the smallest."""


def test_the_nodes_of_the_largest_fanout_are_kept_whole():
    start = choose(inputs(own.fanout, fanout=FANOUT))
    assert start.mask["hidden1.weight"].all(1).tolist() == start.mask["output.weight"].all(0).tolist()
    assert start.mask["hidden1.weight"].any(1).nonzero().flatten().tolist() == list(range(8, 20))
    assert not start.mask["output.weight"][:, :8].any()


@pytest.mark.parametrize("level", [1, 2, 3, 5])
@pytest.mark.parametrize("method", NODES.values(), ids=NODES)
def test_every_layer_keeps_the_levels_count_the_last_node_in_part(method, level):
    case = inputs(method, level, fanout=FANOUT)
    mask = choose(case).mask
    assert {name: int(kept.sum()) for name, kept in mask.items()} == case.keep
    parts = [
        ((share > 0) & (share < 1)).sum()
        for share in (mask["hidden1.weight"].double().mean(1), mask["output.weight"].double().mean(0))
    ]
    assert max(parts) <= 1
    some = [
        set(kept.nonzero().flatten().tolist()) for kept in (mask["hidden1.weight"].any(1), mask["output.weight"].any(0))
    ]
    assert len(some[0] ^ some[1]) <= 1


def test_equal_fanouts_go_by_index():
    mask = choose(inputs(own.fanout, 3, fanout=[1.0] * 20)).mask["output.weight"]
    assert mask.any(0).nonzero().flatten().tolist() == [0, 1, 2, 3, 4]  # 4.32 of 20


def test_the_partial_node_is_the_next_in_order():
    mask = choose(inputs(own.fanout, 2, fanout=FANOUT)).mask["output.weight"]  # 7.2 of 20 nodes of 50 outputs
    assert mask.sum(0).tolist() == [0] * 12 + [10] + [50] * 7


def test_random_nodes_are_of_seed_and_level_and_do_not_see_the_fanout():
    def drawn(level=1, seed=0, fanout=None):
        return tuple(
            choose(inputs(own.fanout_random, level, seed=seed, fanout=fanout)).mask["hidden1.weight"].any(1).tolist()
        )

    assert drawn() == drawn(fanout=FANOUT)
    assert len({drawn(), drawn(seed=1), drawn(seed=2)}) == 3
    assert drawn(2)[: sum(drawn(2))] != drawn()[: sum(drawn(2))]


def test_any_node_may_be_drawn():
    counts = torch.zeros(20)
    for seed in range(200):
        counts += choose(inputs(own.fanout_random, seed=seed)).mask["output.weight"].any(0)
    assert counts.min() > 85  # 120 expected, standard deviation 7
    assert counts.max() < 155


def test_which_weights_the_nodes_start_from():
    rewind = inputs(own.fanout).learner.snapshot().weights["hidden1.weight"]
    for method, equal in ((own.fanout, True), (own.fanout_random, True), (own.fanout_reinit, False)):
        start = choose(inputs(method, fanout=FANOUT))
        kept = start.mask["hidden1.weight"]
        assert bool(torch.equal(start.state.weights["hidden1.weight"][kept], rewind[kept])) is equal
        assert not start.state.weights["hidden1.weight"][~kept].any()
    assert torch.equal(
        choose(inputs(own.fanout, fanout=FANOUT)).mask["hidden1.weight"],
        choose(inputs(own.fanout_reinit, fanout=FANOUT)).mask["hidden1.weight"],
    )


@pytest.mark.parametrize("method", NODES.values(), ids=NODES)
@pytest.mark.parametrize("name", ["two-layer", "two-layer-narrow", "planted"])
def test_the_methods_conform(method, name):
    assert check_method(method, domain, domain.tasks()[f"teacher/{name}@smoke"], level=2) == []


def test_what_the_columns_promise():
    assert columns(own.fanout).mask == MaskColumn(
        function="domains.teacher.choose:fanout_mask", needs=("dense",), ranked="dense", layers="level", nodes=True
    )
    assert columns(own.fanout_reinit).mask == columns(own.fanout).mask
    assert columns(own.fanout_random).mask == MaskColumn(
        function="domains.teacher.choose:random_mask", drawn="layers", layers="level", nodes=True
    )
    assert [(each.weights, each.training, each.parents) for each in NODES.values()] == [
        ("rewind", "rewound", ("dense",)), ("fresh", "full", ("dense",)), ("rewind", "rewound", ("dense",)),
    ]  # fmt: skip


# Where they are found, and refused.


def test_they_are_found_by_name_with_their_tasks():
    assert {name: registry.method(name) for name in NODES} == NODES
    assert registry.domain("teacher") is domain


def test_every_method_runs_or_is_refused_with_a_reason():
    for task in domain.tasks().values():
        refused = {name: refusal(task, method) for name, method in {**METHODS, **NODES}.items()}
        told = {name: reason for name, reason in refused.items() if reason}
        assert set(told) == {"grasp", "ticket-reordered", *(NODES if task.name == "teacher/deep" else ())}
        assert all(len(reason) > 20 for reason in told.values())


def test_a_deep_student_refuses_whole_nodes_when_planning():
    task = domain.tasks()["teacher/deep@smoke"]
    suite = Suite(name="x", title="", entries=(Entry(task=task, methods=(own.fanout,), levels=(1,), seeds=(0,)),))
    with pytest.raises(
        Unsupported, match="teacher/deep@smoke cannot run fanout: each matrix between two hidden layers"
    ):
        plan(suite)


@pytest.mark.parametrize(
    "pruning",
    [{"scope": "global"}, {"biases": True}, {"exempt": ("output.*",)}, {"rate": 0.4, "rates": {"output.weight": 0.2}}],
    ids=str,
)
@pytest.mark.parametrize("name", NODES)
def test_a_student_that_is_pruned_otherwise_refuses_whole_nodes_when_planning(name, pruning):
    task = registry.declining(replace(TASK, pruning=Pruning(**pruning)))
    assert "pruned layer by layer at one rate" in refusal(task, NODES[name])
    assert refusal(registry.declining(replace(TASK, pruning=Pruning(rate=0.4))), NODES[name]) is None


@pytest.mark.parametrize(("name", "pruning", "said"), [
    ("deep", {}, "this network has 4, and pruned are hidden1.weight, hidden2"),
    ("two-layer", {"scope": "global"}, "this network has 1, and pruned are all, pooled"),
    ("two-layer", {"biases": True}, "pruned are hidden1.bias, hidden1.weight, output.bias, output.weight"),
    ("two-layer", {"exempt": ("output.*",)}, "pruned are hidden1.weight$"),
])  # fmt: skip
def test_what_cannot_be_pruned_by_nodes_is_told_in_one_line(world, name, pruning, said):
    task = replace(world.task(name), pruning=Pruning(**pruning), unsupported={})
    with pytest.raises(SpecError, match=said) as error:
        choose(inputs(own.fanout_random, task=task))
    assert "\n" not in str(error.value)


def test_a_network_that_names_no_layer_of_nodes_is_told():
    case = inputs(own.fanout_random)
    case.learner.hidden = ()
    with pytest.raises(SpecError, match="this network has 0, and pruned are hidden1.weight, output.weight"):
        choose(case)
