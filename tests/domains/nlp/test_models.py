"""The networks are fairseq's own: names, values and sizes."""

from argparse import Namespace

import pytest
import torch
from torch import nn

from bench.errors import DataError, UnknownName
from domains.nlp import border, models

SMALL = {
    "architecture": "transformer_iwslt_de_en",
    "share_all_embeddings": True,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "decoder_embed_dim": 32,
    "decoder_ffn_embed_dim": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
}
LSTM = {
    "architecture": "lstm_lm",
    "decoder_embed_dim": 12,
    "decoder_hidden_size": 12,
    "decoder_out_embed_dim": 12,
    "decoder_layers": 2,
    "criterion": "cross_entropy",
}


@pytest.fixture(scope="module")
def vocabularies():
    dictionary = border.Dictionary()
    for symbol in "abcdefghijkl":
        dictionary.add_symbol(symbol)
    return border.Vocabularies(dictionary, dictionary)


def size(model):
    return sum(each.numel() for each in model.parameters())


def test_a_state_dict_of_fairseq_loads_one_to_one(vocabularies):
    options = {key: value for key, value in SMALL.items() if key != "architecture"}
    with border.quietly():
        from fairseq.models.transformer import TransformerModel
        from fairseq.models.transformer.transformer_legacy import transformer_iwslt_de_en

        filled = Namespace(**options)
        transformer_iwslt_de_en(filled)
        torch.manual_seed(5)
        theirs = TransformerModel.build_model(filled, vocabularies)
    ours = models.build(SMALL, vocabularies, width=1.0, seed=0)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    words = torch.tensor([[4, 5, 6, 2]])
    for model in (ours, theirs):
        model.eval()
    with torch.no_grad(), border.quietly():
        one, other = (model(words, torch.tensor([4]), words)[0] for model in (ours, theirs))
    assert torch.equal(one, other)


def test_initial_weights_are_those_of_fairseq_at_that_seed_and_touch_no_global_generator(vocabularies):
    torch.manual_seed(9)
    before = torch.get_rng_state()
    one, two, other = (models.build(SMALL, vocabularies, width=1.0, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    embeddings = [model.encoder.embed_tokens.weight for model in (one, two, other)]
    assert torch.equal(embeddings[0], embeddings[1])
    assert not torch.equal(embeddings[0], embeddings[2])
    assert not embeddings[0][1].any(), "the padding row"
    assert embeddings[0][2:].std().item() == pytest.approx(32**-0.5, rel=0.2)


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [
        ("transformer_wmt_en_de", 60.9),
        ("transformer_vaswani_wmt_en_de_big", 209.9),
    ],
)
def test_the_papers_architectures_have_the_papers_sizes(architecture, millions):
    """Computed in 1906.02768's setting: a joint dictionary of 32,768 symbols, every embedding shared."""
    dictionary = border.Dictionary()
    for index in range(32_768 - 4):
        dictionary.add_symbol(str(index))
    config = {"architecture": architecture, "share_all_embeddings": True}
    with torch.device("meta"):
        model = models.build(config, border.Vocabularies(dictionary, dictionary), width=1.0, seed=0)
    assert size(model) / 1e6 == pytest.approx(millions, abs=0.1)


def test_width_scales_every_layer_and_keeps_the_heads(vocabularies):
    whole = models.build(SMALL, vocabularies, width=1.0, seed=0)
    assert size(models.build(SMALL, vocabularies, width=0.5, seed=0)) < size(whole) / 2
    narrow = models.build(SMALL, vocabularies, width=0.01, seed=0)
    heads = {each.num_heads for each in narrow.modules() if hasattr(each, "num_heads")}
    assert heads == {4}
    assert narrow.encoder.embed_tokens.embedding_dim == 4
    assert size(models.build(SMALL, vocabularies, width=1.5, seed=0)) > size(whole) * 1.5
    assert models.build(LSTM, vocabularies, width=0.25, seed=0).decoder.hidden_size == 3, "no heads, no multiples"
    for heads in ((2, 8), (8, 2)):
        uneven = dict(zip(("encoder_attention_heads", "decoder_attention_heads"), heads, strict=True))
        narrow = models.build({**SMALL, **uneven}, vocabularies, width=0.01, seed=0)
        assert narrow.encoder.embed_tokens.embedding_dim == 8, "enough for the side that has more"
    lstm = models.build(LSTM, vocabularies, width=0.5, seed=0)
    assert (lstm.decoder.hidden_size, lstm.decoder.embed_tokens.embedding_dim) == (6, 6)


def test_entries_that_may_be_pruned(vocabularies):
    model = models.build(SMALL, vocabularies, width=1.0, seed=0)
    entries = models.prunable(model)
    assert entries.keys() == dict(model.named_parameters()).keys()
    embedding = entries["encoder.embed_tokens.weight"]
    assert not embedding[1].any()
    assert embedding[[0, *range(2, len(embedding))]].all()
    assert all(each.all() for name, each in entries.items() if name != "encoder.embed_tokens.weight")
    untied = models.prunable(models.build({**SMALL, "share_all_embeddings": False}, vocabularies, width=1.0, seed=0))
    assert sorted(name for name, each in untied.items() if not each.all()) == [
        "decoder.embed_tokens.weight",
        "encoder.embed_tokens.weight",
    ]


def test_an_output_matrix_has_no_padding_row(vocabularies):
    model = models.build(LSTM, vocabularies, width=1.0, seed=0)
    assert isinstance(model.decoder.fc_out, nn.Linear)
    assert models.prunable(model)["decoder.fc_out.weight"].all()


def test_an_unknown_architecture_is_named(vocabularies):
    with pytest.raises(UnknownName, match="did you mean 'transformer_wmt_en_de'"):
        models.build({"architecture": "transformer_wmt_en_d"}, vocabularies, width=1.0, seed=0)


def test_shared_embeddings_need_a_joint_dictionary(vocabularies):
    other = border.Dictionary()
    other.add_symbol("palabra")
    separate = border.Vocabularies(vocabularies.source_dictionary, other)
    with pytest.raises(DataError, match="run fairseq-preprocess with --joined-dictionary"):
        models.build(SMALL, separate, width=1.0, seed=0)
