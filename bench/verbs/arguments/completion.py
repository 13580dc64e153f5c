"""What a shell offers where a verb takes a name. Imported by `--help`, so light: what there is, is looked up when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Offered = Callable[[str], list[str]]
"""What was typed so far -> what it may become."""


def one(names: Callable[[], Iterable[str]]) -> Offered:
    """Offers names."""

    def offered(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return offered


def several(names: Callable[[], Iterable[str]]) -> Offered:
    """Offers names behind those that were typed already, with commas between."""

    def offered(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [f"{before}{comma}{name}" for name in names() if name.startswith(last) and name not in given]

    return offered


def suites() -> Iterable[str]:
    """Those that come with Ticket Bench; a file of one's own is offered by the shell itself."""
    from bench import suitefile  # noqa: PLC0415  a shell asks for one list at a time

    return suitefile.names()


def tasks() -> Iterable[str]:
    """Every task's name, without its scales."""
    from bench import registry  # noqa: PLC0415  see above

    return dict.fromkeys(task.name for task in registry.tasks().values())


def methods() -> Iterable[str]:
    """The arms; those from another task's ticket as far as the task's name."""
    from bench import registry  # noqa: PLC0415  see above

    return [*registry.methods(), *(f"{name}{registry.SOURCE}" for name in registry.templates())]


def domains() -> Iterable[str]:
    """Every domain."""
    from bench import registry  # noqa: PLC0415  see above

    return registry.domains()


def scales() -> Iterable[str]:
    """From the smallest on."""
    from bench.spec import SCALES  # noqa: PLC0415  see above

    return SCALES


def claims() -> Iterable[str]:
    """Papers, then claims."""
    from bench.report.claims.definitions import load_claims, papers  # noqa: PLC0415  see above

    return [*papers(), *dict.fromkeys(claim.id for claim in load_claims())]


def verdicts() -> Iterable[str]:
    """Whatever a claim may be found to do."""
    from typing import get_args  # noqa: PLC0415  see above

    from bench.report.claims.verdicts import Status  # noqa: PLC0415

    return get_args(Status)
