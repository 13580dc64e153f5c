"""The language model reads running text as its papers do: windows of columns, the state carried along."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench.streams import Streams
from domains.nlp import domain
from domains.nlp.language import logits_of, updates


@pytest.fixture
def learner():
    return domain.learner(domain.tasks()["nlp/lstm-bible@smoke"], streams=Streams(0), device="cpu")


def test_logits_equal_fairseqs_own_forward_pass(learner):
    read = torch.from_numpy(np.random.default_rng(0).integers(4, 100, (3, 11)))
    learner.module.eval()
    with torch.no_grad():
        ours, _ = logits_of(learner.module, read, None)
        theirs, _ = learner.module(read)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_two_windows_with_memory_equal_one_long_window(learner):
    read = torch.from_numpy(np.random.default_rng(0).integers(4, 100, (3, 12)))
    learner.module.eval()
    with torch.no_grad():
        whole, end = logits_of(learner.module, read, None)
        first, memory = logits_of(learner.module, read[:, :5], None)
        second, last = logits_of(learner.module, read[:, 5:], memory)
        forgetful, _ = logits_of(learner.module, read[:, 5:], None)
    assert torch.allclose(whole, torch.cat((first, second), 1), atol=1e-6)
    assert not torch.allclose(second, forgetful, atol=1e-6)
    for one, other in zip(end, last, strict=True):
        assert torch.allclose(one[0], other[0], atol=1e-6)


def test_an_epoch_reads_every_token_once(learner):
    objective = learner._objective
    length = objective._epoch_length
    batch, window = objective._batch, objective._window
    train = objective._text.splits["train"]
    assert length == updates(len(train), batch=batch, window=window)
    objective.loss(0)
    columns = objective._columns
    targets = [columns[:, start + 1 : start + 1 + window] for start in range(0, columns.shape[1] - 1, window)]
    assert len(targets) == length
    assert torch.equal(torch.cat(targets, 1), columns[:, 1:])
    assert columns.numel() == len(train) // batch * batch


def test_epochs_begin_at_other_places_with_an_empty_memory(learner):
    objective = learner._objective
    objective.loss(0)
    first = objective._columns
    assert objective._memory is not None
    torch.manual_seed(0)
    begun = objective.loss(objective._epoch_length)
    assert not torch.equal(first, objective._columns)
    objective.forget()
    torch.manual_seed(0)
    assert torch.equal(begun.total, objective.loss(objective._epoch_length).total)


def test_memory_is_carried_from_window_to_window_and_not_into_the_graph(learner):
    objective = learner._objective
    learner.module.eval()
    objective.loss(0)
    carried = objective.loss(1)
    carried.total.backward()
    objective.forget()
    assert not torch.equal(carried.total, objective.loss(1).total)


def test_nll_is_that_of_the_columns_read_in_one_go(learner):
    objective = learner._objective
    columns = objective._laid(objective._text.splits["val"][:2_000], 20)
    found = learner.evaluate("val")
    learner.module.eval()
    with torch.no_grad():
        logits, _ = logits_of(learner.module, columns[:, :-1], None)
        expected = F.cross_entropy(logits.flatten(0, 1), columns[:, 1:].flatten()).item()
    assert found["nll"] == pytest.approx(expected, rel=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(found["nll"]))
    assert found["nll"] == pytest.approx(math.log(2_304), abs=0.3), "a fresh network knows nothing"


def test_updates_of_wikitext_2():
    assert updates(2_088_628, batch=30, window=50) == 1_393
