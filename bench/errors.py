"""What can go wrong for a user, each with one clear line: what was asked, what was found, what to do."""

import difflib
import errno
from collections.abc import Iterable
from typing import Self

MISTAKE = 2
"""The exit code of what a user can mend."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where there is no room left, on the disk or for this user."""

UNREACHABLE = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP})
"""What it says of a path that leads nowhere for this user, as one below a closed folder, an overlong one, or a circle of links."""


class TicketBenchError(Exception):
    """Base of every error that a user can cause and mend; the command line prints it and exits with `MISTAKE`."""


TOLD, NEAREST = 30, 6
"""Names that a message lists, at most; and how many it lists where there are more."""


class UnknownName(TicketBenchError):
    """A task, method, suite, scale or metric that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        """Name what was asked, the nearest known name, and what else exists: of very many the nearest.

        Args:
            kind: of thing.
            name: that was asked for.
            known: names.
            hint: why it may be unknown, in a sentence.
        """
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        nearest = f"did you mean {near[0]!r}? " if near else ""
        told = known if len(known) <= TOLD else difflib.get_close_matches(name, known, n=NEAREST, cutoff=0.0)
        rest = f" and {len(known) - len(told)} more" if len(told) < len(known) else ""
        rest += f"; {hint}" if hint else ""
        super().__init__(f"unknown {kind} {name!r}: {nearest}known are {', '.join(told) or 'none'}{rest}")

    @classmethod
    def among(cls, kind: str, names: Iterable[str], known: Iterable[str]) -> Self | None:
        """What is to be said of the first of `names` that is not known; None if all are."""
        unknown = min(set(names) - set(known), default=None)
        return None if unknown is None else cls(kind, unknown, known)


class SpecError(TicketBenchError):
    """A task, method or suite that contradicts itself or cannot be read."""


class Unsupported(TicketBenchError):
    """A method that a task declares it cannot run."""


class DataError(TicketBenchError):
    """A data set that is missing, truncated or not the one the task was defined on."""


class StoreError(TicketBenchError):
    """A store that cannot be read or written: a newer format, a full disk, a tampered record."""


class AttemptVanished(TicketBenchError):
    """The folder in which a unit was trained is gone: the unit failed, and the store is as it was."""

    def __init__(self, label: str) -> None:
        """Say of which unit, and how that comes."""
        super().__init__(
            f"the folder in which {label} was trained is gone: another run took this one for dead, or somebody removed it"
        )


class Conflict(StoreError):
    """Two different results of one unit: neither may silently stand for the other."""


class DamagedUnit(TicketBenchError):
    """A file of a finished unit is not the one that its record was made with; fails what needs it, never the whole run."""


class LaunchError(TicketBenchError):
    """Workers that cannot be had: an engine that is not installed, a cluster that refuses or cannot be reached."""


class UnitFailed(TicketBenchError):
    """A unit that was asked for by itself, and did not come."""


class MissingPackage(TicketBenchError):
    """Something that needs a package which comes with an extra, or from elsewhere."""

    def __init__(self, what: str, package: str, *, install: str) -> None:
        """Say what was asked, what it needs, and how to install that."""
        super().__init__(f"{what} needs {package}, which is not installed: pip install '{install}'")


class SubmissionError(TicketBenchError):
    """An archive or a ticket file that is damaged, hostile or not what was asked for."""


class Diverged(Exception):
    """Training left the finite numbers. A result, not a mistake: the unit is recorded as `diverged`."""

    def __init__(self, step: int | None, what: str) -> None:
        """Say at which step, in the task's budget unit, what was no longer finite; None where no step is known."""
        super().__init__(f"{what} is not finite" + ("" if step is None else f" at step {step}"))
        self.step = step


class LeakedMask(Exception):
    """A pruned weight is not exactly zero: the unit is void and is never committed."""


class WrongCount(LeakedMask):
    """A method kept another number of weights than its level leaves: the unit is void, too."""
