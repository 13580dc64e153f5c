"""Data are a function of seed and step, and of nothing that ran before."""

import pytest
import torch

from bench.errors import UnknownName
from bench.streams import Streams
from domains.teacher.examples import BLOCK


def data(world, seed=0, name="two-layer", **config):
    return world.build(name, seed, **config)._examples


@pytest.mark.parametrize("name", ["two-layer", "deep", "planted"])
def test_a_batch_is_a_function_of_seed_and_step(world, name):
    one, other = data(world, name=name), data(world, name=name)
    steps = [0, 1, BLOCK + 3, 2, 0]
    first = [one.batch(step) for step in steps]
    assert all(
        torch.equal(a, b)
        for step, pair in zip(steps, first, strict=True)
        for a, b in zip(pair, other.batch(step), strict=True)
    )
    assert not torch.equal(first[0][0], first[1][0])
    assert not torch.equal(first[0][0], data(world, 1, name).batch(0)[0])
    size = world.task(name).config["batch"]
    assert [len(each) for each in first[0]] == [size, size]


def test_examples_and_their_order_are_drawn_from_different_substreams(world):
    streams = Streams(2)
    inputs = streams.numpy("data", 0).normal(0, 1.5, (1_000, 20))
    for block in (0, 1):
        rows = streams.numpy("data", 1 + block).integers(1_000, size=BLOCK * 16)
        assert torch.equal(data(world, 2).batch(BLOCK * block + 7)[0], torch.from_numpy(inputs[rows[7 * 16 : 8 * 16]]))


def test_targets_are_the_teachers_outputs(world):
    for name in ("two-layer", "deep", "planted"):
        learner = world.build(name)
        (below, *_), *_ = learner._teacher
        for inputs, targets in (learner._examples.batch(3), learner._examples.scored(1)[0]):
            values = inputs
            for number, (weight, bias) in enumerate(learner._teacher):
                values = values @ weight.T + bias
                values = values.relu() if number < len(learner._teacher) - 1 else values
            assert torch.allclose(targets, values, atol=1e-5)
            assert targets.dtype == below.dtype


def test_with_replacement_an_example_may_come_twice_and_epochs_take_each_once(world):
    task = world.task("deep")
    samples, size = task.config["samples"], task.config["batch"]
    examples = data(world, name="deep")
    length = -(-samples // size)
    epoch = [examples.batch(step)[0] for step in range(length)]
    assert len(epoch[-1]) == samples - (length - 1) * size < size
    rows = torch.cat(epoch)
    assert len(rows.unique(dim=0)) == len(rows) == samples
    again = torch.cat([examples.batch(length + step)[0] for step in range(length)])
    assert not torch.equal(rows, again)
    assert torch.equal(rows.unique(dim=0), again.unique(dim=0))
    drawn = data(world)
    rows = torch.cat([drawn.batch(step)[0] for step in range(60)])
    assert 500 < len(rows.unique(dim=0)) < len(rows)


def test_fresh_examples_never_come_again(world):
    examples = data(world, name="planted")
    rows = torch.cat([examples.batch(step)[0] for step in range(BLOCK + 10)])
    assert len(rows.unique(dim=0)) == len(rows)


def test_inputs_have_the_standard_deviation(world):
    for name, std in (("two-layer", 1.5), ("deep", 10.0), ("planted", 1.0)):
        inputs = data(world, name=name).held_out("test").inputs
        assert float(inputs.std()) == pytest.approx(std, rel=0.03)
        assert len(inputs) == 500


def test_held_out_examples_are_others_than_those_of_training(world):
    examples = data(world)
    trained = torch.cat([examples.batch(step)[0] for step in range(BLOCK)])
    held = examples.held_out("test").inputs
    assert len(torch.cat([trained.unique(dim=0), held]).unique(dim=0)) == len(trained.unique(dim=0)) + len(held)


def test_scored_batches_are_the_same_at_each_call_and_each_another(world):
    examples = data(world)
    first, second = examples.scored(2), examples.scored(3)
    assert torch.equal(first[1][0], second[1][0])
    assert not torch.equal(first[0][0], first[1][0])


def test_all_arms_of_a_seed_see_the_same_data(world):
    ticket, fresh = data(world), world.build(level=3, fresh=True)._examples
    assert torch.equal(ticket.batch(5)[0], fresh.batch(5)[0])
    assert torch.equal(ticket.held_out("test").targets, fresh.held_out("test").targets)


@pytest.mark.parametrize(("change", "said"), [
    ({"sampling": "epoch"}, "unknown sampling 'epoch': did you mean 'epochs'"),
])  # fmt: skip
def test_an_unknown_sampling_is_told(world, change, said):
    with pytest.raises(UnknownName, match=said):
        data(world, **change)


def test_an_unknown_split_is_told(world):
    with pytest.raises(UnknownName, match="unknown split 'tset': did you mean 'test'"):
        data(world).held_out("tset")


def test_streams_of_training_and_of_holding_out_differ():
    assert Streams(0).integer("data", 0) != Streams(0).integer("eval", 1)
