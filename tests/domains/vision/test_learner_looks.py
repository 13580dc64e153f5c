from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from bench.errors import Diverged
from bench.streams import Streams
from bench.tickets.conformance.equality import differing
from domains.vision import domain
from domains.vision import learner as learner_module


def build(task, streams=None):
    return domain.learner(task, streams=streams or Streams(0), device="cpu")


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("limit", [None, 70])
def test_evaluation_equals_brute_force(either, split, limit):
    learner = build(replace(either, evaluation={split: limit} if limit else {}))
    learner.train(10)
    found = learner.evaluate(split)
    examples = learner._splits[split]
    images, labels = examples.at(torch.arange(limit or len(examples)))
    module = learner.module.eval()
    logits = torch.cat([module(image[None]) for image in images])
    right = sum(int(row.argmax() == label) for row, label in zip(logits, labels, strict=True))
    assert found["accuracy"] == 100 * right / len(labels)
    assert found["loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)


def test_accuracy_is_exact_when_batches_do_not_divide(task, monkeypatch):
    learner = build(task)
    whole = learner.evaluate("test")
    monkeypatch.setattr(learner_module, "EVALUATION_BATCH", 7)
    assert learner.evaluate("test")["accuracy"] == whole["accuracy"]
    assert learner.evaluate("test")["loss"] == pytest.approx(whole["loss"], rel=1e-6)


def test_evaluating_and_scoring_change_nothing(either):
    plain, looked = build(either), build(either)
    for until in (4, 12, 20):
        plain.train(until)
        looked.train(until)
        before, random = looked.snapshot(), torch.get_rng_state()
        for split in ("val", "test"):
            assert looked.evaluate(split) == looked.evaluate(split)
        for loss in looked.losses(2):
            torch.autograd.backward(loss)
        looked.forward_ones()
        assert looked.module.training
        assert not differing(looked.snapshot(), before)
        assert torch.equal(torch.get_rng_state(), random)
    assert not differing(plain.snapshot(), looked.snapshot())


def test_the_mode_is_left_as_it_was_found(normed):
    learner = build(normed)
    for training in (True, False):
        learner.module.train(training)
        learner.evaluate("val")
        next(learner.losses(1))
        learner.forward_ones()
        assert learner.module.training is training


def test_losses_are_repeatable_and_of_different_batches(either):
    learner = build(either)
    first = [loss.item() for loss in learner.losses(3)]
    assert [loss.item() for loss in learner.losses(2)] == first[:2]
    assert len(set(first)) == 3
    learner.train(5)
    learner.load(replace(build(either).snapshot(), step=5))
    assert [loss.item() for loss in learner.losses(3)] == first  # wherever training is
    assert [loss.item() for loss in build(either, Streams(1)).losses(3)] != first


def test_losses_carry_their_graphs_while_others_are_drawn(normed):
    learner = build(normed)
    kept = list(learner.losses(2))
    weight = learner.module.get_parameter("1.weight")
    gradients = [torch.autograd.grad(loss, weight)[0] for loss in kept]
    assert all(gradient.any() for gradient in gradients)


def test_losses_are_those_of_training_mode(normed):
    learner = build(normed)
    loss = next(learner.losses(1)).item()
    rows = torch.from_numpy(Streams(0).numpy("score").choice(600, 60, replace=False))
    images, labels = learner._splits["train"].at(rows)
    in_training = F.cross_entropy(learner.module.train()(images), labels).item()
    in_evaluation = F.cross_entropy(learner.module.eval()(images), labels).item()
    assert loss == in_training != in_evaluation


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_losses_are_of_logits_divided_by_the_temperature(task, temperature):
    """As GraSP has it: with the temperature ignored its row of the table is another method's."""
    learner = build(task)
    generator = Streams(0).numpy("score")
    for loss in learner.losses(2, temperature=temperature):
        images, labels = learner._splits["train"].at(torch.from_numpy(generator.choice(600, 60, replace=False)))
        expected = F.cross_entropy(learner.module(images) / temperature, labels)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_one_all_ones_example_goes_through_the_module(task):
    learner, seen = build(task), []
    learner.module.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    output = learner.forward_ones()
    assert output.shape == (1, 10)
    assert seen == [(1, 1, 28, 28)]
    torch.testing.assert_close(output, learner.module(torch.ones(1, 1, 28, 28)))
    assert torch.autograd.grad(output.sum(), learner.module.hidden[0].weight)[0].any()
    learner.module.double()
    assert learner.forward_ones().dtype == torch.float64


def test_an_all_ones_example_is_seen_in_evaluation_mode(normed):
    learner = build(normed)
    learner.train(3)
    before = learner.snapshot()
    expected = learner.module.eval()(torch.ones(1, 1, 28, 28))
    learner.module.train()
    torch.testing.assert_close(learner.forward_ones(), expected)
    assert not differing(learner.snapshot(), before)


def test_every_entry_of_every_parameter_may_be_pruned(normed):
    learner = build(normed)
    parameters = dict(learner.module.named_parameters())
    prunable = learner.prunable()
    assert prunable.keys() == parameters.keys()
    assert all(each.dtype == torch.bool and each.all() for each in prunable.values())
    assert all(each.shape == parameters[name].shape for name, each in prunable.items())


def test_an_evaluation_that_is_not_finite_is_divergence(task):
    learner = build(task)
    with torch.no_grad():
        learner.module.output.bias[0] = torch.nan
    with pytest.raises(Diverged, match="val loss"):
        learner.evaluate("val")
    assert learner.module.training
