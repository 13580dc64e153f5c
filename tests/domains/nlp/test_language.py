"""The language model reads running text as its papers do: windows of columns, the state carried along."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench.errors import SpecError
from bench.streams import Streams
from domains.nlp import corpora, domain
from domains.nlp.language import logits_of, updates

KEY = "nlp/lstm-bible@smoke"


@pytest.fixture
def learner():
    return domain.learner(domain.tasks()[KEY], streams=Streams(0), device="cpu")


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


def remembering(learner):
    """Recurrent weights so large that what is predicted depends on what was read long before."""
    with torch.no_grad():
        for name, parameter in learner.module.named_parameters():
            parameter.mul_(10.0 if "weight_hh" in name or "weight_ih" in name else 4.0)
    return learner


@pytest.mark.parametrize("split", ["val", "test"])
def test_nll_is_that_of_the_columns_read_in_one_go(learner, split):
    """The first 2,000 tokens as 20 columns, every token after the first of each predicted from all before it."""
    text = remembering(learner)._objective._text.splits[split]
    columns = torch.from_numpy(np.stack([text[100 * column : 100 * (column + 1)] for column in range(20)]))
    found = learner.evaluate(split)
    learner.module.eval()
    with torch.no_grad():
        logits, _ = learner.module(columns[:, :-1])
        expected = F.cross_entropy(logits.flatten(0, 1), columns[:, 1:].flatten()).item()
        window = learner._objective._window
        parts = [columns[:, start : start + window + 1] for start in range(0, 99, window)]
        forgetful = sum(
            F.cross_entropy(
                learner.module(part[:, :-1])[0].flatten(0, 1), part[:, 1:].flatten(), reduction="sum"
            ).item()
            for part in parts
        )
    assert found["nll"] == pytest.approx(expected, rel=1e-5)
    assert abs(forgetful / (20 * 99) - expected) > 0.01, "memory matters here"
    assert found["perplexity"] == pytest.approx(math.exp(found["nll"]))
    assert found.keys() == {"nll", "perplexity"}


def test_all_of_a_text_is_read_without_a_limit(learner):
    evaluation = {"columns": 7, "limit": None}
    whole = domain.learner(replace(domain.tasks()[KEY], evaluation=evaluation), streams=Streams(0), device="cpu")
    text = whole._objective._text.splits["val"]
    length = len(text) // 7
    columns = torch.from_numpy(text[: 7 * length].reshape(7, length))
    found = whole.evaluate("val")["nll"]
    whole.module.eval()
    with torch.no_grad():
        logits, _ = logits_of(whole.module, columns[:, :-1], None)
        expected = F.cross_entropy(logits.flatten(0, 1), columns[:, 1:].flatten()).item()
    assert found == pytest.approx(expected, rel=1e-5)
    assert found == pytest.approx(math.log(2_304), abs=0.3), "a fresh network knows nothing"


def test_where_an_epoch_begins_is_of_the_seed():
    def columns(seed, epoch=0):
        objective = domain.learner(domain.tasks()[KEY], streams=Streams(seed), device="cpu")._objective
        objective.loss(epoch * objective._epoch_length)
        return objective._columns, objective._text.splits["train"]

    for epoch in (0, 1):
        found, train = columns(0, epoch)
        start = int(Streams(0).numpy("data", epoch).integers(len(train)))
        rolled = np.concatenate((train[start:], train[:start]))
        assert torch.equal(found, torch.from_numpy(rolled[: found.numel()].reshape(4, -1)))
        assert torch.equal(found, columns(0, epoch)[0])
        assert not torch.equal(found, columns(1, epoch)[0])


def test_training_losses_are_of_the_next_tokens_with_the_memory_of_the_window_before(learner):
    objective = remembering(learner)._objective
    learner.module.eval()
    with torch.no_grad():
        losses = [objective.loss(index) for index in range(3)]
        read = objective._columns[:, : 3 * 8]
        logits, _ = learner.module(read)
        per_token = F.cross_entropy(logits.transpose(1, 2), objective._columns[:, 1 : 3 * 8 + 1], reduction="none")
    for index, loss in enumerate(losses):
        assert loss.total.item() == pytest.approx(per_token[:, 8 * index : 8 * index + 8].sum().item(), rel=1e-4)
        assert loss.tokens == 4 * 8


def test_the_last_window_of_an_epoch_is_what_is_left(learner):
    objective = learner._objective
    length = len(objective._text.splits["train"]) // 4
    left = (length - 1) % 8 or 8
    assert objective.loss(objective._epoch_length - 1).tokens == 4 * left
    assert left < 8, "else this tests nothing"


def test_drawn_losses_are_read_with_an_empty_memory_and_divided_by_the_temperature(learner):
    objective = remembering(learner)._objective
    learner.module.eval()
    with torch.no_grad():
        objective.loss(5)
        memory = objective._memory
        drawn = objective.drawn(np.random.default_rng(3), temperature=7.0)
        place = int(np.random.default_rng(3).integers(objective._epoch_length))
        train = objective._text.splits["train"]
        columns = torch.from_numpy(train[: len(train) // 4 * 4].reshape(4, -1))[:, 8 * place : 8 * place + 9]
        logits, _ = learner.module(columns[:, :-1])
        expected = F.cross_entropy((logits / 7.0).flatten(0, 1), columns[:, 1:].flatten(), reduction="sum")
    assert drawn.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert drawn.tokens == 4 * 8
    assert objective._memory is memory, "training goes on with its own"


def test_dropout_is_fairseqs_between_the_layers_and_behind_the_last(learner):
    """In training mode with the same draws, fairseq's own loop over the tokens aside."""
    seen = []
    decoder = learner.module.decoder
    for name in ("dropout_in_module", "dropout_out_module"):
        getattr(decoder, name).register_forward_hook(
            lambda module, inputs, __: seen.append((module.p, inputs[0].shape))
        )
    learner.module.train()
    learner._objective.loss(0)
    width, places = 8, (4, 8)
    assert [(rate, shape[-1]) for rate, shape in seen] == [(0.1, width)] * 3
    assert {tuple(sorted(shape[:2])) for _, shape in seen} == {places}


def test_updates_of_wikitext_2():
    assert updates(2_088_628, batch=30, window=50) == 1_393


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_text_that_does_not_fill_two_rows_of_its_columns_is_told_in_one_line(learner, split, monkeypatch):
    """Four columns are trained on, and twenty are read of what is held out."""
    text, columns = learner._objective._text, 4 if split == "train" else 20

    def short(tokens):
        splits = {**text.splits, split: text.splits[split][:tokens]}
        monkeypatch.setattr(corpora, "text", lambda *_: replace(text, splits=splits))
        return domain.learner(domain.tasks()[KEY], streams=Streams(0), device="cpu")

    enough = short(2 * columns)
    enough.train(3)
    assert all(math.isfinite(value) for each in ("val", "test") for value in enough.evaluate(each).values())
    said = f"the {2 * columns - 1} tokens of its {split} split in {columns} columns"
    with pytest.raises(SpecError, match=said) as error:
        short(2 * columns - 1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "options"), [("residuals", {"residuals": True}), ("adaptive_softmax", {"criterion": "adaptive_loss"})]
)
def test_a_part_of_fairseqs_that_is_left_out_here_is_refused(part, options):
    """It trained as if the option were not there, under an id that says it was."""
    task = domain.tasks()[KEY]
    model = {**task.config["model"], "adaptive_softmax_cutoff": "100,200", **options}
    with pytest.raises(SpecError, match=f"an LSTM with {part}, which is not read here"):
        domain.learner(replace(task, config={**task.config, "model": model}), streams=Streams(0), device="cpu")
