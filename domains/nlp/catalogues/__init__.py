"""A parallel corpus from the message catalogues that are installed: `python -m domains.nlp.catalogues de FOLDER`.

Catalogues are under the licences of their programs, so that a corpus of them is built where it is used, and is not shipped.
Each is for training, validation or test as a whole, because messages of one program resemble each other.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import __version__, command
from bench.digests import file_digest
from bench.errors import DataError
from domains.nlp.catalogues.messages import fault, gist, one_line, pair, words
from domains.nlp.catalogues.mo import read_mo

ROOT = Path("/usr/share/locale")
LANGUAGE = re.compile(r"(?!en$)[a-z]{2,3}(?:[_@][A-Za-z0-9]+)*")
"""A folder of translations: `de`, `pt_BR`, `ca@valencia`. Not `en`: messages are in English before they are translated."""

HELD_OUT = {"valid": 0.05, "test": 0.05}
"""Split -> about which fraction of all pairs it has; the others are for training."""

MOST_NAMES = 1000
"""How many pairs a list of names may have: of languages and regions (iso_639-3, iso_3166-2) there are many thousands."""

LISTED = 20
"""How many languages a message names, those with the most catalogues."""

PROVENANCE = """English messages of programs and their {language} translations, from installed catalogues, by ticketbench {version}.
Each catalogue is under the licence of its program: build a corpus where it is used, and do not pass it on.

split\tcatalogue\tprogram\tpairs\tsha256
"""

PROJECT = re.compile(r"^project-id-version:(.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Catalogue:
    """What a program has in a corpus.

    Args:
        name: of the file, without its ending.
        project: program and version, as its header says.
        digest: sha256 of the file.
        pairs: source and translation.
        dropped: why -> how many pairs were dropped.
    """

    name: str
    project: str
    digest: str
    pairs: list[tuple[str, str]]
    dropped: Counter[str]


Splits = Mapping[str, list[Catalogue]]


def main() -> None:
    """Run the command; a mistake of the user's is one line and exit code 2."""
    command.run(build, name="python -m domains.nlp.catalogues", example="de data/messages-de")


def build(
    language: Annotated[str, typer.Argument(metavar="LANG", help="Of the translations: de, pt_BR, ...")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the corpus goes: a new or empty folder.")],
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="Where catalogues are installed.")] = ROOT,
) -> None:
    """Build a parallel corpus, English and LANG, from the message catalogues that are installed."""
    catalogues = distinct(read(files(root, language)))
    splits = split(catalogues)
    folder = folder.resolve()
    with drafted(folder) as draft:
        write(draft, splits, language)
    show(catalogues, splits)
    sys.stdout.write(f"{folder} is written; with TICKETBENCH_DATA={folder.parent}, `ticketbench tasks` lists it\n")


def files(root: Path, language: str) -> list[Path]:
    """The catalogues of a language, each once, though it may have two names.

    Raises:
        DataError: saying which languages there are, if it has none.
    """
    if found := _installed(root, language):
        return found
    try:
        names = sorted(each.name for each in root.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {root}: {error.strerror}; name the folder of catalogues with --root") from error
    counts = Counter({name: count for name in names if (count := len(_installed(root, name)))})
    there = ", ".join(f"{name} ({count})" for name, count in counts.most_common(LISTED)) or "none of other languages"
    more = f" and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
    raise DataError(
        f"no catalogues of {language!r} in {root}, there are {there}{more}: install programs with their translations, "
        "such as git, coreutils and wget (small systems leave translations out), or name another folder with --root"
    )


def read(paths: Iterable[Path]) -> Iterator[Catalogue]:
    """The catalogues with what the rules leave of them; a broken one is passed over, with a line that says why."""
    for path in paths:
        try:
            messages = read_mo(path)
        except DataError as error:
            sys.stderr.write(f"warning: {error}\n")
            continue
        header = next((message.forms[0] for message in messages if not message.source), "")
        project = PROJECT.search(header)
        pairs = [pair(message) for message in messages if message.source]
        faults = [fault(*each) for each in pairs]
        yield Catalogue(
            name=path.stem,
            project=one_line(project[1])[:60] if project else "",
            digest=file_digest(path),
            pairs=[each for each, reason in zip(pairs, faults, strict=True) if reason is None],
            dropped=Counter(reason for reason in faults if reason),
        )


def distinct(catalogues: Iterable[Catalogue]) -> list[Catalogue]:
    """The catalogues in the order of their names' digests, without sources that resemble an earlier one, and with few names.

    A source that is in one catalogue only is in one split only: what is tested is never seen in training.
    """
    seen: set[str] = set()
    found = []
    for each in sorted(catalogues, key=lambda each: _digest(each.name)):
        fresh = []
        for source, target in each.pairs:
            if (key := gist(source)) not in seen:
                seen.add(key)
                fresh.append((source, target))
        kept = few_names(fresh)
        counts = Counter({"repeated": len(each.pairs) - len(fresh), "names": len(fresh) - len(kept)})
        found.append(replace(each, pairs=kept, dropped=each.dropped + counts))
    return found


def few_names(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs, or some of them in their order if they are a long list of names: half have no more than two words."""
    if len(pairs) <= MOST_NAMES or median(words(source) for source, _ in pairs) > 2:
        return pairs
    kept = set(sorted((source for source, _ in pairs), key=_digest)[:MOST_NAMES])
    return [each for each in pairs if each[0] in kept]


def split(catalogues: list[Catalogue]) -> Splits:
    """Split -> catalogues; each, in turn, goes where it brings the size nearer to what it should be, else to training.

    Raises:
        DataError: if there are too few catalogues for three splits.
    """
    used = [each for each in catalogues if each.pairs]
    if len(used) < 3:
        raise DataError(
            f"only {len(used)} catalogues have messages for a corpus, which needs three, one for each split: install "
            "more programs with their translations"
        )
    missing = {name: fraction * sum(len(each.pairs) for each in used) for name, fraction in HELD_OUT.items()}
    splits: dict[str, list[Catalogue]] = {"train": [], **{name: [] for name in HELD_OUT}}
    for each in used:
        name = next((name for name, rest in missing.items() if len(each.pairs) < 2 * rest), "train")
        splits[name].append(each)
        if name in missing:
            missing[name] -= len(each.pairs)
    for name in HELD_OUT:
        if not splits[name]:  # all are large, because they are few
            smallest = min(splits["train"], key=lambda each: len(each.pairs))
            splits["train"].remove(smallest)
            splits[name].append(smallest)
    return splits


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place in the end, and is removed if anything goes wrong before.

    Raises:
        DataError: if `folder` is not empty, or cannot be written.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} is there already: name a new or empty folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        yield draft
        draft.rename(folder)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write(folder: Path, splits: Splits, language: str) -> None:
    """The text of every split, as `domains.nlp.corpora.folders` reads it, and where it is from."""
    for name, catalogues in splits.items():
        for column, suffix in enumerate(("en", language.replace("@", "_"))):
            lines = [f"{each[column]}\n" for catalogue in catalogues for each in catalogue.pairs]
            (folder / f"{name}.{suffix}").write_text("".join(lines), encoding="utf-8", newline="\n")
    rows = [
        f"{name}\t{each.name}\t{each.project}\t{len(each.pairs)}\t{each.digest}\n"
        for name, catalogues in splits.items()
        for each in catalogues
    ]
    facts = PROVENANCE.format(language=language, version=__version__) + "".join(rows)
    (folder / "PROVENANCE").write_text(facts, encoding="utf-8", errors="backslashreplace")


def show(catalogues: list[Catalogue], splits: Splits) -> None:
    """Print what every split has, and what every rule dropped."""
    sizes = Table("split", "catalogues", "pairs", "English words", box=None, pad_edge=False)
    for name, part in splits.items():
        pairs = [each for catalogue in part for each in catalogue.pairs]
        numbers = len(part), len(pairs), sum(words(source) for source, _ in pairs)
        sizes.add_row(name, *(f"{number:,}" for number in numbers))
    losses = Table("dropped", "pairs", box=None, pad_edge=False)
    for rule, count in sum((each.dropped for each in catalogues), Counter[str]()).most_common():
        losses.add_row(rule, f"{count:,}")
    for table in (sizes, losses):
        for column in table.columns[1:]:
            column.justify = "right"
        Console().print(table, "")


def _installed(root: Path, language: str) -> list[Path]:
    if not LANGUAGE.fullmatch(language):
        return []
    folder = root / language / "LC_MESSAGES"
    return sorted({path.resolve() for path in folder.glob("*.mo") if path.is_file()})


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
