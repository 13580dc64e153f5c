"""Packs a suite's finished units into one file: a zip with a manifest, the same bytes for the same store."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.digests import file_digest
from bench.errors import StoreError, SubmissionError
from bench.exchange.manifest import FILES, MOST_FILES, NAME, Manifest, Sealed
from bench.spec import Suite, Unit
from bench.store import files
from bench.store.attempt import RECORD, STATES
from bench.store.store import KeptSuite, Store

EPOCH = (1980, 1, 1, 0, 0, 0)
"""When every member was made, by its own account; the earliest that a zip can say."""
LEVEL = 6
MODE = 0o100644 << 16
CHUNK = 2**20


class Packed(NamedTuple):
    """What went into an archive."""

    units: int
    bytes: int


def pack(units: Iterable[Unit], store: Store, output: Path, *, suite: Suite, weights: bool) -> Packed:
    """Write the finished ones of `units` into one archive.

    The same store gives the same bytes (with the same zlib; the manifest's digests do not depend on it).

    Args:
        units: those that are not finished are left out.
        store: where they are.
        output: the archive; a file of that name is replaced in one step.
        suite: theirs; the archive keeps it.
        weights: whether the states go with them; `--replay` needs them.

    Raises:
        StoreError: if nothing is finished, a file was changed since, or the disk refuses.
    """
    finished = [unit for unit in units if store.record(unit)]
    if not finished:
        raise StoreError(f"no finished unit of suite {suite.name} in {store.root}: run it, or name another --store")
    allowed = (*FILES, *STATES) if weights else FILES
    sealed = {path: file for unit in finished for path, file in _seal(store, unit, allowed)}
    if len(sealed) > MOST_FILES:
        raise StoreError(f"{len(sealed)} files are more than {MOST_FILES}: pack some --tasks at a time")
    manifest = Manifest(suite=_kept(suite), files=dict(sorted(sealed.items())))
    try:
        Manifest.of(manifest.text().encode())
    except SubmissionError as error:
        raise StoreError(
            f"suite {suite.name!r} cannot be packed: {error}; call its file by letters and digits"
        ) from error
    try:
        with files.drafted(output) as draft:
            _write(draft, manifest, store.root)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}; name another --output") from error
    return Packed(len(finished), output.stat().st_size)


def _kept(suite: Suite) -> KeptSuite:
    return {
        "name": suite.name,
        "title": suite.title,
        "tasks": [
            {
                "task": entry.task.key,
                "methods": [method.name for method in entry.methods],
                "levels": list(entry.levels),
                "seeds": list(entry.seeds),
            }
            for entry in suite.entries
        ],
    }


def _seal(store: Store, unit: Unit, allowed: Iterable[str]) -> Iterable[tuple[str, Sealed]]:
    record = store.record(unit)
    assert record is not None
    told = record["digests"].get("files", {})
    for name in allowed:
        path = store.folder(unit) / name
        if name != RECORD and name not in told and not path.exists():
            continue
        if not path.exists() and name in STATES:
            continue
        try:
            sealed = Sealed(path.stat().st_size, file_digest(path))
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}): remove its folder and run again") from error
        if name != RECORD and told.get(name) != sealed.sha256:
            raise StoreError(f"{path} was changed since it was recorded: remove its folder and run again")
        yield f"{unit.path}/{name}", sealed


def _write(draft: Path, manifest: Manifest, root: Path) -> None:
    with zipfile.ZipFile(draft, "w") as archive:
        archive.writestr(_member(NAME), manifest.text().encode(), compresslevel=LEVEL)
        for path, sealed in manifest.files.items():
            member = _member(path)
            member.file_size = sealed.size  # tells whether it needs a large file's header
            with (root / path).open("rb") as source, archive.open(member, "w") as target:
                shutil.copyfileobj(source, target, CHUNK)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, MODE, 3
    return member
