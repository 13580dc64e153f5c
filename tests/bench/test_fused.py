from copy import deepcopy

import pytest
import torch

from bench.fused import Adam, RMSprop

RATE, DECAY = 1.2e-3, 1e-3
SMALLEST = torch.finfo().smallest_normal


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((7, 5), (7,))]


def descend(optimizer, held, updates, *, died=1):
    """Updates by gradients of chance; from the second on the first row, a node's, has none, and the second row never had."""
    generator = torch.Generator().manual_seed(1)
    for update in range(updates):
        for each in held:
            each.grad = torch.randn(each.shape, generator=generator)
            each.grad[1] = 0.0
            if update >= died:
                each.grad[0] = 0.0
        optimizer.step()


def moments(optimizer, key):
    return [state[key] for state in optimizer.state.values()]


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_adam_is_torchs_to_the_bit(decay):
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, lr=RATE, weight_decay=decay)
    plain = torch.optim.Adam(theirs, lr=RATE, weight_decay=decay, fused=True)
    for optimizer, held in ((adam, ours), (plain, theirs)):
        descend(optimizer, held, 50)
        optimizer.param_groups[0]["lr"] = RATE / 10
        descend(optimizer, held, 50)
    assert all(map(torch.equal, ours, theirs))
    for key in ("step", "exp_avg", "exp_avg_sq"):
        assert all(map(torch.equal, moments(adam, key), moments(plain, key)))


def test_denormal_moments_are_flushed_and_no_weight_differs():
    ours, theirs = parameters(), parameters()
    adam, plain = Adam(ours, lr=RATE, weight_decay=0.0), torch.optim.Adam(theirs, lr=RATE, fused=True)
    for optimizer, held in ((adam, ours), (plain, theirs)):
        descend(optimizer, held, 1200)
    for flushed, kept in zip(moments(adam, "exp_avg"), moments(plain, "exp_avg"), strict=True):
        assert (flushed[0] == 0).all()
        assert ((kept[0].abs() > 0) & (kept[0].abs() < SMALLEST)).all(), "the node is not dead for long enough"
        assert torch.equal(flushed[1:], kept[1:])
    assert all(map(torch.equal, ours, theirs))
    for optimizer, held in ((adam, ours), (plain, theirs)):
        descend(optimizer, held, 20, died=20)  # the node lives again
    assert all(map(torch.equal, ours, theirs))
    assert all(map(torch.equal, moments(adam, "exp_avg"), moments(plain, "exp_avg")))


def is_flushing():
    return bool(torch.tensor([SMALLEST]) / 2 == 0)


def test_only_the_kernel_flushes(monkeypatch):
    held = parameters()
    adam, seen = Adam(held, lr=RATE, weight_decay=0.0), []

    def note(*_, **__):
        seen.append(is_flushing())

    def fail(*_, **__):
        note()
        raise RuntimeError("no memory")

    adam.register_step_pre_hook(note)
    adam.register_step_post_hook(note)
    monkeypatch.setattr(torch, "_fused_adam_", note)
    descend(adam, held, 1)
    assert seen == [False, True, False]
    monkeypatch.setattr(torch, "_fused_adam_", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        descend(adam, held, 1)
    assert seen == [False, True, False, False, True]
    assert not is_flushing()


def test_each_hook_is_called_once_before_or_after_each_update():
    held = parameters()
    adam, calls = Adam(held, lr=RATE, weight_decay=0.0), []
    begin = held[0].detach().clone()
    adam.register_step_pre_hook(lambda optimizer, *_: calls.append(("before", optimizer, torch.equal(begin, held[0]))))
    adam.register_step_post_hook(lambda optimizer, *_: calls.append(("after", optimizer, torch.equal(begin, held[0]))))
    descend(adam, held, 1)
    assert calls == [("before", adam, True), ("after", adam, False)]


def test_a_parameter_without_a_gradient_is_left_alone():
    held = parameters()
    adam = Adam(held, lr=RATE, weight_decay=DECAY)
    begin = held[1].detach().clone()
    held[0].grad = torch.ones_like(held[0])
    adam.step()
    assert torch.equal(held[1], begin)
    assert set(adam.state) == {held[0]}


def test_a_cleared_state_is_a_fresh_one():
    used, new = parameters(), parameters()
    adam = Adam(used, lr=RATE, weight_decay=0.0)
    descend(adam, used, 5)
    adam.state.clear()
    with torch.no_grad():
        for one, other in zip(used, new, strict=True):
            one.copy_(other)
    descend(adam, used, 5)
    descend(Adam(new, lr=RATE, weight_decay=0.0), new, 5)
    assert all(map(torch.equal, used, new))


def stacks(rows, seed=0):
    """Parameters of networks whose sizes leave a rest in every width of a vector register."""
    generator = torch.Generator().manual_seed(seed)
    whole = [torch.randn(shape, generator=generator) for shape in ((5, 7, 9), (5, 13))]
    return [torch.nn.Parameter(each[:rows].clone()) for each in whole]


def push(optimizer, held, updates=30):
    """Updates by gradients of chance, the same ones for each row of any stack."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(updates):
        for each in held:
            each.grad = torch.randn((5, *each.shape[1:]), generator=generator)[: len(each)].clone()
        optimizer.step()


def test_rmsprop_is_torchs_but_for_rounding_and_keeps_the_same_state():
    ours, theirs = stacks(5), stacks(5)
    fast, plain = (
        RMSprop(ours, lr=RATE, alpha=0.98, eps=1e-5),
        torch.optim.RMSprop(theirs, lr=RATE, alpha=0.98, eps=1e-5),
    )
    for optimizer, held in ((fast, ours), (plain, theirs)):
        push(optimizer, held)
        for group in optimizer.param_groups:
            group["lr"] = RATE / 10
        push(optimizer, held)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for key in ("step", "square_avg"):
        torch.testing.assert_close(moments(fast, key), moments(plain, key), rtol=1e-5, atol=1e-6)


def test_rmsprop_leaves_gradients_as_they_are():
    held = stacks(5)
    optimizer, seen = RMSprop(held, lr=RATE), []
    optimizer.register_step_pre_hook(lambda *_: seen.append([each.grad.clone() for each in held]))
    push(optimizer, held)
    assert all(map(torch.equal, seen[-1], (each.grad for each in held)))


@pytest.mark.parametrize("kind", [Adam, RMSprop])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_does_not_depend_on_the_rows_beside_it(kind, rows):
    few, many = stacks(rows), stacks(5)
    for held in (few, many):
        push(kind(held, lr=RATE, by_row=True), held)
    for one, other in zip(few, many, strict=True):
        assert torch.equal(one, other[:rows])


@pytest.mark.parametrize("kind", [Adam, RMSprop])
def test_rows_follow_parameters_and_moments_to_new_memory(kind):
    ours, theirs = stacks(3), stacks(3)
    moved, plain = (kind(held, lr=RATE, by_row=True) for held in (ours, theirs))
    for _ in range(2):
        push(moved, ours)
        push(plain, theirs)
        for each in ours:
            each.data = each.data.clone()
            moved.state[each] = {key: value.clone() for key, value in moved.state[each].items()}
    assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("kind", [Adam, RMSprop])
def test_a_copy_of_weights_and_optimizer_goes_on_as_the_original_does(kind, by_row):
    """As `speed` copies them; a copy shares nothing, and keeps how it is executed."""
    held = [torch.nn.Parameter(each.detach().unsqueeze(-1)) for each in parameters()]
    optimizer = kind(held, lr=RATE, by_row=by_row)
    descend(optimizer, held, 5)
    copied, copy = deepcopy((held, optimizer))
    for each, own in ((optimizer, held), (copy, copied)):
        descend(each, own, 5)
    assert all(map(torch.equal, held, copied))
    descend(copy, copied, 1)
    assert not any(map(torch.equal, held, copied))
