"""The one door to data: a parallel corpus or running text, by what a task's `config["corpus"]` says. Imports no torch.

Kinds of parallel corpora are `bible`, `reverse`, the user's `folder`, `data-bin` and `text`, and the papers' `wmt14-en-de`,
`iwslt14-de-en` and `multi30k-en-de`; kinds of running text are `bible` and `wikitext-2`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from bench.digests import canonical_json
from bench.errors import DataError, UnknownName
from domains.nlp.corpora import bible, databin, encoding, folders, reverse, texts, wikitext
from domains.nlp.corpora.lines import Lines, read_folder
from domains.nlp.corpora.papers import PAPERS
from domains.nlp.corpora.sentences import Corpus, Pairs, Sentences, Text

__all__ = ["Corpus", "Pairs", "Sentences", "Text", "declared", "parallel", "text"]

Config = Mapping[str, Any]

OWN = ("folder", "data-bin")
READERS: dict[str, Callable[[Config], Lines]] = {
    "bible": bible.read,
    "reverse": reverse.read,
    texts.KIND: texts.read_text,
}
"""Parallel corpora that are no folders."""
PARALLEL = (*READERS, *OWN, *(name for name, paper in PAPERS.items() if paper.languages))
TEXTS = ("bible", wikitext.NAME)


def parallel(data: Mapping[str, str], config: Config) -> Corpus:
    """A parallel corpus; read once per process.

    Args:
        data: `task.data`: corpus -> sha256 of what it was when the task was listed (see `declared`).
        config: `kind`; `name` of a folder or a text; the `files` of a text and their `languages`; `source` and `target`
            languages; `max_words` of either side (null: any);
            `pieces` of the vocabulary; `max_positions`, the most tokens of a sentence (256).

    Raises:
        DataError: if files are missing or broken, or are not what the task was listed with.
        UnknownName: if there is no such kind.
    """
    return _parallel(canonical_json(dict(data)), canonical_json(dict(config)))


def text(data: Mapping[str, str], config: Config) -> Text:
    """Running text; read once per process.

    Args:
        data: as in `parallel`.
        config: `kind`; `min_count`: how often a word must occur, not to be `<unk>`.

    Raises:
        DataError: if files are missing or broken, or are not what the task was listed with.
        UnknownName: if there is no such kind.
    """
    return _text(canonical_json(dict(data)), canonical_json(dict(config)))


def declared(config: Config) -> dict[str, str]:
    """What a task with this corpus has as its `data`: corpus -> sha256; nothing while the corpus is not there.

    Args:
        config: as in `parallel` or `text`.
    """
    kind = config["kind"]
    try:
        if kind == "bible":
            return {kind: bible.DIGEST}
        if kind == "reverse":
            return {kind: reverse.read(config).digest}
        if kind == texts.KIND:
            return {str(config["name"]): texts.declared_digest(config)}
        if kind == wikitext.NAME:
            return {kind: wikitext.digest(remembered=True)}
        folder = _folder(config, remembered=True)
    except DataError:
        return {}
    return {folder.name: folder.digest}


@lru_cache(maxsize=4)
def _parallel(data: str, config: str) -> Corpus:
    wanted, asked = json.loads(data), json.loads(config)
    if asked["kind"] not in PARALLEL:
        raise UnknownName("parallel corpus", asked["kind"], PARALLEL)
    if asked["kind"] in READERS:
        return _encoded(READERS[asked["kind"]](asked), wanted, asked)
    folder = _folder(asked)
    _check(folder.name, folder.digest, wanted)
    if folder.kind == "data-bin":
        return databin.read_folder(folder, asked)
    return _encoded(read_folder(folder.name, folder.path, folder.languages, folder.digest), wanted, asked)


@lru_cache(maxsize=4)
def _text(data: str, config: str) -> Text:
    wanted, asked = json.loads(data), json.loads(config)
    if asked["kind"] not in TEXTS:
        raise UnknownName("running text", asked["kind"], TEXTS)
    if asked["kind"] == "bible":
        _check("bible", bible.DIGEST, wanted)
        return bible.text(asked)
    _check(wikitext.NAME, wikitext.digest(), wanted)
    return wikitext.text(asked)


def _encoded(lines: Lines, wanted: Mapping[str, str], config: Config) -> Corpus:
    _check(lines.name, lines.digest, wanted)
    return encoding.encode(lines, config)


def _folder(config: Config, *, remembered: bool = False) -> folders.Folder:
    """The user's folder, or that of a paper, whose languages are known."""
    paper = PAPERS.get(config["kind"])
    if paper is None:
        return folders.find(str(config["name"]), config, remembered=remembered)
    languages = dict(zip(("source", "target"), paper.languages, strict=True))
    return folders.find(config["kind"], {**languages, **config}, how=paper.how, remembered=remembered)


def _check(name: str, digest: str, wanted: Mapping[str, str]) -> None:
    if wanted.get(name) != digest:
        before = f"has sha256 {digest}, not {wanted[name]}" if name in wanted else "was not there then"
        raise DataError(
            f"{name} is not what the task was listed with: it {before}; restore it, or start a run with it as it is now"
        )
