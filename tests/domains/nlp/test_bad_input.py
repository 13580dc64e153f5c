"""Corpora of users and papers through the command line: bad ones with one clear reason each, good ones trained on."""

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bench import registry
from bench.__main__ import main
from domains import vision
from domains.nlp import corpora, domain
from domains.nlp.corpora import folders
from domains.nlp.corpora.papers import PAPERS

MISSING = "raise ModuleNotFoundError({0!r} + ' is not installed', name={0!r})\n"
"""A module in front of the real one, as if that were not there."""

TINY = {
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_embed_dim": 16,
    "decoder_ffn_embed_dim": 16,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
}
LSTM = {"decoder_embed_dim": 8, "decoder_hidden_size": 8, "decoder_out_embed_dim": 8}

WIKI = " \n = A Title = \n \n The cat sat on the <unk> . The cat @-@ bird sat on the mat . \n"
CUT = {"en": "the ho@@ use is red .\na b@@ ig dog &apos;s tail\n", "de": "das ha@@ us ist rot .\nein gro@@ ßer hund\n"}

GOOD = (
    "nlp/transformer-plain",
    "nlp/transformer-binary",
    "nlp/transformer-base-wmt14",
    "nlp/transformer-iwslt14",
    "nlp/lstm-wikitext2",
)
REASONS = {
    "nlp/transformer-uneven": "{0}/uneven/train.en has 40 lines, {0}/uneven/train.de has 2: line 3 has no counterpart; ",
    "nlp/transformer-latin": "{0}/latin/valid.de, line 2: byte 0xe4 is not UTF-8; convert the file to UTF-8",
    "nlp/transformer-hollow": "{0}/hollow/test.en is empty: at least one line is needed",
    "nlp/transformer-endless": "{0}/endless/test.en, line 3: the sentence has ",
    "nlp/transformer-partial": "cannot read {0}/partial/valid.en: No such file or directory; a split is one text file",
    "nlp/transformer-wordless": "cannot read {0}/wordless/dict.de.txt: No such file or directory; fairseq-preprocess writes a dictionary",
    "nlp/transformer-illegible": "{0}/illegible/dict.en.txt, line 3: 'likes' is not `symbol count`; run fairseq-prepro",
    "nlp/transformer-cut": "cannot read {0}/cut/train.en-de.en.bin as fairseq's data: it has 10 bytes, its index promises",
    "nlp/transformer-multi30k": "multi30k-en-de was not found: there is no folder {0}/multi30k-en-de; copy and unpack",
}


def fill(data, write_text, write_binary):
    """The data folder: good corpora in each format, and bad ones."""
    write_text(data / "plain")
    write_binary(data / "binary")
    write_binary(data / "iwslt14-de-en", pair="de-en")
    for name in ("wmt14-en-de", "wikitext-2"):
        (data / name).mkdir()
    for split in ("train", "valid", "test"):
        for language, text in CUT.items():
            (data / "wmt14-en-de" / f"{split}.{language}").write_text(text * 8, encoding="utf-8")
        (data / "wikitext-2" / f"wiki.{split}.tokens").write_text(WIKI * 20)
    write_text(data / "uneven", train_de=b"ein\nhund\n")
    write_text(data / "latin", valid_de="gut\nschön und spät\n".encode("latin-1").replace(b"\xf6", b"o"))
    write_text(data / "hollow", test_en=b"", test_de=b"")
    write_text(data / "endless", test_en=b"a\na\n" + b"word " * 300 + b"\n" * 5)
    (write_text(data / "partial") / "valid.en").unlink()
    (write_binary(data / "wordless") / "dict.de.txt").unlink()
    (write_binary(data / "illegible") / "dict.en.txt").write_text("the 3\na 2\nlikes\n")
    stem = write_binary(data / "cut") / "train.en-de.en.bin"
    stem.write_bytes(stem.read_bytes()[:10])


def small(task):
    """The task with a tiny network and three updates; what is read is as it was."""
    config = task.config
    language = config["objective"] == "language"
    options = {**config["model"], **(LSTM if language else TINY)}
    if not language and config["corpus"]["kind"] != "wmt14-en-de":
        options["share_all_embeddings"] = False
    config = {**config, "model": options, "batches": 1, "average": {"last": 0, "every": 1}}
    config.update({"batch": 2, "window": 4} if language else {"max_tokens": 256})
    # The papers' tasks were listed when this process started, before their data were there.
    data = corpora.declared(config["corpus"])
    return replace(task, config=config, data=data, budget=3, evaluate_every=3, rewind_step=1)


class Small:
    """The domain with tasks that are trained in no time."""

    def tasks(self):
        return {key: small(task) for key, task in domain.tasks().items()}


def block(task):
    return f'[[task]]\nname = "{task.name}"\nscale = "{task.scale}"\nmethods = ["dense", "ticket"]\nlevels = [1]\nseeds = [0]\n'


def call(*args, domains=None):
    """Exit code, standard output and standard error of the command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(registry, "domains", lambda: domains or {"nlp": Small()})
        patch.setattr(sys, "argv", ["ticketbench", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def ran(folder, write_text, write_binary):
    """One run of a suite with every kind of bad input, and with good input in every format."""
    fill(folder / "data", write_text, write_binary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TICKETBENCH_DATA", str(folder / "data"))  # workers inherit it
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        tasks = {task.name: task for task in Small().tasks().values()}
        (folder / "bad.toml").write_text("".join(block(tasks[name]) for name in (*REASONS, *GOOD)))
        return call("run", folder / "bad.toml", "--store", folder / "runs", "--workers", 1)


@pytest.mark.slow
def test_good_corpora_in_every_format_are_trained_on(ran, folder):
    code, out, err = ran
    assert code == 1
    assert all(re.match(r"ticketbench: (how long .* is unknown: |trying how fast )", line) for line in err.splitlines())
    assert f"{2 * len(GOOD)} of {2 * (len(GOOD) + len(REASONS))} units done, {len(REASONS)} failed" in out
    for name in GOOD:
        assert (folder / "runs" / name / "ticket/s0").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONS)
def test_each_failure_has_one_line_with_its_reason(ran, folder, name):
    [line] = [line for line in ran[1].splitlines() if line.startswith(f"failed: {name}@")]
    label, _, reason = line.removeprefix("failed: ").partition(" dense L0 s0: ")
    assert reason.startswith(REASONS[name].format(folder / "data"))
    assert f"blocked: 1 unit: {label} dense L0 s0 failed" in ran[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONS)
def test_nothing_is_written_of_what_failed(ran, folder, name):
    assert not (folder / "runs" / name).exists()


@pytest.mark.slow
def test_the_cache_has_whole_vocabularies_only(ran, folder):
    names = [path.name for path in (folder / "cache/ticketbench/nlp").iterdir()]
    assert {name.partition("-")[0] for name in names} == {"pieces", "digest"}
    assert sum(name.startswith("pieces-") for name in names) == 1  # `plain` and `endless` have the same training split


def test_how_to_get_a_papers_data_fits_in_a_line():
    assert all("\n" not in paper.how and len(paper.how) < 250 for paper in PAPERS.values())


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_an_unreadable_data_folder_is_one_warning_and_other_tasks_are_listed(tmp_path, monkeypatch, kind):
    folders._warn.cache_clear()
    if kind == "file":
        (tmp_path / kind).touch()
    monkeypatch.setenv("TICKETBENCH_DATA", str(tmp_path / kind))
    code, out, err = call("tasks", domains={"nlp": domain, "vision": vision.domain})
    assert code == 0
    assert "nlp/transformer-bible" in out
    assert "vision/lenet-mnist" in out
    assert err.count("\n") == 1
    assert err.startswith(f"warning: cannot read the folder {tmp_path / kind} that TICKETBENCH_DATA names: ")


def test_a_corpus_that_is_gone_is_an_unknown_task(tmp_path, monkeypatch):
    monkeypatch.setenv("TICKETBENCH_DATA", str(tmp_path))
    (tmp_path / "bad.toml").write_text(
        block(domain.tasks()["nlp/transformer-reverse@smoke"]).replace("reverse", "mine")
    )
    code, out, err = call("run", tmp_path / "bad.toml", "--store", tmp_path / "runs")
    assert (code, out) == (2, "")
    assert "bad.toml:2: name: unknown task 'nlp/transformer-mine': " in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_with_half_a_fairseq_text_models_name_the_extra_and_images_are_learned(tmp_path):
    (tmp_path / "fairseq.py").write_text(MISSING.format("fairseq"))
    tasks = (domain.tasks()["nlp/transformer-reverse@smoke"], vision.domain.tasks()["vision/lenet-mnist@smoke"])
    (tmp_path / "both.toml").write_text("".join(map(block, tasks)))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "both.toml", "--store", "runs", "--workers", "1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert all(re.match("ticketbench: (how long|trying how fast) ", line) for line in done.stderr.splitlines())
    assert "2 of 4 units done, 1 failed, 1 blocked" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert "nlp/transformer-reverse needs fairseq, which is not installed: " in line
    assert line.endswith("pip install 'ticketbench[nlp]'")
    assert (tmp_path / "runs/vision/lenet-mnist/ticket/s0").is_dir()
