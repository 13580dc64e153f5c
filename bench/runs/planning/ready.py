"""The units of a plan that can run now, in the order in which they should."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush

Place = tuple[int, int, str]
"""What decides the order, smallest first, and the id of the unit."""


class Ready:
    """Units that can run, also by the groups of which some may run together.

    Whoever takes one out says which can still run: units are not looked for when that changes.

    Args:
        group: id of a unit -> what it has in common with those that it may run together with; None: it runs by itself.
        can_run: whether a unit can run now, by its id.
    """

    def __init__(self, group: Callable[[str], Hashable], can_run: Callable[[str], bool]) -> None:
        """None is ready yet."""
        self._group, self._can_run = group, can_run
        self._all: list[Place] = []  # heaps
        self._groups: dict[Hashable, list[Place]] = {}

    def push(self, place: Place) -> None:
        """A unit can run."""
        heappush(self._all, place)
        group = self._group(place[-1])
        if group is not None:
            heappush(self._groups.setdefault(group, []), place)

    def pop(self) -> str | None:
        """The first unit of all."""
        return self._pop(self._all)

    def pop_beside(self, unit_id: str) -> str | None:
        """The first unit of the group of another."""
        return self._pop(self._beside(unit_id))

    def count_beside(self, unit_id: str, *, most: int) -> int:
        """How many units of its group can run; `most` if there are more."""
        heap = self._beside(unit_id)
        found: dict[str, Place] = {}
        while len(found) < most and heap:
            place = heappop(heap)
            if self._can_run(place[-1]):
                found[place[-1]] = place
        for place in found.values():
            heappush(heap, place)
        return len(found)

    def _beside(self, unit_id: str) -> list[Place]:
        return self._groups.get(self._group(unit_id), [])

    def _pop(self, heap: list[Place]) -> str | None:
        while heap:
            *_, unit_id = heappop(heap)
            if self._can_run(unit_id):
                return unit_id
        return None
