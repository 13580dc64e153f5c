import pytest
import torch

from domains.vision.optimizers import Adam

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
    adam = Adam(iter(ours), rate=RATE, weight_decay=decay)
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
    adam, plain = Adam(iter(ours), rate=RATE, weight_decay=0.0), torch.optim.Adam(theirs, lr=RATE, fused=True)
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
    adam, seen = Adam(iter(held), rate=RATE, weight_decay=0.0), []

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
    adam, calls = Adam(iter(held), rate=RATE, weight_decay=0.0), []
    begin = held[0].detach().clone()
    adam.register_step_pre_hook(lambda optimizer, *_: calls.append(("before", optimizer, torch.equal(begin, held[0]))))
    adam.register_step_post_hook(lambda optimizer, *_: calls.append(("after", optimizer, torch.equal(begin, held[0]))))
    descend(adam, held, 1)
    assert calls == [("before", adam, True), ("after", adam, False)]


def test_a_parameter_without_a_gradient_is_left_alone():
    held = parameters()
    adam = Adam(iter(held), rate=RATE, weight_decay=DECAY)
    begin = held[1].detach().clone()
    held[0].grad = torch.ones_like(held[0])
    adam.step()
    assert torch.equal(held[1], begin)
    assert set(adam.state) == {held[0]}


def test_a_cleared_state_is_a_fresh_one():
    used, new = parameters(), parameters()
    adam = Adam(iter(used), rate=RATE, weight_decay=0.0)
    descend(adam, used, 5)
    adam.state.clear()
    with torch.no_grad():
        for one, other in zip(used, new, strict=True):
            one.copy_(other)
    descend(adam, used, 5)
    descend(Adam(iter(new), rate=RATE, weight_decay=0.0), new, 5)
    assert all(map(torch.equal, used, new))
