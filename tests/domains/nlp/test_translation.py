"""The loss is that of fairseq's criterion on the batch that fairseq would make of the same sentences; scores are sacreBLEU's."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
import sacrebleu
import torch
from torch.nn import functional as F

from bench.errors import SpecError
from bench.streams import Streams
from domains.nlp import border, corpora, domain, translation
from domains.nlp.corpora import bible
from domains.nlp.corpora.sentences import PAD

REVERSE, BIBLE = "nlp/transformer-reverse@smoke", "nlp/transformer-bible@smoke"


def build(key=REVERSE, seed=0, **changes):
    return domain.learner(replace(domain.tasks()[key], **changes), streams=Streams(seed), device="cpu")


@pytest.fixture
def learner():
    return build()


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


@pytest.mark.parametrize("split", ["val", "test"])
def test_nll_is_the_mean_over_target_tokens_without_smoothing(learner, split):
    objective = learner._objective
    pairs = objective._corpus.splits[split]
    sample = collated(objective, pairs, np.arange(len(pairs)))
    learner.module.eval()
    with torch.no_grad(), border.quietly():
        logits, _ = learner.module(**sample["net_input"])
        expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), sample["target"].flatten(), ignore_index=PAD)
    assert learner.evaluate(split)["nll"] == pytest.approx(expected.item(), rel=1e-5)


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


def order_of(learner, epoch=0):
    """The batches of an epoch, each as its rows."""
    objective, taken = learner._objective, []
    objective._loss = lambda rows: taken.append(tuple(rows.tolist()))
    for index in range(len(objective._batches)):
        objective.loss(epoch * len(objective._batches) + index)
    return taken


def test_batches_and_their_order_are_of_the_seed(learner):
    cut = [tuple(rows.tolist()) for rows in learner._objective._batches]
    for epoch in (0, 1):
        order = Streams(0).numpy("data", 1, epoch).permutation(len(cut))
        assert order_of(learner, epoch) == order_of(build(), epoch) == [cut[place] for place in order]
    other = build(seed=1)
    assert [tuple(rows.tolist()) for rows in other._objective._batches] != cut, "which sentences share a batch"
    other._objective._batches = learner._objective._batches
    assert order_of(other) != order_of(learner), "and which comes first"


def test_drawn_losses_divide_the_logits_by_the_temperature(learner):
    objective = learner._objective
    learner.module.eval()
    drawn = objective.drawn(np.random.default_rng(4), temperature=7.0)
    rows = objective._batches[np.random.default_rng(4).integers(len(objective._batches))]
    with torch.no_grad():
        logits, target = objective._forward(objective._train, rows)
        symbols = logits.shape[1]
        # fairseq spreads the smoothing over all symbols but the right one, torch over all.
        smoothing = 0.1 * symbols / (symbols - 1)
        expected = F.cross_entropy(logits / 7.0, target, reduction="sum", label_smoothing=smoothing)
    assert drawn.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert drawn.tokens == len(target)


def test_translations_are_searched_for_as_the_task_says(monkeypatch):
    """Of the test split, in evaluation mode and without gradients, with every option of the protocol."""
    calls = []

    def spy(module, corpus, pairs, **options):
        calls.append((module, corpus, pairs, options, module.training, torch.is_grad_enabled()))
        return [[4]] * 5

    monkeypatch.setattr(translation, "translate", spy)
    protocol = {"beam": 3, "length_penalty": 0.7, "max_tokens": 99, "limit": 5}
    learner = build(evaluation=protocol, budget=2, rewind_step=0)
    learner.train(2)
    learner.evaluate("val")
    assert not calls, "nothing is selected by translations of the validation split"
    learner.evaluate("test")
    [(module, corpus, pairs, options, training, grad)] = calls
    assert (module, corpus) == (learner.module, learner._objective._corpus)
    assert pairs is corpus.splits["test"]
    assert options == {**protocol, "device": "cpu"}
    assert not training
    assert not grad


def spanish(split, limit, words):
    """The references of the task, read from the bundled file itself: short verses of the split's books, as printed."""
    lines = gzip.decompress(bible.FILE.read_bytes()).decode().splitlines()
    verses = [line.split("\t") for line in lines]
    kept = [verse for verse in verses if max(len(verse[1].split()), len(verse[2].split())) <= words]
    return [verse[2] for verse in kept if bible.BOOKS.get(verse[0].rpartition(" ")[0]) == split][:limit]


def test_scores_are_sacrebleus_of_the_printed_text(monkeypatch):
    """Every ninth piece of a reference is lost, so that no score is zero or a hundred."""

    def lossy(_, corpus, pairs, *, limit, **__):
        rows = [pairs.target[row][:-1].tolist() for row in range(len(pairs))][:limit]
        return [[token for place, token in enumerate(row) if place % 9 != 6] for row in rows]

    monkeypatch.setattr(translation, "translate", lossy)
    protocol = {**domain.tasks()[BIBLE].evaluation, "limit": 12}
    learner = build(BIBLE, budget=1, rewind_step=0, evaluation=protocol)
    learner.train(1)
    found = learner.evaluate("test")
    objective = learner._objective
    dictionary = objective._corpus.target
    texts = [
        "".join(dictionary[token] for token in row).replace("▁", " ").strip()
        for row in lossy(None, None, objective._corpus.splits["test"], limit=12)
    ]
    references = spanish("test", 12, words=8)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, [references]).score)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    assert 5 < found["bleu"] < 95
    items = learner.scored_items()
    assert (items["metric"], items["split"], len(items["statistics"])) == ("bleu", "test", 12)


def test_tokenised_bleu_is_scored_where_the_task_has_it(monkeypatch):
    monkeypatch.setattr(translation, "translate", lambda *_, limit, **__: [[4, 5, 6, 7]] * limit)
    task = domain.tasks()[REVERSE]
    learner = build(budget=1, rewind_step=0, directions={**task.directions, "bleu_tok": "max"})
    learner.train(1)
    assert learner.evaluate("test").keys() == {"bleu", "chrf", "nll", "bleu_tok"}


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_sentence_that_fits_into_no_batch_is_told_in_one_line(learner, split, monkeypatch):
    corpus = learner._objective._corpus
    pairs = corpus.splits[split]
    longest = max(*pairs.source.lengths, *pairs.target.lengths)
    monkeypatch.setattr(corpora, "parallel", lambda *_: replace(corpus, splits={split: pairs}))
    config = domain.tasks()[REVERSE].config
    said = f"max_tokens {longest - 1}, yet a sentence of its {split} split has {longest} tokens: raise max_tokens to {longest}"
    with pytest.raises(SpecError, match=said) as error:
        build(config={**config, "max_tokens": longest - 1})
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    build(config={**config, "max_tokens": max(each.target.lengths.max() for each in corpus.splits.values())})


def test_batches_hold_at_most_max_tokens_of_the_longer_side(learner):
    objective = learner._objective
    for rows in objective._batches:
        longest = max(objective._train.source.lengths[rows].max(), objective._train.target.lengths[rows].max())
        assert len(rows) * longest <= 512
    few = build(config={**domain.tasks()[REVERSE].config, "max_tokens": 100})._objective
    assert max(len(rows) * few._train.source.lengths[rows].max() for rows in few._batches) <= 100
