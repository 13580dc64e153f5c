"""The tasks that exist: as their papers say, listed without torch or fairseq."""

import math
import subprocess
import sys

import pytest

from bench.errors import UnknownName, Unsupported
from bench.runs.planning.plan import plan
from bench.spec import Entry, Suite, to_json
from bench.tickets.methods import METHODS
from domains.nlp import corpora, domain
from domains.nlp.evaluation import scores
from domains.nlp.language import updates
from domains.nlp.tasks.recipe import LSTM_GROUPS, TRANSFORMER_GROUPS, pruning

TASKS = domain.tasks()


def test_listing_tasks_imports_no_library_of_the_domain():
    heavy = ("torch", "fairseq", "sacrebleu", "sentencepiece")
    code = (
        f"import sys; from domains.nlp import domain; domain.tasks(); print([m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "[]\n"


def test_every_task_of_the_issue_exists():
    assert {
        "nlp/transformer-bible@quick",
        "nlp/transformer-bible@small",
        "nlp/transformer-reverse@smoke",
        "nlp/transformer-base-wmt14@paper",
        "nlp/transformer-big-wmt14@paper",
        "nlp/transformer-base-wmt14-layers@paper",
        "nlp/transformer-iwslt14@paper",
        "nlp/transformer-multi30k@paper",
        "nlp/lstm-bible@small",
        "nlp/lstm-wikitext2@paper",
    } <= TASKS.keys()


@pytest.mark.parametrize("size", ["base", "big"])
def test_wmt_is_as_in_the_papers(size):
    task = TASKS[f"nlp/transformer-{size}-wmt14@paper"]
    assert (task.budget, task.rewind_step) == (50_000, 1_000)
    assert (task.evaluation["beam"], task.evaluation["length_penalty"]) == (4, 0.6)
    assert (task.metric, task.direction) == ("bleu_tok", "max")
    assert (task.pruning.scope, task.pruning.biases, task.pruning.exempt) == ("global", True, ())
    assert task.config["betas"] == [0.9, 0.98]
    assert task.config["warmup"] == 4_000
    assert task.config["max_tokens"] * task.config["batches"] == 3_584 * 128
    layers = TASKS[f"nlp/transformer-{size}-wmt14-layers@paper"]
    assert layers.pruning.is_exempt("encoder.embed_tokens.weight")
    assert layers.pruning.is_exempt("decoder.output_projection.weight")
    assert not layers.pruning.is_exempt("encoder.layers.0.fc1.weight")


def test_wikitext_is_as_in_the_paper():
    task = TASKS["nlp/lstm-wikitext2@paper"]
    assert task.budget == 10 * task.rewind_step == 13_930
    assert task.config["model"]["decoder_hidden_size"] == 650
    assert (task.config["rate"], task.config["eps"], task.config["betas"]) == (1e-3, 1e-3, [0.9, 0.999])
    assert (task.config["batch"], task.config["window"]) == (30, 50)
    assert (task.metric, task.direction, task.constant_rate) == ("nll", "min", True)


def test_the_small_language_model_trains_for_an_epoch():
    task = TASKS["nlp/lstm-bible@small"]
    text = corpora.text(task.data, task.config["corpus"])
    epoch = updates(len(text.splits["train"]), batch=task.config["batch"], window=task.config["window"])
    assert (task.rewind_step, task.budget) == (epoch // 8, epoch)
    assert task.chance == pytest.approx(math.log(len(text.dictionary)), abs=1e-3)


@pytest.mark.parametrize("key", TASKS)
def test_every_task_is_well_formed(key):
    task = TASKS[key]
    to_json(task)
    assert task.deviations
    assert all(sentence.endswith(".") and len(sentence) < 250 for sentence in task.deviations)
    assert task.config["schedule"] == ("constant" if task.constant_rate else "inverse-sqrt")
    assert task.unsupported.keys() == {"synflow"} | ({"one-shot-untrained"} if "bleu" in task.metric else set())
    assert task.budget % task.evaluate_every == 0


@pytest.mark.parametrize(("key", "runs"), [
    ("nlp/transformer-reverse@smoke", False), ("nlp/transformer-base-wmt14@paper", False),
    ("nlp/transformer-bible@quick", True), ("nlp/lstm-bible@smoke", True),
])  # fmt: skip
def test_what_is_not_trained_is_planned_where_it_has_a_score(key, runs):
    """Before the end of the budget a translation has its nats per token, and no BLEU."""
    entry = Entry(task=TASKS[key], methods=(METHODS["one-shot-untrained"],), levels=(1,), seeds=(0,))
    suite = Suite(name="untrained", title="", entries=(entry,))
    if runs:
        assert [unit.method.name for unit in plan(suite).units.values()] == ["dense", "one-shot-untrained"]
        return
    with pytest.raises(Unsupported, match="one-shot-untrained.*at the end of training only"):
        plan(suite)


def test_signatures_are_part_of_what_is_asked():
    for task in TASKS.values():
        if task.metric != "nll":
            told = task.evaluation["signatures"]
            assert told == {name: scores.SIGNATURES[name] for name in task.directions if name != "nll"}


@pytest.mark.parametrize(
    ("groups", "name", "group"),
    [
        (TRANSFORMER_GROUPS, "encoder.embed_tokens.weight", "embeddings"),
        (TRANSFORMER_GROUPS, "decoder.output_projection.weight", "embeddings"),
        (TRANSFORMER_GROUPS, "encoder.layers.0.self_attn.k_proj.weight", "self-attention"),
        (TRANSFORMER_GROUPS, "decoder.layers.0.encoder_attn.out_proj.weight", "cross-attention"),
        (TRANSFORMER_GROUPS, "decoder.layers.0.encoder_attn.out_proj.bias", "biases"),
        (TRANSFORMER_GROUPS, "decoder.layers.0.fc1.weight", "feed-forward"),
        (TRANSFORMER_GROUPS, "decoder.layers.0.encoder_attn_layer_norm.weight", "norms"),
        (TRANSFORMER_GROUPS, "decoder.layers.0.final_layer_norm.bias", "norms"),
        (LSTM_GROUPS, "decoder.embed_tokens.weight", "embeddings"),
        (LSTM_GROUPS, "decoder.layers.1.weight_hh", "recurrent"),
        (LSTM_GROUPS, "decoder.layers.1.bias_hh", "biases"),
        (LSTM_GROUPS, "decoder.fc_out.weight", "output"),
    ],
)
def test_every_weight_has_its_group(groups, name, group):
    from fnmatch import fnmatchcase

    assert next(value for pattern, value in groups.items() if fnmatchcase(name, pattern)) == group


def test_scopes():
    assert pruning("all-with-biases").biases
    assert not pruning("matrices").biases
    assert pruning("matrices").scope == "global"
    assert pruning("layers-only").is_exempt("decoder.embed_tokens.weight")
    assert not pruning("matrices").exempt
    with pytest.raises(UnknownName, match="pruning scope 'matrixes': did you mean 'matrices'"):
        pruning("matrixes")


def test_a_folder_of_the_users_is_a_task(data_folder, write_text):
    write_text(data_folder / "mine")
    tasks = domain.tasks()
    task = tasks["nlp/transformer-mine@small"]
    assert task.config["corpus"]["kind"] == "folder"
    assert list(task.data) == ["mine"]
    assert task.unsupported.keys() == {"synflow", "one-shot-untrained"}
    (data_folder / "mine" / "train.en").write_text("another\n")
    assert domain.tasks()["nlp/transformer-mine@small"].data != task.data
