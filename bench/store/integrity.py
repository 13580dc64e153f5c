"""Whether a store says the truth about itself: ids, digests, counts, densities, nesting, and zeros under the mask.

Reads what anybody may have written: nothing is executed, sizes are capped, and what cannot be read is a finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from bench.digests import file_digest, json_digest, tensors_digest
from bench.errors import DamagedUnit, TicketBenchError
from bench.record import Record
from bench.spec import Role, Unit
from bench.store.attempt import RECORD, STATES, read_stored, without_curve
from bench.store.store import Store, curve
from bench.store.tensors import Mask, read_mask, read_tensors

Check = Callable[["Family", Path, Unit, Record], Iterator[str]]
Family = Mapping[str, tuple[Path, Record]]
"""Unit id -> folder and record, of all records of a store."""

BESIDE = {
    "items": "test items",
    "nodes": "nodes",
    "fit": "metrics of training examples",
    "interpolation": "metrics between its twin and itself",
    "survival": "survivors",
}
"""What stands in a record beside its result, with a digest of its own -> what to call it."""


def verify(store: Store) -> list[str]:
    """What is wrong in a store, one line each, the unit's folder first; empty if nothing is."""
    findings = []
    found: list[tuple[Path, Record]] = []
    for folder in store.folders():
        try:
            found.append((folder, _read(folder)))
        except (OSError, ValueError) as error:
            findings.append(f"{folder.relative_to(store.root)}: {RECORD} cannot be read: {error}")
    family = {str(record["unit_id"]): (folder, record) for folder, record in found}
    for folder, record in found:
        name = folder.relative_to(store.root)
        findings += [f"{name}: {finding}" for finding in _findings(store, family, folder, record, EVERY)]
    return findings


def verify_alone(store: Store, folder: Path) -> list[str]:
    """What contradicts itself in one unit whose parents and file digests stayed behind; see `bench.exchange.ticketfile`."""
    return list(_findings(store, {}, folder, _read(folder), ALONE))


def differences(folder: Path, record: Record) -> Iterator[str]:
    """What the files of a unit's folder and the digests in its record do not agree about, one line each.

    States may be missing: `ticketbench clean` removes them.
    """
    told = record["digests"].get("files", {})
    present = {path.name: path for path in folder.iterdir() if path.name != RECORD}
    for name, path in sorted(present.items()):
        if name not in told:
            yield f"{name} is not in the record"
        elif path.is_symlink() or not path.is_file():
            yield f"{name} is not a plain file"
        elif file_digest(path) != told[name]:
            yield f"{name} was changed: its sha256 is not the record's"
    for name in sorted(told.keys() - present.keys() - set(STATES)):
        yield f"{name} is missing"


def read_parent(folder: Path) -> Record:
    """The record of a finished unit that another starts from.

    Raises:
        DamagedUnit: if there is none that parses, or it does not tell the digests of its files.
    """
    try:
        record = _read(folder)
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"{RECORD} cannot be read: {error}") from error
    if "files" not in record["digests"]:
        raise _damaged(folder, f"{RECORD} does not tell the digests of its files")
    return record


def read_file(folder: Path, name: str, record: Record) -> bytes:
    """The content of a file of a finished unit; what was hashed is what is given, whatever happens to the file.

    Raises:
        DamagedUnit: if it is not the file that the record was made with.
    """
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != record["digests"]["files"].get(name):
        raise _damaged(folder, f"{name} was changed since it was recorded: its sha256 is not the record's")
    return data


def _damaged(folder: Path, what: str) -> DamagedUnit:
    return DamagedUnit(f"{folder}: {what}; look with `ticketbench verify`, then remove this folder and run again")


def _read(folder: Path) -> Record:
    if folder.is_symlink():
        raise ValueError("it is a symbolic link")
    return without_curve(read_stored(folder))


def _findings(store: Store, family: Family, folder: Path, record: Record, checks: tuple[Check, ...]) -> Iterator[str]:
    try:
        unit = Unit.from_spec(record["spec"])
        if unit.id != record["unit_id"]:
            yield f"the id of its spec is {unit.id[:10]}, the record says {record['unit_id'][:10]}"
        if store.folder(unit) != folder:
            yield f"its spec belongs in {unit.path}"
    except Exception as error:  # noqa: BLE001  as below
        told = error if isinstance(error, (TicketBenchError, ValueError)) else f"{type(error).__name__}: {error}"
        yield f"its spec is no unit's: {told}"
        return
    for check in checks:
        try:
            yield from check(family, folder, unit, record)
        except Exception as error:  # noqa: BLE001  a hostile file may break any reader; that is a finding, not an end
            yield f"the {check.__name__[1:]} cannot be checked: {type(error).__name__}: {error}"


def _files(_family: Family, folder: Path, _unit: Unit, record: Record) -> Iterator[str]:
    yield from differences(folder, record)


def _digests(_family: Family, folder: Path, _unit: Unit, record: Record) -> Iterator[str]:
    told = record["digests"]
    parts = {name: told[name] for name in ("curve", "mask", "weights")}
    if json_digest({**parts, "metrics": record["metrics"]}) != told["result"]:
        yield "its result digest is not that of its metrics, curve, mask and weights"
    for name, words in BESIDE.items():
        if told.get(name) != (json_digest(record[name]) if name in record else None):  # type: ignore[literal-required]
            yield f"its {words} are not the ones that the record was made with"
    if json_digest(curve(folder)) != told["curve"]:
        yield "its curve is not the one that the record was made with"
    if tensors_digest(read_mask(folder)) != told["mask"]:
        yield "its mask is not the one that the record was made with"


def _counts(_family: Family, folder: Path, _unit: Unit, record: Record) -> Iterator[str]:
    counts, mask = record["counts"], read_mask(folder)
    for name in sorted(mask.keys() - counts["layers"].keys()):
        yield f"its mask names {name}, which has no counts"
    for name, layer in counts["layers"].items():
        fixed = layer["all"] - layer["prunable"]
        kept = int(mask[name].sum()) - fixed if name in mask else layer["prunable"]
        if name in mask and mask[name].size != layer["all"]:
            yield f"its mask of {name} has {mask[name].size} entries, the layer {layer['all']}"
        elif kept != layer["kept"]:
            yield f"its mask keeps {kept} weights of {name}, the record says {layer['kept']}"
    for total in ("all", "prunable", "kept"):
        found = sum(layer[total] for layer in counts["layers"].values())
        if found != counts[total]:
            yield f"its layers have {found} weights ({total}), the record says {counts[total]}"


def _parents(family: Family, folder: Path, unit: Unit, record: Record) -> Iterator[str]:
    if record["parents"].keys() != set(unit.parents.values()):
        yield "its record and its spec name different parents"
    if "imported" in record:
        return  # they are where it came from
    for role, parent in unit.parents.items():
        results = _results_of(family, unit, role)
        if not results:
            yield f"its parent {parent[:10]} ({role}) is missing"
        elif record["parents"].get(parent) not in results:
            yield f"its parent {parent[:10]} ({role}) has another result than the one it was made from"
        elif role == "previous":
            for name, count in revived(read_mask(folder), read_mask(family[parent][0])).items():
                yield f"its mask keeps {count} weights of {name} that the level before had pruned"


def _results_of(family: Family, unit: Unit, role: Role) -> set[str]:
    """Results of the parent in `role`: its own, and what an imported ticket, that brought its weights, knows as such."""
    parent, ticket = unit.parents[role], family.get(unit.parents.get("source", ""))
    results = {family[parent][1]["digests"]["result"]} if parent in family else set()
    if role == "source-dense" and ticket and "imported" in ticket[1]:
        results |= {ticket[1]["parents"].get(parent, "")}
    return results


def revived(mask: Mask, previous: Mask) -> dict[str, int]:
    """Parameter name -> how many weights a mask keeps that the level before had pruned, where there are any.

    A method any column of which needs the `previous` level prunes what that left: masks are nested, and there is none.
    """
    counts = {name: int((mask.get(name, True) & ~before).sum()) for name, before in previous.items()}
    return {name: count for name, count in counts.items() if count}


def _zeros(_family: Family, folder: Path, _unit: Unit, record: Record) -> Iterator[str]:
    if not (folder / STATES[-1]).exists():
        return
    final = read_tensors(folder / STATES[-1]).arrays
    for name, mask in read_mask(folder).items():
        pruned = final[f"weights/{name}"][~mask]
        unknown = np.isnan(pruned) & (record["status"] == "diverged")  # no mask makes zero of what is no number
        if leaked := int(np.count_nonzero((pruned != 0) & ~unknown)):
            yield f"{leaked} pruned weights of {name} are not zero"
    if (
        tensors_digest({name.removeprefix("weights/"): array for name, array in final.items()})
        != record["digests"]["weights"]
    ):
        yield "its final weights are not the ones that the record was made with"


ALONE: tuple[Check, ...] = (_digests, _counts)
EVERY: tuple[Check, ...] = (_files, *ALONE, _parents, _zeros)
