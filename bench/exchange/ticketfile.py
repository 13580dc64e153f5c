"""A ticket as one file: its mask, a bit a weight, the weights it starts from, and what it says it is worth.

A safetensors file. Tensors: `mask/<parameter>`, U8, the bits of the flattened mask, the first one the highest;
`weights/<parameter>` and `buffers/<name>`, the state at the rewind step, exact zeros under the mask. Metadata: `kind`,
`format`, `shapes` (parameter -> shape of its mask), `state` (step, updates, origin, scalars), `record`, `curve`; the
record names task, version, method, level and seed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from safetensors.numpy import save

from bench import registry
from bench.digests import canonical_json, file_digest
from bench.errors import StoreError, SubmissionError, TicketBenchError
from bench.exchange.manifest import check_path
from bench.record import FORMAT as RECORD_FORMAT
from bench.record import CurvePoint, Record, StateRest, decode_record
from bench.schema import Count, Name, decode
from bench.spec import DIGITS, Method, Unit
from bench.store import files
from bench.store.attempt import RECORD, read_record
from bench.store.integrity import read_file, read_parent
from bench.store.store import MARK, Store, curve
from bench.store.tensors import MASK, MOST_DIMENSIONS, Tensors, read_mask, read_tensors

if TYPE_CHECKING:
    from torch import nn

    from bench.tickets.apply import Applied

Shape = Annotated[list[Count], Meta(max_length=MOST_DIMENSIONS)]
FORMAT = 2
"""Version 1 held records of a store's format 1, and is read as well."""
KIND = "ticketbench ticket"
WEIGHTS = "weights/"
"""Before the names of parameters, in a state."""
KEYS = {"kind", "format", "shapes", "state", "record", "curve"}
START = "rewind.safetensors"
TICKET = "ticket"


def start_of(method: Method) -> str | None:
    """The state of dense that a method's tickets start from to the bit; None where they start from what the seed gives."""
    columns = registry.columns_of(method)
    if columns is None or not columns.weights.inherited or columns.weights.state not in ("initial", "rewind"):
        return None
    return f"{columns.weights.state}.safetensors" if "dense" in method.parents else None


@dataclass(frozen=True, kw_only=True)
class TicketFile:
    """What a ticket file holds.

    Args:
        unit: task, method, level and seed.
        record: what it says came out.
        curve: every evaluation that it says was made.
        mask: parameter name -> bool array of its shape.
        state: `weights/<parameter>` and `buffers/<name>` -> array.
        rest: step, updates, origin and scalars of the state.
    """

    unit: Unit
    record: Record
    curve: list[CurvePoint]
    mask: Mapping[str, NDArray[Any]]
    state: Mapping[str, NDArray[Any]]
    rest: StateRest

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Parameter name -> the weights that the ticket starts from, exact zeros where the mask is False."""
        return {key.removeprefix(WEIGHTS): each for key, each in self.state.items() if key.startswith(WEIGHTS)}

    def apply(
        self, module: nn.Module, *, names: Mapping[str, str] | None = None, leave: Collection[str] = ()
    ) -> Applied:
        """Put weights and mask into a module of yours, which you train; see `bench.tickets.apply.apply`."""
        from bench.tickets.apply import apply  # noqa: PLC0415  nothing else of a ticket needs torch

        return apply(self.mask, self.state, module, names=names, leave=leave)


def ticket_of(store: Store, folder: Path) -> TicketFile:
    """The ticket that a finished unit of a store is.

    Args:
        store: where the unit and its dense parent are.
        folder: of the unit.

    Raises:
        StoreError: if the unit is no ticket, or dense's weights were removed.
        DamagedUnit: if mask or weights are not those of their records.
    """
    record = read_record(folder)
    if record is None:
        raise StoreError(f"{folder} holds no finished unit: name one of `ticketbench table --format csv`")
    unit = Unit.from_spec(record["spec"])
    state = start_of(unit.method)
    if unit.method.source:
        what = "has the mask" if unit.method.weights == "fresh" else "starts from weights"
        raise StoreError(f"{unit.label} {what} of another task: write the ticket of {unit.method.source} instead")
    if state is None:
        raise StoreError(f"{unit.label} starts from weights that its seed gives: `ticketbench pack` its suite instead")
    home: Path | None
    if "imported" in record:
        home, name, way = folder, START, "import it"
    else:
        ending = f"-{unit.parents['dense'][:DIGITS]}"
        home, name, way = (
            next((each for each in store.folders() if each.name.endswith(ending)), None),
            state,
            "run its dense",
        )
    if home is None or not (source := home / name).exists():
        raise StoreError(f"the weights that {unit.label} starts from are not in {store.root}: {way} again")
    for place, name in ((folder, MASK), (source.parent, source.name)):
        read_file(place, name, read_parent(place))
    start, mask = read_tensors(source), read_mask(folder)
    try:
        rest = decode(start.metadata["state"], StateRest)
    except (KeyError, ValueError) as error:
        raise StoreError(f"{source} does not tell the step that its weights are of: run its unit again") from error
    return TicketFile(
        unit=unit,
        record=record,
        curve=curve(folder),
        mask=mask,
        state=_masked(start, mask),
        rest=rest,
    )


def write_ticket(store: Store, folder: Path, output: Path) -> None:
    """Write a finished unit of a store as a ticket file, all of it or nothing.

    Args:
        store: where the unit and its dense parent are.
        folder: of the unit.
        output: the file; one of that name is replaced.

    Raises:
        StoreError: if the unit is no ticket, dense's weights were removed, or the disk refuses.
        DamagedUnit: if mask or weights are not those of their records.
    """
    ticket = ticket_of(store, folder)
    packed = {f"mask/{name}": np.packbits(each.reshape(-1)) for name, each in ticket.mask.items()}
    metadata = {
        "kind": KIND,
        "format": str(FORMAT),
        "shapes": canonical_json({name: list(each.shape) for name, each in ticket.mask.items()}),
        "state": canonical_json(dict(ticket.rest)),
        "record": canonical_json(ticket.record),
        "curve": canonical_json(ticket.curve),
    }
    try:
        with files.drafted(output) as draft:
            draft.write_bytes(save({**packed, **ticket.state}, metadata=metadata))
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}; name another --output") from error


def _masked(start: Tensors, mask: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The state with exact zeros where the mask is False."""
    state = {}
    for key, array in start.arrays.items():
        kept = mask.get(key.removeprefix("weights/")) if key.startswith("weights/") else None
        zeroed = array if kept is None else np.where(kept, array, np.zeros((), array.dtype))
        state[key] = np.asarray(zeroed, order="C")  # `ascontiguousarray` would give a scalar a dimension
    return state


def read_ticket(path: Path) -> TicketFile:
    """A ticket file from anybody; whether what it says is true, `ticketbench verify` finds out.

    Raises:
        SubmissionError: if it is not a well-formed ticket file.
    """
    found = read_tensors(path)
    try:
        return _parse(found)
    except (TicketBenchError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        told = ascii(str(error)[:200])[1:-1] or type(error).__name__
        raise SubmissionError(f"{path} is no ticket file: {told}") from error


def _parse(found: Tensors) -> TicketFile:
    told = found.metadata
    if told.get("kind") != KIND:
        raise SubmissionError("make one with `ticketbench ticket`")
    if told.get("format") not in ("1", str(FORMAT)):
        raise SubmissionError(f"its format is {told.get('format')}, this ticketbench reads {FORMAT}: upgrade")
    if told.keys() != KEYS:
        raise SubmissionError(
            f"it lacks {', '.join(sorted(KEYS - told.keys())) or 'nothing, and says more than it may'}"
        )
    record, points = decode_record(told["record"], Record), decode(told["curve"], list[CurvePoint])
    shapes, rest = decode(told["shapes"], dict[Name, Shape]), decode(told["state"], StateRest)
    unit = Unit.from_spec(record["spec"])
    check_path(f"{unit.path}/{RECORD}")
    if start_of(unit.method) is None:
        raise SubmissionError(f"{unit.method.name!a} is not installed here, or starts from weights that its seed gives")
    bits = {key.removeprefix("mask/"): each for key, each in found.arrays.items() if key.startswith("mask/")}
    state = {key: each for key, each in found.arrays.items() if key.startswith(("weights/", "buffers/"))}
    if len(bits) + len(state) != len(found.arrays) or bits.keys() != shapes.keys():
        raise SubmissionError("its tensors are not a mask, weights and buffers")
    if any(each.dtype.kind != "f" for key, each in state.items() if key.startswith("weights/")):
        raise SubmissionError("its weights are no numbers with a point")
    return TicketFile(
        unit=unit,
        record=record,
        curve=points,
        mask={name: _unpacked(name, each, shapes[name]) for name, each in bits.items()},
        state=state,
        rest=rest,
    )


def _unpacked(name: str, packed: NDArray[Any], shape: list[int]) -> NDArray[np.bool_]:
    size = math.prod(shape)
    if packed.dtype != np.uint8 or packed.shape != ((size + 7) // 8,):
        raise SubmissionError(f"the mask of {name!a} has {packed.size} bytes, its shape asks for {(size + 7) // 8}")
    bits = np.unpackbits(packed)
    if bits[size:].any():
        raise SubmissionError(f"the mask of {name!a} has bits behind its end")
    return bits[:size].reshape(shape).astype(np.bool_)


def unfold(ticket: TicketFile, root: Path) -> Path:
    """Write a ticket file's content as the only unit of a store below `root`, which is empty and ours alone.

    Returns:
        The unit's folder. It has the files of a finished unit, and the weights that the ticket starts from besides.

    Raises:
        SubmissionError: if it holds a text or a number that no file of a store can hold.
    """
    try:
        return _unfold(ticket, root)
    except (ValueError, RecursionError) as error:
        told = ascii(str(error)[:200])[1:-1]
        raise SubmissionError(f"{ticket.unit.label!a} cannot be written as a unit: {told}") from error


def _unfold(ticket: TicketFile, root: Path) -> Path:
    folder = root / ticket.unit.path
    folder.mkdir(parents=True)
    files.write(root / MARK, files.to_text({"format": RECORD_FORMAT}))
    (folder / MASK).write_bytes(save(dict(ticket.mask)))
    start = {key: np.asarray(each, order="C") for key, each in ticket.state.items()}
    (folder / START).write_bytes(save(start, metadata={"state": canonical_json(dict(ticket.rest))}))
    sealed = {path.name: file_digest(path) for path in folder.iterdir()}
    digests = {**ticket.record["digests"], "files": sealed}
    record = {**ticket.record, "format": RECORD_FORMAT, "digests": digests, "curve": ticket.curve}
    files.write(folder / RECORD, canonical_json(record))
    return folder
