"""Where a mask comes from, which weights start, how they train."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.digests import canonical_json
from bench.errors import SpecError
from bench.schema import Json, Name, Text, Version
from bench.spec.plain import Identified, to_json
from bench.spec.task import Task

DENSE = "dense"
Role = Literal["dense", "previous", "ticket", "twin", "source", "source-dense"]
SOURCES: tuple[Role, ...] = ("source", "source-dense")
"""Roles that units of another task play."""
CODE = "code_sha256"
"""The option that no column reads; file -> sha256, of a method from a file that no package has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Identified):
    """One arm: where the mask comes from, which weights start, how they train.

    Each column is a name of `bench.tickets.columns`, or `package.module:name` of a column, or its function, of your own.

    Args:
        name: the arm's name.
        mask: column 1; see `bench.tickets.columns.MASKS`.
        weights: column 2; see `bench.tickets.columns.WEIGHTS`.
        training: column 3; see `bench.tickets.columns.TRAININGS`.
        parents: units whose masks or weights the columns need: `dense` of the same seed, the `previous` level of the same
            method (level 0 is `dense`), the `ticket` of the same level, again as the `twin` that is trained from the same
            start; the ticket of the `source` task of the same level and seed, and its `source-dense`.
            `bench.tickets.methods.define` finds them.
        options: numbers of the method itself, handed to its functions; `source`, the name of the source task without its
            domain; `code_sha256`, the digests of the files that define it, where no package does.
        version: raised when the method's meaning changes.
        about: one line for people.
    """

    name: Name
    mask: Name
    weights: Name
    training: Name
    parents: tuple[Role, ...] = ()
    options: Mapping[Name, Json] = field(default_factory=dict)
    version: Version = 1
    about: Text = ""

    def __post_init__(self) -> None:
        if not isinstance(self.options.get("source", ""), str):
            raise SpecError(f"method {self.name} has source {self.options['source']!r}: it is the name of a task")
        code = self.options.get(CODE, {})
        if not isinstance(code, Mapping) or not all(isinstance(digest, str) for digest in code.values()):
            raise SpecError(f"method {self.name} has {CODE} {code!r}: it is a table, file -> sha256")

    @property
    def is_chain(self) -> bool:
        """Whether level k needs level k - 1 of the same method."""
        return "previous" in self.parents

    @property
    def source(self) -> str | None:
        """The task, without its domain, whose ticket it takes; None if it stays on its own task."""
        return self.options.get("source") if "source" in self.parents else None

    @property
    def code(self) -> Mapping[str, str]:
        """File -> sha256, of a method from a file of somebody's own; empty of all others."""
        code: Mapping[str, str] = self.options.get(CODE, {})
        return code

    @property
    def is_template(self) -> bool:
        """Whether it is no arm before a source task is named; see `from_source`."""
        return "source" in self.parents and self.source is None

    def from_source(self, task: str) -> Method:
        """The arm `template+TASK` of a template.

        Args:
            task: without its domain.
        """
        return dataclasses.replace(self, name=f"{self.name}+{task}", options={**self.options, "source": task})

    @property
    def identity(self) -> str:
        """All but the line about it, as canonical JSON."""
        try:
            return self._identity
        except AttributeError:
            return self._remember(method_identity(to_json(self)))

    def parent_of(self, role: Role, level: int) -> tuple[str, int]:
        """The (method, level) that plays `role` for this method at `level`."""
        if role in ("ticket", "twin", "source"):
            return "ticket", level
        if role == "previous" and level > 1:
            return self.name, level - 1
        return DENSE, 0

    def task_of(self, role: Role, task: Task) -> str:
        """The name of the task, of the same scale, whose unit plays `role` for this method on `task`."""
        return f"{task.domain}/{self.source}" if role in SOURCES else task.name


def coincident(method: str, task: Task) -> str | None:
    """The method that `method` is the same as on `task`, if there is one.

    Rewinding to step 0 makes `ticket-init` the `ticket`; a constant learning rate makes `fine-tune` `lr-rewind`, unless the
    task says why not in `unsupported`.
    """
    if method in task.unsupported:
        return None
    if method == "ticket-init" and task.rewind_step == 0:
        return "ticket"
    if method == "fine-tune" and task.constant_rate:
        return "lr-rewind"
    return None


def method_identity(method: Mapping[str, Any]) -> str:
    """What makes two methods, given as JSON, the same: all but the line about it."""
    return canonical_json(without_about(method))


def method_from_json(data: Mapping[str, Any]) -> Method:
    """The method that `to_json` described."""
    return Method(**{**data, "parents": tuple(data["parents"])})


def without_about(method: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a method, given as JSON, that an id covers."""
    return {key: value for key, value in method.items() if key != "about"}
