from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from bench.doors import ForwardsOnes, KeepsItems
from bench.errors import Diverged, MissingPackage, SpecError, UnknownName
from bench.learner import Learner
from bench.spec import Pruning
from bench.streams import Streams
from bench.tickets import masks
from bench.tickets.attach import Attached
from bench.tickets.conformance import check_learner, check_method
from bench.tickets.methods import METHODS
from domains.nlp import border, domain

KEYS = ("nlp/transformer-reverse@smoke", "nlp/lstm-bible@smoke")


@pytest.fixture(scope="module")
def tasks():
    return domain.tasks()


@pytest.fixture(params=KEYS, ids=("transformer", "lstm"))
def task(request, tasks):
    return tasks[request.param]


@pytest.fixture
def transformer(tasks):
    return tasks[KEYS[0]]


def build(task, streams=None, width=1.0, **config):
    changed = replace(task, config={**task.config, **config})
    return domain.learner(changed, streams=streams or Streams(0), device="cpu", width=width)


def same(one, other):
    return one.weights.keys() == other.weights.keys() and all(
        torch.equal(one.weights[name], other.weights[name]) for name in one.weights
    )


def halved(learner):
    """A mask that keeps every second prunable entry of each parameter, and the entries that are prunable."""
    entries = masks.prunable(learner, Pruning(scope="global", biases=True))
    mask = {}
    for name, prunable in entries.items():
        keep = torch.ones_like(prunable)
        keep.view(-1)[::2] = False
        mask[name] = keep | ~prunable
    return mask, entries


@pytest.mark.slow
def test_the_learner_conforms(task):
    assert check_learner(domain, task) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ticket", "small-dense", "grasp", "rigl"])
def test_methods_conform(transformer, method):
    assert check_method(METHODS[method], domain, transformer) == []


@pytest.mark.slow
def test_tickets_of_language_models_conform(tasks):
    assert check_method(METHODS["ticket"], domain, tasks[KEYS[1]]) == []


def test_it_offers_what_a_text_model_has(task):
    learner = build(task)
    assert isinstance(learner, Learner)
    assert isinstance(learner, KeepsItems)
    assert not isinstance(learner, ForwardsOnes)


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_thirty_masked_updates_leave_pruned_entries_exactly_zero(task, clip):
    learner = build(replace(task, budget=30), clip=clip)
    mask, entries = halved(learner)
    learner.load(learner.snapshot().masked(mask))
    before = learner.snapshot()
    with Attached(learner, mask):
        learner.train(30)
    after = learner.snapshot()
    for name in entries:
        assert not after.weights[name][~mask[name]].any(), name
    assert not same(before, after)


def test_the_clip_sees_the_norm_of_the_live_weights(transformer, monkeypatch):
    learner = build(transformer, clip=1e9)
    mask, _ = halved(learner)
    learner.load(learner.snapshot().masked(mask))
    norms = []

    def clip(parameters, _):
        live = [(each.grad * mask.get(name, 1)).flatten() for name, each in learner.module.named_parameters()]
        found = nn.utils.get_total_norm([each.grad for each in parameters])
        norms.append((found.item(), torch.cat(live).norm().item()))

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", clip)
    with Attached(learner, mask):
        learner.train(3)
    assert len(norms) == 3
    for seen, live in norms:
        assert seen == pytest.approx(live, rel=1e-5)


@pytest.mark.parametrize("clip", [0.05, 1e9])
def test_the_clip_is_torchs_of_the_gradient_of_the_mean_loss(transformer, clip):
    """Its norm is that of the mean over tokens: clipping the sum would shrink nearly every gradient."""
    dry = {**transformer.config["model"], "dropout": 0.0}
    learner, twin = (build(transformer, clip=clip, model=dry) for _ in range(2))
    taken = []
    learner.optimizer.register_step_pre_hook(
        lambda *_: taken.append([parameter.grad.clone() for parameter in learner.module.parameters()])
    )
    learner.train(1)
    loss = twin._objective.loss(0)
    (loss.total / loss.tokens).backward()
    norm = nn.utils.clip_grad_norm_(twin.module.parameters(), clip)
    assert 0.05 < norm < loss.tokens * 0.05, "the mean is clipped at the one norm and not at the other"
    for ours, plain in zip(taken[0], twin.module.parameters(), strict=True):
        torch.testing.assert_close(ours, plain.grad, rtol=1e-4, atol=1e-7)


def test_without_a_clip_nothing_is_clipped(transformer, monkeypatch):
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", None)
    build(transformer, clip=0.0).train(1)


def test_the_gradient_is_that_of_the_mean_over_tokens_however_many_batches(transformer):
    """Two batches an update: their summed losses over their tokens together, as fairseq's trainer has it."""
    dry = {**transformer.config["model"], "dropout": 0.0}
    learner, twin = (build(transformer, batches=2, clip=0.0, model=dry) for _ in range(2))
    taken = []
    learner.optimizer.register_step_pre_hook(
        lambda *_: taken.append([each.grad.clone() for each in learner.module.parameters()])
    )
    learner.train(1)
    losses = [twin._objective.loss(index) for index in (0, 1)]
    (sum(loss.total for loss in losses) / sum(loss.tokens for loss in losses)).backward()
    for mine, theirs in zip(taken[0], twin.module.parameters(), strict=True):
        assert torch.allclose(mine, theirs.grad, atol=1e-6)


def test_tied_embeddings_are_one_tensor_before_and_after(transformer):
    learner = build(transformer)
    names = [name for name, _ in learner.module.named_parameters()]
    assert [name for name in names if "embed" in name or "output_projection" in name] == ["encoder.embed_tokens.weight"]

    def tied():
        module = learner.module
        weights = (module.encoder.embed_tokens, module.decoder.embed_tokens, module.decoder.output_projection)
        return len({each.weight.data_ptr() for each in weights}) == 1

    assert tied()
    other = build(transformer, Streams(1)).snapshot()
    learner.load(other)
    assert tied()
    assert torch.equal(learner.module.decoder.output_projection.weight, other.weights["encoder.embed_tokens.weight"])


def test_padding_is_neither_counted_nor_pruned(task):
    learner = build(task)
    entries = learner.prunable()
    assert entries.keys() == dict(learner.module.named_parameters()).keys()
    padded = [name for name, each in entries.items() if not each.all()]
    assert padded == [name for name in entries if "embed_tokens" in name]
    for name in padded:
        assert (~entries[name]).nonzero()[:, 0].unique().tolist() == [1]


def test_the_same_seed_gives_the_same_losses_to_the_bit(task):
    one, two = (build(task) for _ in range(2))
    torch.manual_seed(7)  # the global state does not matter
    one.train(7)
    two.train(3)
    two.train(7)
    assert same(one.snapshot(), two.snapshot())
    assert one.evaluate("val") == two.evaluate("val")
    assert not same(build(task, Streams(1)).snapshot(), build(task).snapshot())


def test_a_loaded_learner_equals_another_that_loaded_the_same(task):
    source = build(task)
    source.train(4)
    state = source.snapshot()
    fresh, used = build(task), source
    used.train(9)
    for learner in (fresh, used):
        learner.load(state)
        learner.train(8)
    assert same(fresh.snapshot(), used.snapshot())
    assert not same(fresh.snapshot(), state)


def test_dropout_depends_on_seed_and_step_alone(transformer):
    learner = build(transformer)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    learner.train(2)
    learner.evaluate("val")
    list(learner.losses(2))
    assert torch.equal(before, torch.get_rng_state())
    dry = build(transformer, model={**transformer.config["model"], "dropout": 0.0})
    dry.train(2)
    assert not same(dry.snapshot(), learner.snapshot())


def of_these(objective, rows, *_, **__):
    """The loss of the same sentences, whichever are asked for."""
    return objective._loss(rows)


def test_consecutive_batches_are_dropped_out_differently(transformer):
    """The same sentences again and again: the loss differs by nothing but the dropout."""
    learner, other = build(transformer), build(transformer, Streams(1))
    other.load(learner.snapshot())
    rows = learner._objective._batches[0]
    for each in (learner, other):
        each.module.train()
        each._objective.loss = each._objective.drawn = partial(of_these, each._objective, rows)
    losses = [learner._gradients(index).total.item() for index in range(4)]
    assert len(set(losses)) == 4
    assert [learner._gradients(index).total.item() for index in range(4)] == losses
    assert [other._gradients(index).total.item() for index in range(4)] != losses
    scored = [loss.item() for loss in learner.losses(3)]
    assert len(set(scored)) == 3
    assert [loss.item() for loss in other.losses(3)] != scored


def test_every_batch_of_an_update_has_a_dropout_and_sentences_of_its_own(transformer):
    learner = build(transformer, batches=3)
    seen = []
    loss = learner._objective.loss
    learner._objective.loss = lambda index: (seen.append((index, torch.initial_seed())), loss(index))[1]
    learner.train(2)
    assert seen == [(index, Streams(0).integer("augment", index)) for index in range(6)]


def test_an_update_is_a_step_however_many_batches_it_has(transformer):
    learner = build(transformer, batches=3)
    taken = []
    learner.optimizer.register_step_post_hook(lambda *_: taken.append(1))
    learner.train(4)
    assert (learner.step, learner.updates, len(taken)) == (4, 4, 4)
    learner.load(replace(learner.snapshot(), step=2, updates=7))
    learner.train(3)
    assert (learner.step, learner.updates) == (3, 8)


def test_adam_has_the_options_of_the_task(tasks):
    adam = build(tasks[KEYS[0]], weight_decay=1e-3, betas=[0.8, 0.95], eps=1e-5).optimizer
    assert isinstance(adam, torch.optim.Adam)
    found = {name: adam.defaults[name] for name in ("betas", "eps", "weight_decay")}
    assert found == {"betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 1e-3}
    assert build(tasks[KEYS[0]]).optimizer.defaults["weight_decay"] == 0
    assert build(tasks[KEYS[1]]).optimizer.param_groups[0]["lr"] == 3e-3


def test_losses_are_per_token_in_training_mode(task):
    learner = build(task)
    learner.module.eval()
    generator = Streams(0).numpy("score")
    for index, loss in enumerate(learner.losses(2)):
        assert loss.requires_grad
        learner.module.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(Streams(0).integer("score", index))
            expected = learner._objective.drawn(generator, temperature=1.0)
        learner.module.eval()
        assert loss.item() == pytest.approx((expected.total / expected.tokens).item(), rel=1e-5)


def test_losses_can_be_differentiated_twice(task):
    learner = build(task)
    parameters = list(learner.module.parameters())
    [loss] = learner.losses(1)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    second = torch.autograd.grad(sum(gradient.square().sum() for gradient in gradients), parameters, allow_unused=True)
    assert any(gradient is not None and gradient.any() for gradient in second)


def test_a_loaded_state_forgets_gradients_moments_memory_and_what_was_scored(task):
    learner = build(replace(task, budget=2, rewind_step=0), average={"last": 2, "every": 1})
    begin = learner.snapshot()
    learner.train(2)
    learner.evaluate("test")
    learner.load(replace(begin, step=2, updates=2))
    assert learner.scored_items() is None
    assert not learner.optimizer.state
    assert all(parameter.grad is None for parameter in learner.module.parameters())
    assert getattr(learner._objective, "_memory", None) is None
    plain = build(replace(task, budget=2, rewind_step=0))
    plain.load(replace(begin, step=2, updates=2))
    assert learner.evaluate("test") == plain.evaluate("test"), "no checkpoint of the training before"


def test_evaluation_changes_nothing_and_searches_at_the_end_only(transformer):
    learner = build(transformer)
    learner.train(transformer.budget - 1)
    before = learner.snapshot()
    assert learner.evaluate("test").keys() == {"nll"}
    assert learner.scored_items() is None
    assert same(before, learner.snapshot())
    assert learner.module.training
    learner.train(transformer.budget)
    assert learner.evaluate("val").keys() == {"nll"}
    assert learner.evaluate("test").keys() == set(transformer.directions)
    assert learner.module.training
    items = learner.scored_items()
    assert items["split"] == "test"
    assert len(items["statistics"]) == 200


def test_losses_are_the_same_at_each_call_and_differ_by_temperature(task):
    learner = build(task)
    learner.train(2)
    before = learner.snapshot()
    one, two = ([loss.item() for loss in learner.losses(3)] for _ in range(2))
    assert one == two
    assert len(set(one)) == 3
    hot = [loss.item() for loss in learner.losses(3, temperature=200.0)]
    assert len({round(loss, 1) for loss in hot}) == 1, "nearly uniform predictions"
    assert same(before, learner.snapshot())


def test_the_average_is_evaluated_and_the_last_weights_are_kept(transformer):
    """Magnitudes for pruning come from the final weights; a weight that is pruned is zero in the average too."""
    budget = 6
    plain = build(replace(transformer, budget=budget))
    learner = build(replace(transformer, budget=budget), average={"last": 3, "every": 2})
    checkpoints = []
    for step in (2, 4, 6):
        plain.train(step)
        checkpoints.append(plain.snapshot())
    learner.train(budget)
    assert same(learner.snapshot(), plain.snapshot())
    averaged = {
        name: torch.stack([state.weights[name] for state in checkpoints]).mean(0) for name in checkpoints[0].weights
    }
    found = learner.evaluate("test")
    assert found != plain.evaluate("test")
    plain.load(replace(plain.snapshot(), weights=averaged))
    assert found == plain.evaluate("test")
    assert same(learner.snapshot(), checkpoints[-1])


def test_the_final_state_is_scored_anew_as_it_was(transformer):
    """With its average, as `verify --replay` evaluates it; whoever trains on or looks between two states begins without."""
    averaging = replace(transformer, budget=6, config={**transformer.config, "average": {"last": 3, "every": 1}})
    learner, other, plain = (build(task) for task in (averaging, averaging, replace(transformer, budget=6)))
    learner.train(6)
    final, found = learner.snapshot(), learner.evaluate("test")
    other.load(final)
    assert other.evaluate("test") == found
    assert other.snapshot().buffers.keys() == final.buffers.keys()
    plain.load(learner.unaccounted(final))
    raw = plain.evaluate("test")
    assert raw != found
    other.reestimate()
    assert other.evaluate("test") == raw
    other.load(learner.unaccounted(final))
    assert other.evaluate("test") == raw
    other.load(final)
    other.train(7)
    plain.train(7)
    learner.load(learner.unaccounted(final))
    learner.train(7)
    assert same(other.snapshot(), plain.snapshot())
    assert other.evaluate("test") == learner.evaluate("test")


def test_the_average_is_not_evaluated_on_the_way(transformer):
    learner = build(replace(transformer, budget=6), average={"last": 3, "every": 1})
    plain = build(replace(transformer, budget=6))
    for each in (learner, plain):
        each.train(4)
    for split in ("val", "test"):
        assert learner.evaluate(split) == plain.evaluate(split), "four checkpoints were taken, none is used yet"
    for each in (learner, plain):
        each.train(6)
    assert learner.evaluate("val") != plain.evaluate("val")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains_with_float32_weights_and_exact_zeros(transformer, precision):
    learner = build(transformer, precision=precision)
    mask, entries = halved(learner)
    learner.load(learner.snapshot().masked(mask))
    before = learner.evaluate("val")["nll"]
    with Attached(learner, mask):
        learner.train(transformer.budget)
    assert learner.evaluate("val")["nll"] < before
    for name, parameter in learner.module.named_parameters():
        assert parameter.dtype == torch.float32
        if name in entries:
            assert not parameter[~mask[name]].any()


def overflows(learner):
    """Whether each update's gradients are all zero when it is over, and whether it moved a weight."""
    seen = []
    before = [each.detach().clone() for each in learner.module.parameters()]

    def look(*_):
        now = [each.detach().clone() for each in learner.module.parameters()]
        nothing = not any(bool(each.grad.any()) for each in learner.module.parameters() if each.grad is not None)
        seen.append((nothing, any(not torch.equal(*pair) for pair in zip(before, now, strict=True))))
        before[:] = now

    learner.optimizer.register_step_post_hook(look)
    return seen


def test_a_float16_update_that_overflows_is_no_divergence_and_moves_nothing(transformer):
    """The first scale is too large for these losses, so a masked training begins with such updates, at which it is checked."""
    learner = build(transformer, precision="fp16")
    mask, _ = halved(learner)
    learner.load(learner.snapshot().masked(mask))
    seen = overflows(learner)
    with Attached(learner, mask) as attached:
        for step in range(1, transformer.budget + 1):
            learner.train(step)
            attached.check()
    assert {nothing for nothing, _ in seen} == {True, False}
    assert all(nothing is not moved for nothing, moved in seen)


def test_a_loaded_float16_learner_has_the_first_scale_of_gradients_again(transformer):
    learner = build(transformer, precision="fp16")
    begin, seen = learner.snapshot(), overflows(learner)
    for _ in range(2):
        learner.load(begin)
        learner.train(transformer.budget)
    assert [nothing for nothing, _ in seen[: len(seen) // 2]] == [nothing for nothing, _ in seen[len(seen) // 2 :]]
    assert seen[0][0]


def test_learning_rates_resume_or_restart(transformer):
    learner = build(transformer, rate=1.0, warmup=4)
    rates = []
    learner.optimizer.register_step_pre_hook(lambda *_: rates.append(learner.optimizer.param_groups[0]["lr"]))
    state = learner.snapshot()
    learner.load(replace(state, step=8))
    learner.train(9)
    learner.load(replace(state, step=8, origin=8))
    learner.train(10)
    assert rates[0] == pytest.approx((4 / 8) ** 0.5)
    assert rates[1:] == pytest.approx([1e-7, 0.25], rel=1e-6)


def test_width_scales_the_network_to_whole_heads(transformer):
    sizes = [
        sum(each.numel() for each in build(transformer, width=width).module.parameters()) for width in (0.3, 0.5, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_loss_that_is_not_finite_is_a_divergence(transformer):
    learner = build(transformer, rate=1e30, warmup=1)
    with pytest.raises(Diverged):
        learner.train(10)


def test_names_that_do_not_exist(transformer):
    for wrong in ({"objective": "poetry"}, {"schedule": "cosine"}, {"precision": "fp8"}):
        with pytest.raises(UnknownName, match="known are"):
            build(transformer, **wrong)
    with pytest.raises(UnknownName, match="architecture of fairseq 'transformer_wmt_en_dee': did you mean"):
        build(transformer, model={"architecture": "transformer_wmt_en_dee"})
    with pytest.raises(UnknownName, match="split 'train'"):
        build(transformer).evaluate("train")
    with pytest.raises(SpecError, match="constant_rate"):
        build(replace(transformer, constant_rate=True))


def test_a_missing_package_names_the_extra(transformer, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "domains.nlp.learner", None)
    with pytest.raises(MissingPackage, match=r"pip install 'ticketbench\[nlp\]'"):
        build(transformer)


def test_weights_decay_as_in_fairseqs_adam_beside_the_gradient_and_not_in_it(transformer):
    """Its Adam is that of 1711.05101, and so is its recipe for IWSLT'14; a decay in the gradient is scaled by the moments."""
    with border.quietly():
        from fairseq.optim.adam import Adam

    learner = build(transformer, weight_decay=0.1, warmup=1, eps=1e-16)  # where eps stands differs
    theirs = [each.detach().clone() for each in learner.module.parameters()]
    plain = Adam(theirs, lr=1.0, betas=(0.9, 0.98), eps=1e-16, weight_decay=0.1)

    def follow(*_):
        for own, other in zip(learner.module.parameters(), theirs, strict=True):
            other.grad = own.grad.clone()
        plain.param_groups[0]["lr"] = learner.optimizer.param_groups[0]["lr"]
        plain.step()

    learner.optimizer.register_step_pre_hook(follow)
    learner.train(5)
    assert all(
        torch.allclose(own, other, rtol=0, atol=1e-5)
        for own, other in zip(learner.module.parameters(), theirs, strict=True)
    )
