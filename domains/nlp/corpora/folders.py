"""The user's corpora: each a folder in the data folder, as plain text or as fairseq-preprocess wrote it. Imports no torch."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bench.digests import file_digest, json_digest
from bench.errors import DataError
from domains.nlp.corpora import lines
from domains.nlp.corpora.cache import cached
from domains.nlp.corpora.papers import PAPERS

VARIABLE = "TICKETBENCH_DATA"
"""The environment variable that names the data folder, as in `domains.vision`."""

BUNDLED = ("bible", "reverse")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TEXT = re.compile(r"train\.([A-Za-z]{2,3}(?:[_-][A-Za-z0-9]+)*)")
FORMATS = ("txt", "tsv", "csv", "bak", "old")
"""Endings of other files that lie beside a corpus: no language is called so."""
BINARY = re.compile(r"train\.([A-Za-z_0-9]+)-([A-Za-z_0-9]+)\.\1\.idx")

Kind = Literal["folder", "data-bin"]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A parallel corpus of the user's.

    Args:
        name: of the folder.
        path: where it is.
        kind: `folder` of plain text, or `data-bin` of fairseq-preprocess.
        languages: source and target.
        digest: sha256 over the files that there are of this pair of languages.
    """

    name: str
    path: Path
    kind: Kind
    languages: tuple[str, str]
    digest: str


def found() -> dict[str, Folder]:
    """Folder name -> corpus, of the user's own; quick from the second time on, since digests are kept by path, size and time.

    A corpus counts as soon as it has training files of two languages: what else it lacks is said when it is read. What
    cannot be used is passed over with a line on standard error, so that other tasks are still listed.
    """
    try:
        names = sorted(each.name for each in _root().iterdir() if each.is_dir()) if os.environ.get(VARIABLE) else []
    except OSError as error:
        _warn(f"cannot read the folder {_root()} that {VARIABLE} names: {error.strerror}; its corpora are not listed")
        names = []
    corpora = {}
    for name in names:
        try:
            if name not in PAPERS and (pairs := _pairs(_root() / name)):
                corpora[name] = _listed(name, pairs)
        except DataError as error:
            _warn(str(error))
    return corpora


def find(name: str, config: Mapping[str, Any], *, how: str = "", remembered: bool = False) -> Folder:
    """The corpus in the folder of that name.

    Args:
        name: of the folder.
        config: `source` and `target`, if they do not follow from the files.
        how: to get the corpus, for the message.
        remembered: whether the digests of unchanged files may come from the cache.

    Raises:
        DataError: if there is no such folder, or no pair of languages in it.
    """
    path = place(name, how=how)
    pairs = _pairs(path)
    if "source" in config and "target" in config:
        wanted = (str(config["source"]), str(config["target"]))
        pairs = [(kind, wanted) for kind, pair in pairs if set(pair) == set(wanted)]
    if len(pairs) != 1:
        what = "more than one pair of languages" if pairs else "no training files of two languages"
        raise DataError(f"{path} has {what}: it needs {_needs()}" + (f"; {how}" if how else ""))
    return _folder(name, *pairs[0], remembered=remembered)


def place(name: str, *, how: str = "") -> Path:
    """The folder of a corpus.

    Raises:
        DataError: saying what to do, if it is not there.
    """
    advice = how or f"it needs {_needs()}"
    if not os.environ.get(VARIABLE):
        raise DataError(f"{name} was not found: set {VARIABLE} to a folder with a folder {name} in it; {advice}")
    path = _root() / name
    if not NAME.fullmatch(name) or not path.is_dir():
        raise DataError(f"{name} was not found: there is no folder {path}; {advice}")
    return path


def files_digest(paths: Iterable[Path], *, remembered: bool) -> str:
    """One sha256 over those of the files that exist, by name.

    Args:
        paths: in one folder.
        remembered: whether unchanged files (path, size, times, inode) need not be read again.

    Raises:
        DataError: if one cannot be read.
    """
    digests = {}
    for path in paths:
        try:
            if path.is_file():
                digests[path.name] = _remembered(path) if remembered else file_digest(path)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
    return lines.digest_of(digests)


def binaries(path: Path, languages: tuple[str, str]) -> dict[str, tuple[Path, Path]]:
    """Split -> source and target of a data-bin folder, each a path to which `.idx` and `.bin` are added."""
    pair = "-".join(languages)
    if not (path / f"train.{pair}.{languages[0]}.idx").is_file():
        pair = "-".join(reversed(languages))
    names = {"train": "train", "val": "valid", "test": "test"}
    source, target = languages
    return {
        split: (path / f"{name}.{pair}.{source}", path / f"{name}.{pair}.{target}") for split, name in names.items()
    }


def _root() -> Path:
    return Path(os.environ[VARIABLE])


def _needs() -> str:
    return "train.xx, train.yy, valid.xx, valid.yy, test.xx and test.yy, or the files that fairseq-preprocess writes"


def _listed(name: str, pairs: list[tuple[Kind, tuple[str, str]]]) -> Folder:
    path = _root() / name
    if name in BUNDLED:
        raise DataError(f"{path} is not listed: there is a {name} in ticketbench; give it another name")
    if not NAME.fullmatch(name):
        raise DataError(f"{path} is not listed: name it with letters, digits, '.', '_' and '-' only")
    if len(pairs) > 1:
        raise DataError(f"{path} is not listed: it has more than one pair of languages; make a folder of each")
    return _folder(name, *pairs[0], remembered=True)


def _pairs(path: Path) -> list[tuple[Kind, tuple[str, str]]]:
    """Every pair of languages of which there are training files; English is the source of plain text if it is one."""
    try:
        names = sorted(each.name for each in path.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    binary: list[tuple[Kind, tuple[str, str]]] = [
        ("data-bin", (match[1], match[2])) for name in names if (match := BINARY.fullmatch(name))
    ]
    languages = sorted(
        (match[1] for name in names if (match := TEXT.fullmatch(name)) and match[1] not in FORMATS),
        key=lambda each: (each != "en", each),
    )
    text: list[tuple[Kind, tuple[str, str]]] = [
        ("folder", (first, second)) for index, first in enumerate(languages) for second in languages[index + 1 :]
    ]
    return binary or text


def _folder(name: str, kind: Kind, languages: tuple[str, str], *, remembered: bool) -> Folder:
    path = _root() / name
    if kind == "folder":
        paths = [each for pair in lines.files(path, languages).values() for each in pair]
    else:
        stems = [stem for pair in binaries(path, languages).values() for stem in pair]
        paths = [stem.with_name(f"{stem.name}.{ending}") for stem in stems for ending in ("idx", "bin")]
        paths += [path / f"dict.{language}.txt" for language in languages]
    digest = files_digest(paths, remembered=remembered)
    return Folder(name=name, path=path, kind=kind, languages=languages, digest=digest)


def _remembered(path: Path) -> str:
    status = path.stat()
    times = [status.st_mtime_ns, status.st_ctime_ns]
    key = json_digest([str(path.resolve()), status.st_size, *times, status.st_ino])
    return cached(f"digest-{key}", lambda: file_digest(path).encode()).decode()


@cache
def _warn(message: str) -> None:
    """Once per process, however often tasks are listed."""
    sys.stderr.write(f"warning: {message}\n")
