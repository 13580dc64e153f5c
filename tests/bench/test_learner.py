"""What every learner shares: a state in and out, the mode, finite numbers, and the loop."""

from dataclasses import replace

import pytest
import torch
from example import MOONS, Moons
from torch import nn

from bench.errors import Diverged, SpecError
from bench.learner import CHECK_EVERY, State, check_finite, copy_state, every_entry, mode, restore, train_to
from bench.streams import Streams


def build(width=1.0, seed=0):
    return Moons(MOONS, Streams(seed), width)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight


class Bare:
    """The least that has a state: no data, no loss."""

    def __init__(self, module):
        self.module, self.optimizer = module, torch.optim.SGD(module.parameters(), lr=0.1)
        self.step = self.updates = self.origin = 0

    def update(self):
        self.step += 1
        self.updates += 1
        return self.loss(self.step)


def test_a_state_is_a_copy_of_everything():
    learner = build()
    learner.train(3)
    learner.origin = 2
    extra = torch.ones(2)
    state = copy_state(learner, buffers={"window": extra}, scalars={"episodes": 7})
    assert (state.step, state.updates, state.origin, state.scalars) == (3, 3, 2, {"episodes": 7})
    assert state.weights.keys() == dict(learner.module.named_parameters()).keys()
    assert state.buffers.keys() == {*dict(learner.module.named_buffers()), "window"}
    assert not any(weight.requires_grad for weight in state.weights.values())
    held = {tensor.data_ptr() for tensor in (*learner.module.parameters(), *learner.module.buffers())}
    assert not held & {tensor.data_ptr() for tensor in (*state.weights.values(), *state.buffers.values())}
    assert torch.equal(state.buffers["1.running_mean"], learner.module[1].running_mean)


def test_tied_weights_are_copied_once_and_stay_tied():
    learner = Bare(Tied())
    state = copy_state(learner)
    assert list(state.weights) == ["first.weight"]
    restore(learner, replace(state, weights={"first.weight": torch.full((2, 2), 3.0)}))
    assert learner.module.second.weight is learner.module.first.weight
    assert (learner.module.second.weight == 3).all()


def test_restoring_copies_into_the_same_objects_and_forgets_the_optimizers_past():
    learner, other = build(), build(seed=1)
    learner.train(5)
    other.train(2)
    state = replace(copy_state(other), origin=1)
    objects = [*learner.module.parameters(), *learner.module.buffers()]
    restore(learner, state)
    assert all(one is two for one, two in zip(objects, [*learner.module.parameters(), *learner.module.buffers()], strict=True))  # fmt: skip
    assert not learner.optimizer.state
    assert all(parameter.grad is None for parameter in learner.module.parameters())
    assert (learner.step, learner.updates, learner.origin) == (2, 2, 1)
    for kind, tensors in (("weights", learner.module.named_parameters()), ("buffers", learner.module.named_buffers())):
        assert all(torch.equal(tensor, getattr(state, kind)[name]) for name, tensor in tensors)
    kept = {name: weight.clone() for name, weight in state.weights.items()}
    learner.train(4)
    assert all(torch.equal(kept[name], weight) for name, weight in state.weights.items())


def without(tensors, name):
    return {key: tensor for key, tensor in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda state: replace(state, weights=without(state.weights, "4.bias")), "another model: 4.bias"),
        (lambda state: replace(state, weights={**state.weights, "5.bias": torch.ones(1)}), "another model: 5.bias"),
        (lambda state: replace(state, buffers=without(state.buffers, "1.running_var")), "another model: 1.running_var"),
        (lambda state: replace(state, weights={**state.weights, "4.bias": torch.ones(1)}), r"4.bias is \(1,\), not \(2,\)"),
        (lambda state: replace(state, buffers={**state.buffers, "1.running_var": torch.ones(1)}), r"\(1,\), not \(16,\)"),
    ],
    ids=["missing", "strange", "buffer-missing", "narrower", "buffer-narrower"],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, line):
    learner = build()
    before = copy_state(learner)
    with pytest.raises(SpecError, match=line):
        restore(learner, change(build(seed=1).snapshot()))
    assert all(torch.equal(before.weights[name], weight) for name, weight in learner.module.named_parameters())


def test_buffers_that_the_module_does_not_have_are_the_callers():
    learner = Bare(nn.Linear(2, 2))
    restore(learner, replace(copy_state(learner), buffers={"window": torch.ones(3)}))
    assert copy_state(learner).buffers == {}


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_put_back_even_after_an_error(found, training):
    module = nn.Sequential(nn.BatchNorm1d(2)).train(found)
    with pytest.raises(ZeroDivisionError), mode(module, training=training):
        1 / (module[0].training is not training)
    assert module.training is module[0].training is found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor([[1.0, -torch.inf]])])
def test_the_first_value_that_is_not_finite_is_named(value):
    check_finite(3, [("a", 1.0), ("b", torch.zeros(2))])
    with pytest.raises(Diverged, match="b is not finite at step 3") as caught:
        check_finite(3, [("a", 1.0), ("b", value), ("c", value)])
    assert caught.value.step == 3


def test_the_loop_ends_at_its_step_in_training_mode():
    learner = Bare(nn.Linear(2, 2).eval())
    learner.loss = lambda step: torch.zeros(())
    train_to(learner, 3, learner.update)
    assert (learner.step, learner.updates, learner.module.training) == (3, 3, True)
    train_to(learner, 3, learner.update)
    assert learner.step == 3


@pytest.mark.parametrize(("until", "step"), [(CHECK_EVERY + 9, CHECK_EVERY), (7, 7)], ids=["on-the-way", "at-the-end"])
def test_the_loop_looks_at_its_losses_on_the_way_and_in_the_end(until, step):
    learner = Bare(nn.Linear(2, 2))
    learner.loss = lambda step: torch.tensor(torch.nan)
    with pytest.raises(Diverged, match=f"the training loss is not finite at step {step}"):
        train_to(learner, until, learner.update)


def test_the_loop_looks_at_every_weight_in_the_end():
    learner = Bare(nn.Linear(2, 2))
    learner.loss = lambda step: torch.zeros(())
    learner.module.bias.data[1] = torch.nan
    with pytest.raises(Diverged, match="bias is not finite at step 2"):
        train_to(learner, 2, learner.update)


def test_every_entry_is_true_in_the_shape_of_its_parameter():
    module = nn.Linear(3, 2)
    entries = every_entry(module)
    assert {name: tuple(entry.shape) for name, entry in entries.items()} == {"weight": (2, 3), "bias": (2,)}
    assert all(entry.dtype == torch.bool and entry.all() for entry in entries.values())
    module.weight.requires_grad_(requires_grad=False)
    assert every_entry(module).keys() == {"bias"}, "what is frozen is not pruned"


@pytest.mark.parametrize("row", [0, -1])
def test_the_row_of_an_embedding_for_padding_is_no_weight(row):
    """It stays zero, so that magnitude would prune it first, and chance would keep it in vain."""
    module = nn.ModuleList([nn.Embedding(5, 3, padding_idx=row), nn.Embedding(4, 3)])
    entries = every_entry(module)
    assert entries["0.weight"].all(1).tolist() == [place != row % 5 for place in range(5)]
    assert entries["1.weight"].all()
    module[0].requires_grad_(False)
    assert every_entry(module).keys() == {"1.weight"}


def test_a_masked_state_has_exact_zeros_and_shares_nothing():
    state = State(weights={"a": torch.tensor([1.0, -2.0]), "b": torch.ones(1)}, step=3)
    masked = state.masked({"a": torch.tensor([True, False])})
    assert masked.weights["a"].tolist() == [1.0, 0.0]
    assert masked.step == 3
    assert all(masked.weights[name].data_ptr() != weight.data_ptr() for name, weight in state.weights.items())
