"""The verbs that carry results from one machine to another."""

from __future__ import annotations

from pathlib import Path

from bench.exchange.imports import import_ticket
from bench.exchange.pack import pack as write
from bench.exchange.ticketfile import write_ticket
from bench.exchange.unpack import unpack as read
from bench.runs.planning.plan import plan
from bench.store.store import Store
from bench.verbs.arguments.request import Request, command_line, existing, say, writing


def pack(asked: Request, root: Path, *, output: Path, weights: bool) -> None:
    """Write a suite's finished units into one archive."""
    suite = asked.narrowed
    units = plan(suite).units
    packed = write(units.values(), existing(root), output, suite=suite, weights=weights)
    say(f"{output}: {packed.units} of {len(units)} units, {packed.bytes / 1e6:,.1f} MB")


def unpack(archive: Path, into: Path) -> None:
    """Make a store of an archive, and say what a submission of it would lack."""
    with writing(into, "--into"):
        manifest, missing = read(archive, into)
    units = len({path.rpartition("/")[0] for path in manifest.files})
    what = f"{into}: {units} units of suite {manifest.suite['name']}"
    if missing:
        found = f"{len(missing)} finding{'s' * (len(missing) != 1)}"
        say(*missing, f"{what}, {found}: no whole submission; next: {command_line('verify', into)}")
    else:
        say(f"{what}, checked; next: {command_line('publish', '--store', into)}")


def import_(path: Path, root: Path) -> None:
    """Put the ticket of a file into a store."""
    unit = import_ticket(path, Store(root))
    source = unit.task.name.partition("/")[2]
    say(f"{root}: {unit.label}, believed and not made here; next: a suite with the method transfer+{source}")


def ticket(record: str, root: Path, *, output: Path) -> None:
    """Write one ticket as a file."""
    store = existing(root)
    write_ticket(store, store.find(record), output)
    say(f"{output}: {output.stat().st_size / 1e6:,.2f} MB; next: ticketbench verify {output} --retrain 1")
