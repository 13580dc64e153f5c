"""A student in training: what it computes, what it keeps through saving and loading, what its measures see."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.doors import ExplainsAbsence, ForwardsOnes, KeepsNodes, NamesNodes
from bench.errors import Diverged, UnknownName
from bench.learner import Learner
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.conformance import check_learner
from domains.teacher import domain
from domains.teacher.learner import EARLY
from domains.teacher.measures import LOWEST

NAMES = ("two-layer", "two-layer-even", "two-layer-narrow", "deep", "planted")
WITHOUT_LUCK = [each.__name__ for each in LOWEST if each.__name__ not in ("luck", "fanout_ratio")]


def half(learner, seed=0):
    entries = masks.prunable(learner, learner._task.pruning)
    return masks.uniform(entries, sum(masks.sizes(entries).values()) // 2, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_the_learner_conforms(name, world):
    assert check_learner(domain, world.task(name)) == []


def test_a_learner_offers_all_that_its_domain_says(world):
    for kind in (Learner, ForwardsOnes, NamesNodes, KeepsNodes, ExplainsAbsence):
        assert isinstance(world.build(), kind)
    assert world.build().hidden == (("hidden1.weight", "output.weight"),)
    assert world.build("deep").hidden[2:] == (("hidden3.weight", "hidden4.weight"), ("hidden4.weight", "output.weight"))


# The teacher as student.


def everything(learner):
    return learner.evaluate("test"), learner.node_layers({})[0]


def test_the_teacher_is_a_perfect_student(world):
    found, nodes = everything(world.taught(world.build(multi=1)))
    assert found["log_loss"] == -12
    assert found["recovered"] == found["recovered_weak"] == found["recovered_strong"] == 1
    assert found["best_correlation"] == pytest.approx(1, abs=1e-12)
    assert found["initial_rank"] == 0
    assert nodes["students"]["teacher_final"] == list(range(10))
    assert nodes["students"]["fanout_final"] == nodes["teachers"]["fanout"]


def test_so_is_the_teacher_in_another_order_and_in_other_units(world):
    learner = world.build(multi=2)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    scale = torch.linspace(0.1, 7, 10, dtype=torch.float64)
    found, nodes = everything(world.taught(learner, order=order, scale=scale, also=10))
    assert found["log_loss"] == -12
    assert (found["recovered"], found["best_correlation"]) == (1, pytest.approx(1, abs=1e-12))
    assert nodes["students"]["teacher_final"][:10] == order.tolist()
    strength = torch.tensor(nodes["teachers"]["fanout"], dtype=torch.float64)
    assert nodes["students"]["fanout_final"][:10] == pytest.approx((strength[order] / scale).tolist(), rel=1e-3)
    assert nodes["students"]["correlation_final"][10:] == [0.0] * 10


def test_the_teacher_without_a_node_has_recovered_the_others(world):
    learner = world.taught(world.build(multi=1))
    learner.load(learner.snapshot().masked({"hidden1.weight": torch.arange(10)[:, None].expand(10, 20) != 9}))
    assert learner.evaluate("test")["recovered"] == 0.9
    assert learner.evaluate("test")["recovered_weak"] == 0.8
    assert learner.evaluate("test")["recovered_strong"] == 1


def test_dead_teacher_nodes_are_left_out_and_told(world):
    """The fixed teacher has some: nodes that are silent on all data."""
    learner = world.build("deep")
    layers = learner.node_layers({})
    dead = [layer["teachers"]["dead"] for layer in layers]
    assert any(map(any, dead))
    assert not any(map(all, dead))
    for number, layer in enumerate(layers, start=1):
        best = np.array(layer["teachers"]["correlation_final"])
        alive = ~np.array(layer["teachers"]["dead"])
        name = "best_correlation" + (f"_{number}" if number > 1 else "")
        assert learner.evaluate("test")[name] == pytest.approx(best[alive].mean(), abs=1e-3)
        assert not best[~alive].any()
        assert [rank is None for rank in layer["teachers"]["initial_rank"]] == layer["teachers"]["dead"]


# Training.


@pytest.mark.parametrize(("loss", "factor"), [("half-sum", 1.0), ("mean", 2 / 50)])
def test_the_gradient_is_the_one_written_by_hand(world, loss, factor):
    """1909.13458, code: the error summed over outputs, averaged over the batch; of the mean it is 2 / outputs of that."""
    learner = world.build(loss=loss, rate=0.5)
    inputs, targets = learner._examples.batch(0)
    (w1, b1), (w2, b2) = [[each.detach().clone() for each in pair] for pair in (
        (learner.module.hidden1.weight, learner.module.hidden1.bias), (learner.module.output.weight, learner.module.output.bias),
    )]  # fmt: skip
    hidden = (inputs @ w1.T + b1).clamp(min=0)
    error = hidden @ w2.T + b2 - targets
    below = (error @ w2) * (hidden > 0)
    expected = {
        "output.weight": w2 - 0.5 * factor * error.T @ hidden / 16,
        "output.bias": b2 - 0.5 * factor * error.sum(0) / 16,
        "hidden1.weight": w1 - 0.5 * factor * below.T @ inputs / 16,
        "hidden1.bias": b1 - 0.5 * factor * below.sum(0) / 16,
    }
    learner.train(1)
    for name, parameter in learner.module.named_parameters():
        assert torch.allclose(parameter, expected[name], atol=1e-12), name
    assert next(learner.module.parameters()).dtype == torch.float64


def test_training_is_plain_gradient_descent_at_a_constant_rate(world):
    learner = world.build()
    assert type(learner.optimizer) is torch.optim.SGD
    (group,) = learner.optimizer.param_groups
    assert {name: group[name] for name in ("lr", "momentum", "weight_decay", "nesterov")} == {
        "lr": 0.02, "momentum": 0, "weight_decay": 0, "nesterov": False,
    }  # fmt: skip
    assert learner._task.constant_rate


def test_the_score_is_the_logarithm_of_the_mean_square(world):
    learner = world.build()
    held = learner._examples.held_out("test")
    with torch.no_grad():
        error = (learner.module(held.inputs) - held.targets).square().mean()
    assert learner.evaluate("test")["log_loss"] == pytest.approx(float(error.log10()))


def test_saliencies_see_the_training_loss_and_outputs_by_the_temperature(world):
    learner = world.build()
    inputs, targets = learner._examples.scored(1)[0]
    (loss,) = learner.losses(1, temperature=4.0)
    assert float(loss.detach()) == pytest.approx(
        float((learner.module(inputs) / 4 - targets).square().sum().detach() / 2 / 16)
    )


def test_a_student_that_leaves_the_finite_numbers_has_diverged(world):
    with pytest.raises(Diverged, match="not finite"):
        world.build(rate=1e6).train(40)
    learner = world.build()
    with torch.no_grad():
        learner.module.output.weight.fill_(torch.inf)
    with pytest.raises(Diverged, match="the test loss is not finite at step 0"):
        learner.evaluate("test")


def test_width_scales_the_hidden_nodes_alone(world):
    shapes = {name: tuple(each.shape) for name, each in world.build(width=0.1).module.named_parameters()}
    assert shapes == {
        "hidden1.weight": (10, 20),
        "hidden1.bias": (10,),
        "output.weight": (50, 10),
        "output.bias": (50,),
    }
    assert world.build(width=1e-6).module.hidden1.out_features == 1
    assert [each.out_features for each in world.build("deep", width=0.5).module if hasattr(each, "out_features")] == [
        20, 30, 40, 50, 100,
    ]  # fmt: skip


def test_fresh_weights_are_others_of_the_same_teacher(world):
    one, fresh = world.build(), world.build(level=2, fresh=True)
    assert not torch.equal(one.module.hidden1.weight, fresh.module.hidden1.weight)
    assert all(
        torch.equal(a, b) for pair in zip(one._teacher, fresh._teacher, strict=True) for a, b in zip(*pair, strict=True)
    )


@pytest.mark.parametrize(("change", "said"), [
    ({"draw": "x"}, "unknown draw"), ({"sampling": "x"}, "unknown sampling"), ({"init": {"kind": "x"}}, "unknown initialisation"),
    ({"loss": "x"}, "unknown loss 'x': known are half-sum, mean"), ({"dtype": "float16"}, "unknown dtype 'float16'"),
])  # fmt: skip
def test_what_is_unknown_in_a_task_is_told(world, change, said):
    with pytest.raises(UnknownName, match=said):
        world.build(**change)


# What training began with.


def looks(learner):
    """What is told of the beginning: ranks and luck, and the nodes as they began."""
    found = learner.evaluate("test")
    began = [
        {**layer["teachers"], **layer["students"]} for layer in learner.node_layers({})
    ]  # fmt: skip
    names = ("correlation_initial", "initial_rank", "correlation_early", "fanout_initial", "teacher_initial")
    return found, [{name: layer[name] for name in names} for layer in began]


@pytest.mark.parametrize("name", ["two-layer", "deep"])
def test_the_beginning_survives_saving_and_loading(world, name):
    learner = world.build(name)
    learner.train(40)
    state, told = learner.snapshot(), looks(learner)
    other = world.build(name, seed=0, level=1, fresh=True)
    other.load(state)
    assert looks(other) == told
    assert told[0]["initial_rank"] > 0
    assert told[1][0]["correlation_early"] != told[1][0]["correlation_initial"]


def test_the_beginning_is_that_before_any_mask(world):
    """Whoever was pruned is looked at as it began, alive."""
    learner = world.build()
    begin = learner.snapshot()
    whole = looks(learner)[1][0]["correlation_initial"]
    mask = {"hidden1.weight": torch.arange(100)[:, None].expand(100, 20) >= 60}
    learner.load(begin.masked(mask))
    learner.train(40)
    found, (told,) = looks(learner)
    assert told["correlation_initial"] == whole
    assert min(told["fanout_initial"]) > 0
    (layer,) = learner._layers("test", learner._activations("test"))
    assert layer.alive.tolist() == [node >= 60 for node in range(100)]
    best = layer.initial.max(axis=0)
    assert found["luck"] == pytest.approx(best[60:].mean() - best[:60].mean())


def test_weights_that_were_moved_before_training_are_what_it_began_with(world):
    """Arms with permuted values or borrowed signs start from states whose weights are other ones than the seed's."""
    learner = world.build()
    begin = learner.snapshot()
    moved = replace(begin, weights={name: weight.flip(0) for name, weight in begin.weights.items()})
    learner.load(moved)
    flipped = looks(learner)[1][0]
    learner.load(begin)
    assert looks(learner)[1][0]["fanout_initial"] == flipped["fanout_initial"]
    assert looks(learner)[1][0]["correlation_initial"] != flipped["correlation_initial"]
    mask = half(learner)
    learner.load(moved.masked(mask))
    for name, weight in learner._began.items():
        kept = mask.get(name, torch.ones_like(weight, dtype=torch.bool))
        assert torch.equal(weight[kept], moved.weights[name][kept])
        assert torch.equal(weight[~kept], begin.weights[name][~kept])


def test_a_state_that_was_trained_began_where_it_did_not_where_it_is(world):
    """`lr-rewind` goes on from trained weights."""
    learner = world.build()
    before = looks(learner)[1][0]["correlation_initial"]
    learner.train(40)
    learner.load(replace(learner.snapshot(), step=0, updates=0))
    assert looks(learner)[1][0]["correlation_initial"] == before


def test_the_early_look_is_at_five_per_cent_however_training_is_cut(world):
    learner, cut = world.build(), world.build()
    assert EARLY * learner._task.budget == 2
    learner.train(1)
    assert looks(learner)[1][0]["correlation_early"] is None
    learner.train(2)
    then = learner.node_layers({})[0]["teachers"]["correlation_final"]
    learner.train(40)
    for until in (3, 30, 40):
        cut.train(until)
    for each in (learner, cut):
        nodes = each.node_layers({})[0]["teachers"]
        assert nodes["correlation_early"] == then != nodes["correlation_final"]


# What is told of nodes.


def test_nodes_are_told_as_they_are_under_the_mask(world):
    learner = world.build()
    mask = half(learner)
    learner.load(learner.snapshot().masked(mask))
    (layer,) = learner.node_layers(mask)
    students, teachers = layer["students"], layer["teachers"]
    assert layer["layer"] == "hidden1"
    assert students["kept_in"] == mask["hidden1.weight"].sum(1).tolist()
    assert students["kept_out"] == mask["output.weight"].sum(0).tolist()
    assert {len(values) for values in students.values()} == {100}
    assert {len(values) for values in teachers.values() if values is not None} == {10}
    norms = learner.module.output.weight.detach().norm(dim=0)
    assert students["fanout_final"] == [float(f"{value:.4g}") for value in norms.tolist()]
    assert teachers["fanout"] == [float(f"{value:.4g}") for value in learner._teacher[1][0].norm(dim=0).tolist()]
    assert all(a <= b for a, b in zip(students["kept_in"], [20] * 100, strict=True))
    assert learner.node_layers({})[0]["students"]["kept_in"] == [20] * 100


def test_a_node_lives_by_a_weight_to_it_and_one_from_it(world):
    learner = world.build(multi=1)
    state = learner.snapshot()
    state.weights["hidden1.weight"][0] = 0
    state.weights["output.weight"][:, 1] = 0
    state.weights["hidden1.weight"][2, 1:] = 0
    state.weights["output.weight"][1:, 2] = 0
    learner.load(state)
    (layer,) = learner._layers("test", learner._activations("test"))
    assert layer.alive.tolist() == [False, False, *[True] * 8]


def test_what_is_absent_is_of_the_last_evaluation(world):
    learner = world.build()
    assert [name for name in WITHOUT_LUCK if name not in learner.evaluate("test")] == []
    assert learner.absent() == {
        "luck": "fewer than two student nodes are dead", "fanout_ratio": "fewer than two student nodes pass 0.95",
    }  # fmt: skip
    assert set(learner.evaluate("test")) | set(learner.absent()) == set(learner._task.directions)


def test_every_metric_of_every_task_is_reported_or_has_a_reason(world):
    for name in NAMES:
        learner = world.build(name)
        assert set(learner.evaluate("test")) | set(learner.absent()) == set(learner._task.directions)


def test_ones_go_through_the_module(world):
    learner = world.build("deep")
    assert torch.equal(learner.forward_ones(), learner.module(torch.ones(1, 20)))
    assert learner.forward_ones().requires_grad


def test_streams_that_only_differ_in_level_begin_alike(world):
    one, other = (domain.learner(world.task(), streams=Streams(0, level), device="cpu") for level in (0, 5))
    assert torch.equal(one.module.hidden1.weight, other.module.hidden1.weight)
