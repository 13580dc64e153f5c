"""Beam search over a split: against a plain greedy loop, against every output there is, and without side effects."""

import itertools
import math
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from domains.nlp.batching import batches
from domains.nlp.border import Dictionary, Vocabularies, build
from domains.nlp.corpora.sentences import EOS, PAD, Pairs, Sentences
from domains.nlp.evaluation import generation
from domains.nlp.evaluation.generation import translate

SYMBOLS = tuple("abcdefgh")
WORDS = [0, *range(3, 12)]
"""What an output can be made of: all but the end and the padding."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dictionary():
    found = Dictionary()
    for symbol in SYMBOLS:
        found.add_symbol(symbol)
    return found


@pytest.fixture(scope="module")
def corpus(dictionary):
    return SimpleNamespace(source=dictionary, target=dictionary)


@pytest.fixture(scope="module")
def model(dictionary):
    """A small Transformer that has half learned to reverse: some of its outputs end, and some find no end."""
    names = {"embed_dim": 16, "ffn_embed_dim": 32, "layers": 2, "attention_heads": 2}
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in names.items()}
    options = Namespace(**sizes, share_all_embeddings=True, dropout=0.1)
    torch.manual_seed(1)
    built = build("transformer", options, Vocabularies(dictionary, dictionary))
    optimizer = torch.optim.Adam(built.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    end = torch.full((16, 1), EOS)
    for _ in range(60):
        words = torch.from_numpy(rng.integers(4, 12, (16, rng.integers(1, 10))))
        lengths = torch.full((16,), words.shape[1] + 1)
        logits, _ = built(torch.cat([words, end], 1), lengths, torch.cat([end, words.flip(1)], 1))
        loss = F.cross_entropy(logits.transpose(1, 2), torch.cat([words.flip(1), end], 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    built.zero_grad(set_to_none=True)
    return built.eval()


@pytest.fixture(scope="module")
def pairs():
    """Twenty sentences of one to nine words."""
    rng = np.random.default_rng(0)
    return pairs_of([rng.integers(4, 12, size=rng.integers(1, 10)).tolist() for _ in range(20)])


def pairs_of(sentences):
    tokens = np.array([token for words in sentences for token in (*words, EOS)], dtype=np.int32)
    starts = np.cumsum([0, *(len(words) + 1 for words in sentences)])
    source = Sentences(tokens=tokens, starts=starts)
    return Pairs(source=source, target=source, references=(), tokenised=())


def options(**changes):
    return {"beam": 1, "length_penalty": 1.0, "max_tokens": 64, "limit": None, "device": "cpu", **changes}


def log_probabilities(model, source, prefixes):
    """(prefixes, words) of the next word, by the whole network on whole prefixes: no state goes from step to step."""
    words = torch.tensor(source.astype(np.int64)).expand(len(prefixes), -1)
    before = torch.tensor([[EOS, *prefix] for prefix in prefixes])
    with torch.no_grad():
        logits, _ = model(words, torch.full((len(prefixes),), words.shape[1]), before)
    found = logits[:, -1].double().log_softmax(-1)
    found[:, PAD] = -math.inf
    return found


def greedy(model, source, limit):
    found = []
    while len(found) < limit:
        (scores,) = log_probabilities(model, source, [found])
        if not found:
            scores[EOS] = -math.inf
        best = int(scores.argmax())
        if best == EOS:
            break
        found.append(best)
    return found


def every(model, source, limit):
    """Log probability of every output of one to `limit` words, its end included."""
    begun, ended = {(): 0.0}, {}
    for length in range(limit + 1):
        prefixes = list(itertools.product(WORDS, repeat=length))
        for prefix, scores in zip(prefixes, log_probabilities(model, source, prefixes).tolist(), strict=True):
            begun |= {(*prefix, word): begun[prefix] + scores[word] for word in WORDS}
            ended[prefix] = begun[prefix] + scores[EOS]
    return {words: score for words, score in ended.items() if words}


def widths(pairs, max_tokens):
    """Row -> longest source of the batch that it is in."""
    lengths = pairs.source.lengths
    found = batches(np.argsort(lengths, kind="stable"), lengths, max_tokens=max(max_tokens, lengths.max()))
    assert max_tokens > 1_000 or len(found) > 2
    return {int(row): lengths[rows].max() for rows in found for row in rows}


@pytest.mark.parametrize("max_tokens", [1, 64, 10_000])
def test_beam_one_is_a_plain_greedy_loop(model, corpus, pairs, max_tokens):
    found = translate(model, corpus, pairs, **options(max_tokens=max_tokens))
    width = widths(pairs, max_tokens)
    limits = [int(1.2 * width[row] + 10) for row in range(20)]
    assert found == [greedy(model, pairs.source[row], limit) for row, limit in enumerate(limits)]
    endless = sum(len(words) == limit for words, limit in zip(found, limits, strict=True))
    assert 0 < endless < 15


def test_a_wide_beam_finds_the_best_of_all_outputs(model, corpus, pairs, monkeypatch):
    """Whatever the exponent of the length that log probabilities are divided by; the end is part of the length."""
    monkeypatch.setattr(generation, "LONGEST", (0, 2))
    scores = [every(model, pairs.source[row], 2) for row in range(20)]
    best = {}
    for penalty in (0.0, 0.6, 1.0, 2.0):
        weighted = [{words: each / (len(words) + 1) ** penalty for words, each in found.items()} for found in scores]
        best[penalty] = [list(max(found, key=found.get)) for found in weighted]
        assert translate(model, corpus, pairs, **options(beam=11, length_penalty=penalty)) == best[penalty]
    assert best[0.0] != translate(model, corpus, pairs, **options(length_penalty=0.0))
    assert best[0.0] != best[1.0] != best[2.0]


def test_a_higher_length_penalty_gives_longer_outputs(model, corpus, pairs):
    found = [translate(model, corpus, pairs, **options(beam=4, length_penalty=penalty)) for penalty in (0, 1, 2)]
    short, middle, long = (sum(map(len, each)) for each in found)
    assert short < middle < long


def test_no_output_holds_an_end_or_padding_or_nothing_at_all(model, corpus, pairs):
    for beam in (1, 4):
        found = translate(model, corpus, pairs, **options(beam=beam))
        assert all(words and set(words) <= set(WORDS) for words in found)


def test_sentences_come_in_the_order_of_the_corpus(model, corpus, pairs, monkeypatch):
    monkeypatch.setattr(generation, "LONGEST", (0, 12))  # whatever the batch
    forward = translate(model, corpus, pairs, **options(beam=3))
    backward = pairs_of([pairs.source[row][:-1].tolist() for row in reversed(range(20))])
    assert translate(model, corpus, backward, **options(beam=3)) == forward[::-1]
    assert translate(model, corpus, pairs, **options(beam=3, limit=7)) == forward[:7]
    assert translate(model, corpus, pairs, **options(beam=3, limit=1_000)) == forward
    assert len({tuple(words) for words in forward}) > 7


def test_the_same_twice(model, corpus, pairs):
    one, two = (translate(model, corpus, pairs, **options(beam=4)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("training", [True, False])
def test_nothing_of_the_training_is_touched(model, corpus, pairs, training):
    model.train(training)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    torch.manual_seed(3)
    state, chance = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002  the global one is what is meant
    found = translate(model, corpus, pairs, **options(beam=2))
    assert all(module.training is training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == chance).all()  # noqa: NPY002
    assert all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.is_grad_enabled()
    assert found == translate(model.eval(), corpus, pairs, **options(beam=2))


def test_the_mode_comes_back_after_an_error(model, corpus, pairs, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("no memory")

    monkeypatch.setattr(model.encoder, "forward_torchscript", broken)
    model.train()
    with pytest.raises(RuntimeError, match="no memory"):
        translate(model, corpus, pairs, **options())
    assert model.training
    assert torch.is_grad_enabled()
    model.eval()


def test_training_goes_on_as_if_nothing_had_been_translated(model, corpus, pairs):
    words = torch.tensor(pairs.source[0][None].astype(np.int64))

    def losses(*, between):
        torch.manual_seed(5)
        model.train()
        found = []
        for _ in range(2):
            logits, _ = model(words, torch.tensor([words.shape[1]]), words)
            found.append(logits.square().sum())
            between()
        found[-1].backward()
        model.zero_grad(set_to_none=True)
        model.eval()
        return [loss.item() for loss in found]

    plain = losses(between=lambda: None)
    assert losses(between=lambda: translate(model, corpus, pairs, **options(limit=5))) == plain
    assert plain[0] != plain[1]


def test_the_decoder_sees_one_token_a_step(model, corpus, pairs):
    """The rest comes from the state that it carries: time grows with the length and not with its square."""
    seen = []
    hook = model.decoder.layers[0].fc1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[0]))
    translate(model, corpus, pairs, **options())
    hook.remove()
    assert len(seen) > 40
    assert set(seen) == {1}
