"""A ticket file becomes a finished unit of a store: the source of a transfer, without what it was found with."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench.digests import file_digest
from bench.errors import StoreError, SubmissionError
from bench.exchange.ticketfile import TICKET, read_ticket, unfold
from bench.exchange.verify import findings_of_ticket
from bench.spec import Unit
from bench.store import files
from bench.store.attempt import RECORD, Attempt, Committed, read_stored
from bench.store.claims import Claims
from bench.store.store import Store


def import_ticket(path: Path, store: Store) -> Unit:
    """Put the ticket of a file into a store, under its own unit id, where `transfer+TASK` finds it.

    It has its rewind weights with it, which `ticketbench clean` leaves alone: nothing here could make them again.

    Args:
        path: of a ticket file, from anybody.
        store: made if it does not exist.

    Raises:
        SubmissionError: if the file contradicts itself, or holds nothing that a transfer could take.
        StoreError: if the store has that unit already, or cannot be written.
    """
    ticket = read_ticket(path)
    unit = ticket.unit
    if unit.method.name != TICKET or ticket.record["status"] != "ok":
        raise SubmissionError(
            f"{path} holds {unit.label!a} ({ticket.record['status']}): a transfer takes a `{TICKET}` only"
        )
    with tempfile.TemporaryDirectory(prefix="ticketbench-") as private:
        folder = unfold(ticket, Path(private))
        found = findings_of_ticket(Path(private), folder)
        if against := [*found.findings, *found.doubts]:
            more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
            raise SubmissionError(f"{path} is not believed: {against[0]}{more}; see `ticketbench verify {path}`")
        if store.record(unit):
            way = f"remove {store.root / unit.path} to take this one"
            raise StoreError(f"{unit.label} is in {store.root} already: nothing was imported; {way}")
        store.prepare()
        with Claims(store.root) as claims:  # without one, whoever comes or leaves would sweep the attempt away
            if claims.take(unit.id):
                raise StoreError(
                    f"{unit.label} is being trained in {store.root}: wait for that run, or stop it, then try again"
                )
            committed = _commit(unit, folder, store, imported=file_digest(path))
        if committed == "conflict":
            raise StoreError(f"{unit.label} was finished in {store.root} meanwhile, otherwise: see conflicts/ there")
    return unit


def _commit(unit: Unit, folder: Path, store: Store, *, imported: str) -> Committed:
    attempt = Attempt(store.root, unit)
    try:
        for each in folder.iterdir():
            if each.name != RECORD:
                shutil.copyfile(each, attempt.folder / each.name)
    except OSError as error:
        attempt.drop()
        raise files.unwritable(f"{unit.label} to {store.root}", error) from error
    return attempt.commit({**read_stored(folder), "imported": imported})
