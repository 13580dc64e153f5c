"""Parallel text of a user's own: two files or one, either direction, and all that can be wrong with it."""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from bench import registry
from bench.errors import DataError, SpecError, UnknownName
from bench.runs.planning.plan import refusal
from bench.spec import Unit, task_from_json, to_json
from bench.streams import Streams
from bench.tickets.conformance import check_learner
from bench.tickets.methods import METHODS
from domains import nlp
from domains.nlp import config, corpora
from domains.nlp.corpora import encoding, texts

EN = [
    "red",
    "old",
    "house",
    "dog",
    "tree",
    "sees",
    "likes",
    "under",
    "near",
    "my",
    "big",
    "small",
    "cat",
    "bird",
    "river",
    "stone",
]
DE = [
    "rot",
    "alt",
    "haus",
    "hund",
    "baum",
    "sieht",
    "mag",
    "unter",
    "bei",
    "mein",
    "gross",
    "klein",
    "katze",
    "vogel",
    "fluss",
    "stein",
]


def pairs(count):
    chance = random.Random(0)
    rows = [[chance.randrange(len(EN)) for _ in range(3 + number % 4)] for number in range(count)]
    return [(" ".join(EN[each] for each in row), " ".join(DE[each] for each in row)) for row in rows]


@pytest.fixture
def text(tmp_path, monkeypatch):
    """Writes the same text as two files and as one, beside a user's file, and makes a task of it."""
    monkeypatch.syspath_prepend(tmp_path)
    corpora._parallel.cache_clear()
    rows = pairs(200)
    (tmp_path / "talks.en").write_text("".join(f"{one}\n" for one, _ in rows))
    (tmp_path / "talks.de").write_text("".join(f"{other}\n" for _, other in rows))
    (tmp_path / "talks.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in rows))

    def make(files=("talks.en", "talks.de"), languages=("en", "de"), **changes):
        small = {"encoder_embed_dim": 16, "decoder_embed_dim": 16, "encoder_layers": 1, "decoder_layers": 1,
                 "encoder_ffn_embed_dim": 16, "decoder_ffn_embed_dim": 16}  # fmt: skip
        given = {"budget": 10, "pieces": 60, "max_tokens": 256, "model": small, "beam": 1, "limit": 3, "scale": "smoke"}
        return nlp.own("talks", files=files, languages=languages, **{**given, "evaluate_every": 5, **changes})

    yield make
    corpora._parallel.cache_clear()


def read(task):
    lines = texts.read_text(task.config["corpus"])
    return {split: [side.lines for side in sides] for split, sides in lines.splits.items()}


def test_two_files_and_one_of_columns_conform(text):
    assert check_learner(nlp.domain, text(rewind_step=4)) == []
    assert check_learner(nlp.domain, text(("talks.tsv",), source="de")) == []


def test_what_is_not_trained_is_refused_when_planning(text):
    assert "at the end of training only" in refusal(text(), METHODS["one-shot-untrained"])
    assert refusal(text(), METHODS["one-shot"]) is None


def test_two_files_and_one_of_columns_are_parted_alike(text):
    two, one = read(text()), read(text(("talks.tsv",)))
    assert one == two


def test_either_direction_has_the_same_splits(text):
    there, back = text(), text(source="de")
    assert there.config["corpus"]["target"] == back.config["corpus"]["source"] == "de"
    assert read(back) == {split: [target, source] for split, (source, target) in read(there).items()}
    ids = {Unit(task=each, method=METHODS["dense"], level=0, seed=0).id for each in (there, back)}
    assert len(ids) == 2
    turned = text(("talks.de", "talks.en"), ("de", "en"), source="en")
    assert read(turned) == read(there)


def test_splits_do_not_depend_on_the_order_of_lines_and_no_pair_is_in_two(text, tmp_path):
    before = read(text())
    rows = (tmp_path / "talks.tsv").read_text().splitlines()
    again = "\t".join(next(zip(*before["train"], strict=True)))
    shuffled = [*rows, *rows[:50], *[again] * 100]
    random.Random(1).shuffle(shuffled)
    (tmp_path / "talks.tsv").write_text("\n".join(shuffled))
    after = read(text(("talks.tsv",)))
    sets = {split: set(zip(*sides, strict=True)) for split, sides in after.items()}
    assert sets == {split: set(zip(*sides, strict=True)) for split, sides in before.items()}
    assert not sets["train"] & sets["val"]
    assert not sets["train"] & sets["test"]
    assert not sets["val"] & sets["test"]
    assert len(sets["test"]) == len(sets["val"]) == len(set(rows)) // 20


def test_a_target_without_spaces_is_scored_by_its_own_tokeniser(text):
    task = text(languages=("en", "zh"), budget=1, evaluate_every=1)
    assert "|tok:zh|" in task.evaluation["signatures"]["bleu"]
    assert "|tok:13a|" in text(languages=("en", "zh"), source="zh").evaluation["signatures"]["bleu"]
    learner = nlp.domain.learner(task, streams=Streams(0), device="cpu")
    learner.train(1)
    learner.evaluate("test")
    assert "|tok:zh|" in learner.scored_items()["signature"]


def test_what_is_held_out_is_said(text):
    task = text()
    counts = {split: len(sides[0]) for split, sides in read(task).items()}
    assert sum(counts.values()) == 200
    told = (
        f"Of 200 pairs {counts['val']} for validation and {counts['test']} for test are held out, chosen by their own"
    )
    assert told in " ".join(task.deviations)
    assert task.source == "own task of talks.en and talks.de, en to de"


def test_what_is_held_out_is_what_the_longest_allowed_sentence_leaves(text):
    task = text(max_words=4)
    corpus = corpora.parallel(task.data, task.config["corpus"])
    counts = {split: len(found) for split, found in corpus.splits.items()}
    assert 0 < sum(counts.values()) < 200
    told = f"Of {sum(counts.values())} pairs of at most 4 words {counts['val']} for validation and {counts['test']} for"
    assert told in " ".join(task.deviations)


def test_a_text_of_long_sentences_alone_is_told_before_anything_trains(text):
    with pytest.raises(DataError, match="talks: no pair of train has at most 2 words on both sides; raise max_words"):
        text(max_words=2)


def test_subwords_are_learned_from_the_training_part_alone(text, monkeypatch):
    seen = []
    trained = encoding.trained
    monkeypatch.setattr(encoding, "trained", lambda lines, *more: seen.append(list(lines)) or trained(lines, *more))
    task = text()
    corpora.parallel(task.data, task.config["corpus"])
    parts = read(task)
    assert seen == [[*parts["train"][0], *parts["train"][1]]]


def test_the_identity_covers_the_text_and_no_folder(text, tmp_path, monkeypatch):
    task = text()
    assert text() == task
    assert task_from_json(to_json(task)) == task
    assert str(tmp_path) not in json.dumps(to_json(task))
    data = tmp_path / "elsewhere"
    data.mkdir()
    for name in ("talks.en", "talks.de"):
        (tmp_path / name).rename(data / name)
    monkeypatch.setenv("TICKETBENCH_DATA", str(data))
    assert text() == task
    (data / "talks.en").write_text((data / "talks.en").read_text().replace("cat", "cats"))
    assert text().data != task.data
    with pytest.raises(DataError, match="talks is not what the task was listed with"):
        corpora.parallel(task.data, task.config["corpus"])


def changed(old, new):
    return lambda content: content.replace(old, new, 1)


BAD = {
    "unequal": (
        "talks.de",
        lambda content: content + b"noch eine\n",
        "talks.en has 200 lines, .*talks.de has 201: line 201",
    ),
    "empty line": (
        "talks.de",
        lambda content: b"\n" + content.partition(b"\n")[2],
        "talks.de, line 1: there is nothing to",
    ),
    "blank line": (
        "talks.en",
        lambda content: content.replace(content.split(b"\n")[6], b" \t "),
        "talks.en, line 7: there is",
    ),
    "latin-1": ("talks.de", lambda content: "für\n".encode("latin-1") + content, "line 1: byte 0xfc is not UTF-8"),
    "empty": ("talks.en", lambda _: b"", "talks.en is empty"),
    "few": (
        "talks.en talks.de",
        lambda content: b"".join(content.splitlines(keepends=True)[:3]),
        "3 different pairs of",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_text_is_told_in_one_line(text, tmp_path, case):
    names, change, message = BAD[case]
    for name in names.split():
        (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        text()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("row", "columns"), [("one", 1), ("one\ttwo\tthree", 3)])
def test_a_row_that_is_no_pair_is_told(text, tmp_path, row, columns):
    content = (tmp_path / "talks.tsv").read_text()
    (tmp_path / "talks.tsv").write_text(f"{row}\n{content}")
    with pytest.raises(DataError, match=f"talks.tsv, line 1: it has {columns} columns"):
        text(("talks.tsv",))


def test_a_line_that_is_too_long_has_its_number_in_the_file(text, tmp_path):
    rows = (tmp_path / "talks.en").read_text().splitlines()
    rows[41] = "cat " * 300
    (tmp_path / "talks.en").write_text("\n".join(rows))
    task = text()
    with pytest.raises(DataError, match=r"talks.en, line 42: the sentence has"):
        corpora.parallel(task.data, task.config["corpus"])


def test_windows_newlines_are_white_space(text, tmp_path):
    before = read(text())
    for name in ("talks.en", "talks.de", "talks.tsv"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(b"\n", b"\r\n"))
    for files in (("talks.en", "talks.de"), ("talks.tsv",)):
        task = text(files)
        corpus = corpora.parallel(task.data, task.config["corpus"])
        assert sorted(corpus.splits["test"].references) == sorted(before["test"][1])


@pytest.mark.parametrize("file", [str(Path("/") / "talks.en"), "../talks.en", ""])
def test_a_path_that_differs_between_machines_is_refused(text, file):
    with pytest.raises(SpecError, match="is no path inside of a folder"):
        text((file, "talks.de"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"files": ("nosuch.en", "talks.de")},
            DataError,
            "nosuch.en was not found: put it beside the file of your tasks",
        ),
        ({"source": "fr"}, SpecError, "from fr: name one file or two, two languages"),
        ({"languages": ("en",)}, SpecError, "name one file or two, two languages"),
        ({"languages": ("en", "en")}, SpecError, "name one file or two, two languages"),
        ({"files": ()}, SpecError, "0 files"),
        ({"scope": "all"}, UnknownName, "unknown pruning scope 'all'"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(text, changes, error, message):
    with pytest.raises(error, match=message):
        text(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"config": {"label_smoothin": 0.2}},
            "unknown key of a config 'label_smoothin': did you mean 'label_smoothing'",
        ),
        ({"config": {"clipp": 1.0}}, "unknown key of a config 'clipp': did you mean 'clip'"),
        ({"config": {"window": 9}}, "unknown key of a config 'window'"),
        ({"model": {"encoder_embed_dimm": 32}}, "'encoder_embed_dimm': did you mean 'encoder_embed_dim'"),
        ({"config": {"schedule": "cosine"}}, "unknown schedule 'cosine'"),
        ({"warmup": 0}, "config.warmup is 0, and inverse-sqrt falls from its last update on"),
        ({"warmup": 2.5}, "config.warmup is 2.5"),
    ],
)
def test_what_nothing_reads_or_nobody_can_follow_is_refused(text, changes, told):
    with pytest.raises(SpecError, match=told):
        text(**changes)


def test_one_deviation_may_be_a_plain_sentence(text):
    assert text(deviations="It is small.").deviations == text(deviations=("It is small.",)).deviations


def test_a_constant_rate_is_one(text):
    task = text(config={"schedule": "constant"})
    assert task.constant_rate
    assert registry.refusal(task) is None


def test_what_a_suite_adds_and_nothing_reads_is_refused(text):
    task = text()
    assert registry.refusal(task) is None
    told = registry.refusal(replace(task, config={**task.config, "clipp": 1.0}))
    assert (told or "").startswith("unknown key of a config 'clipp'")


@pytest.mark.parametrize("task", nlp.domain.tasks().values(), ids=lambda task: task.key)
def test_every_built_in_task_has_read_keys_alone(task):
    assert registry.refusal(task) is None


def test_the_options_of_a_transformer_are_fairseqs():

    from domains.nlp import border

    parser = argparse.ArgumentParser(add_help=False)
    name = "transformer_iwslt_de_en"
    border.ARCH_MODEL_REGISTRY[name].add_args(parser)
    assert {each.dest for each in parser._actions} | set(vars(border.complete(name, {}))) == config.OPTIONS
