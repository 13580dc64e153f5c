"""One training, and the id that follows from what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bench.digests import canonical_json, json_digest, text_digest
from bench.errors import SpecError
from bench.schema import Digest, Level, Seed
from bench.spec.method import Method, Role, without_about
from bench.spec.plain import Identified, to_json
from bench.spec.task import Task, identifying

SPEC_VERSION = 1
"""Raised whenever the same spec would come to mean another training; part of every unit id."""
DIGITS = 10
"""Of a unit's id, in the names of folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Identified):
    """One training: a task, a method, a level and a seed.

    Args:
        task: what is trained.
        method: the arm.
        level: number of pruning rounds; 0 for dense.
        seed: the replicate.
        parents: role -> id of the unit that plays it.
    """

    task: Task
    method: Method
    level: Level
    seed: Seed
    parents: Mapping[Role, Digest] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """Everything that was asked, as JSON: what a record embeds."""
        return {
            "spec_version": SPEC_VERSION,
            "task": to_json(self.task),
            "method": to_json(self.method),
            "level": self.level,
            "seed": self.seed,
            "parents": dict(self.parents),
        }

    @property
    def id(self) -> str:
        """sha256 over the part of the spec that decides what is trained and how it is evaluated, in hex; see `unit_id`."""
        try:
            return self._identity
        except AttributeError:
            return self._remember(text_digest(self._canonical()))

    def _canonical(self) -> str:
        """The canonical JSON of the identifying part of `spec()`, from parts that all units of a task or a method share."""
        return (
            f'{{"level":{canonical_json(self.level)},"method":{self.method.identity},'
            f'"parents":{canonical_json(dict(self.parents))},"seed":{canonical_json(self.seed)},'
            f'"spec_version":{SPEC_VERSION},"task":{self.task.identity}}}'
        )

    @property
    def label(self) -> str:
        """`vision/lenet-mnist@quick ticket L12 s0`: the unit in a message."""
        return f"{self.task.key} {self.method.name} L{self.level} s{self.seed}"

    @property
    def path(self) -> str:
        """The unit's folder inside a store."""
        return f"{self.task.name}/{self.method.name}/s{self.seed}/L{self.level:02d}-{self.id[:DIGITS]}"

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Unit:
        """The unit that `spec()` described.

        Raises:
            SpecError: if the spec is not one this version writes.
        """
        version = spec.get("spec_version")
        if version != SPEC_VERSION:
            raise SpecError(f"spec version is {version}, this ticketbench reads {SPEC_VERSION}: install a matching one")
        try:
            return msgspec.convert({key: value for key, value in spec.items() if key != "spec_version"}, cls)
        except ValueError as error:
            raise SpecError(f"not the spec of a unit: {error}; it was not written by this version") from error


def unit_id(spec: Mapping[str, Any]) -> str:
    """The id of the unit that `spec` describes: sha256 of the canonical JSON of its identifying part."""
    return json_digest({**spec, "task": identifying(spec["task"]), "method": without_about(spec["method"])})


def search_cost(updates: int, parents: Mapping[Role, int]) -> int:
    """Updates spent to obtain a unit: its own and those of its dearest parent.

    Of a transfer that is the source's ticket with its whole chain, however dear the target's dense network: nothing was
    searched for there.

    Args:
        updates: its own.
        parents: role -> search cost of the unit that plays it.
    """
    return updates + parents.get("source", max(parents.values(), default=0))
