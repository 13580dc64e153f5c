"""What a stack holds its seats to, and what they hold of it."""

import pytest
import torch

from bench.errors import SpecError
from bench.streams import Streams
from bench.tickets.attach import Attached
from domains.vision import domain

LENET = domain.tasks()["vision/lenet-mnist@smoke"]


@pytest.fixture
def stack():
    stack = domain.stack(LENET, streams=[Streams(seed) for seed in range(3)], device="cpu")
    for seat in stack.seats:
        seat.load(seat.snapshot())
    return stack


def storages(seat):
    tensors = [
        *seat.module.parameters(),
        *(value for state in seat.optimizer.state.values() for value in state.values()),
    ]
    return {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}


def test_seats_share_memory_while_they_train_and_none_when_they_have_left(stack):
    mask = {name: entries.clone() for name, entries in stack.seats[0].prunable().items()}
    own = sum(parameter.nbytes for parameter in stack.seats[0].module.parameters())
    with Attached(stack.seats[0], mask) as attached:
        stack.train({0: 2, 1: 2, 2: 2})
        shared = storages(stack.seats[0]).keys() & storages(stack.seats[1]).keys()
        assert len(shared) >= 3 * len(mask), "weights and two moments of each parameter"
        kept = attached.keep["output.weight"]
        assert kept.untyped_storage().nbytes() == 3 * kept.nbytes
    stack.train({1: 4, 2: 4})
    assert not storages(stack.seats[0]).keys() & storages(stack.seats[1]).keys()
    assert sum(storages(stack.seats[0]).values()) < 3.1 * own
    assert attached.keep["output.weight"].untyped_storage().nbytes() == kept.nbytes


def test_who_did_not_begin_together_does_not_train_together(stack):
    stack.train({0: 2, 1: 2})
    with pytest.raises(SpecError, match="did not begin together"):
        stack.train({0: 4, 1: 4, 2: 4})
    stack.train({2: 1})
    with pytest.raises(SpecError, match="whose optimizers differ in step"):
        stack.train({0: 4, 1: 4, 2: 4})


def test_hooks_of_a_seats_optimizer_are_called_at_every_update(stack):
    """Whoever watches a learner watches a seat: with its gradients before the step, and its moments after it."""
    seat, seen = stack.seats[1], []

    def before(optimizer, *_):
        assert optimizer is seat.optimizer
        seen.append(("before", seat.module.output.weight.grad.clone()))

    def after(optimizer, *_):
        assert optimizer.state[seat.module.output.weight]["exp_avg"].any()
        seen.append(("after", seat.module.output.weight.detach().clone()))

    seat.optimizer.register_step_pre_hook(before)
    seat.optimizer.register_step_post_hook(after)
    stack.train({0: 2, 1: 2})
    assert [what for what, _ in seen] == ["before", "after"] * 2
    assert torch.equal(seen[-1][1], seat.module.output.weight.detach())


def test_a_seat_trains_itself_if_nobody_has(stack):
    stack.seats[0].train(3)
    assert [seat.step for seat in stack.seats] == [3, 0, 0]
    assert len(stack.company) == 1
    assert stack.module.output.weight.shape[0] == 2, "an empty seat sits beside it"
    assert not stack.module.output.weight[1].any()
