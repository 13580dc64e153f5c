"""The loss is that of fairseq's criterion on the batch that fairseq would make of the same sentences."""

import numpy as np
import pytest
import torch

from bench.streams import Streams
from domains.nlp import border, domain
from domains.nlp.sentences import PAD


@pytest.fixture
def learner():
    return domain.learner(domain.tasks()["nlp/transformer-reverse@smoke"], streams=Streams(0), device="cpu")


def collated(objective, pairs, rows):
    with border.quietly():
        from fairseq.data import LanguagePairDataset
    corpus = objective._corpus
    sides = ([torch.from_numpy(row.astype(np.int64)) for row in side] for side in (pairs.source, pairs.target))
    source, target = sides
    lengths = pairs.source.lengths, pairs.target.lengths
    dataset = LanguagePairDataset(source, lengths[0], corpus.source, target, lengths[1], corpus.target, shuffle=False)
    return dataset.collater([dataset[row] for row in rows])


def test_loss_and_gradients_are_those_of_fairseqs_criterion_on_its_own_batch(learner):
    objective, module = learner._objective, learner.module
    module.eval()
    rows = next(each for each in objective._batches if len(set(objective._train.target.lengths[each])) > 1)
    sample = collated(objective, objective._train, rows)
    with border.quietly():
        theirs, tokens, _ = objective._criterion(module, sample)
    expected = torch.autograd.grad(theirs, list(module.parameters()))
    ours = objective._loss(rows)
    assert (sample["target"] == PAD).any(), "a batch with padding"
    assert ours.tokens == tokens
    assert ours.total.item() == pytest.approx(theirs.item(), rel=1e-6)
    for one, other in zip(torch.autograd.grad(ours.total, list(module.parameters())), expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_nll_is_the_mean_over_target_tokens_without_smoothing(learner):
    objective = learner._objective
    pairs = objective._corpus.splits["val"]
    sample = collated(objective, pairs, np.arange(len(pairs)))
    learner.module.eval()
    with torch.no_grad(), border.quietly():
        logits, _ = learner.module(**sample["net_input"])
        expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), sample["target"].flatten(), ignore_index=PAD)
    assert learner.evaluate("val")["nll"] == pytest.approx(expected.item(), rel=1e-5)


def test_an_epoch_takes_every_batch_once_in_an_order_of_its_own(learner):
    objective = learner._objective
    count = len(objective._batches)
    taken = []
    objective._loss = taken.append
    for index in range(2 * count):
        objective.loss(index)
    first, second = ([tuple(rows) for rows in part] for part in (taken[:count], taken[count:]))
    assert sorted(first) == sorted(second) == sorted(tuple(rows) for rows in objective._batches)
    assert first != second
    assert sorted(row for rows in first for row in rows) == list(range(len(objective._train)))
