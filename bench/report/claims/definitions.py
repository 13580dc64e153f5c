"""The papers' claims as data: what was said, which units would show it, and the one statistic that decides."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from bench.errors import SpecError, UnknownName
from bench.spec import SCALES, Scale, Task

Test = Literal["greater", "less", "equivalent", "not-worse", "exact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence of a paper that units can show, at one scale; or one that they cannot, and why.

    Args:
        id: the same for ever, and at every scale.
        paper: number at arXiv.
        statement: what is claimed, in a sentence.
        where: in the paper.
        statistic: one of `bench.report.claims.measures.STATISTICS`; one value per seed.
        method: whose score is read.
        comparator: what it is compared with at the same level; of several, with their mean at each seed, so that arms which
            differ by chance alone are one control. None where the statistic needs none.
        comparator_task: where the comparator is trained, at the same scale; None for the method's own task. Then the seeds
            are paired across the two.
        metric: what is read, in that metric's direction; None for the task's score.
        layer: the parameter whose density is read, for `layer-density`.
        test: `greater` or `less` than `threshold`; `equivalent`, inside plus and minus `margin`; `not-worse`, above minus
            `margin`; `exact`, at most `margin` away at every seed, without an interval.
        threshold: in the unit of the statistic.
        margin: the same.
        at: which reading of it; None for the task's headline. The early one, for `late`.
        reported: what the paper prints; None where it has curves only.
        scale: of the tasks; None where nothing can be run.
        tasks: names, of the method; more than one for a statistic over tasks.
        levels: fixed in advance.
        seeds: that carry a verdict, fixed before they are run; see `seeds_of`.
        first_look: what fewer seeds had said, before `seeds` was fixed by the power that they showed.
        expected: level -> value that the paper prints, for `exact`.
        blocked: why this version cannot run it.
    """

    id: str
    paper: str
    statement: str
    where: str
    statistic: str = "gain"
    method: str | None = None
    comparator: str | tuple[str, ...] | None = None
    comparator_task: str | None = None
    metric: str | None = None
    layer: str | None = None
    test: Test = "greater"
    threshold: float = 0.0
    margin: float | None = None
    at: str | None = None
    reported: str | None = None
    scale: Scale | None = None
    tasks: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    seeds: int = 0
    first_look: str | None = None
    expected: Mapping[int, float] = field(default_factory=dict)
    blocked: str | None = None

    @property
    def comparators(self) -> tuple[str, ...]:
        """The methods that it is compared with."""
        return (self.comparator,) if isinstance(self.comparator, str) else self.comparator or ()

    @property
    def looked(self) -> int:
        """Seeds of the first look; 0 without one."""
        return int(self.first_look.partition(" ")[0]) if self.first_look else 0

    @property
    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """Task -> its methods that are read."""
        own = (self.method,) if self.method else ()
        if self.comparator_task is None:
            return dict.fromkeys(self.tasks, own + self.comparators)
        return {**dict.fromkeys(self.tasks, own), self.comparator_task: self.comparators}

    def seeds_of(self, *tasks: Task) -> int:
        """How many seeds of all its tasks it is judged by: no fewer than any verdict on one of them, unless it is exact."""
        return self.seeds if self.test == "exact" else max(self.seeds, *(task.fewest_seeds for task in tasks))


@cache
def papers() -> dict[str, str]:
    """Number at arXiv -> title, of all papers whose claims are encoded."""
    return {told["paper"]: told["title"] for told in _files()}


@cache
def load_claims() -> tuple[Claim, ...]:
    """Every claim at every scale that it has units for, paper by paper, in the order of the files."""
    return tuple(claim for told in _files() for each in told["claim"] for claim in _expand(told["paper"], each))


def find(name: str, *, scale: str | None = None) -> list[Claim]:
    """The claims of that name, one of each id.

    Args:
        name: an id, or a paper.
        scale: the scale to show them at; the largest that each has, if None. Claims that cannot be run have none.

    Raises:
        UnknownName: if neither a claim nor a paper is called so.
        SpecError: if none of them has units at that scale.
    """
    found = [claim for claim in load_claims() if name in (claim.id, claim.paper)]
    if not found:
        raise UnknownName("claim or paper", name, [*papers(), *dict.fromkeys(claim.id for claim in load_claims())])
    if scale is not None and scale not in SCALES:
        raise UnknownName("scale", scale, SCALES)
    if scale is not None and all(claim.scale != scale for claim in found):
        known = ", ".join(dict.fromkeys(claim.scale for claim in found if claim.scale)) or "no scale: it cannot be run"
        raise SpecError(f"{name} has no units at scale {scale}: it has {known}")
    chosen: dict[str, Claim] = {}
    for claim in found:
        if claim.scale is None or scale in (claim.scale, None):
            best = chosen.get(claim.id)
            if best is None or _size(claim) > _size(best):
                chosen[claim.id] = claim
    return list(chosen.values())


def _size(claim: Claim) -> int:
    return SCALES.index(claim.scale) if claim.scale else -1


def _files() -> Iterator[dict[str, Any]]:
    folder = files("bench") / "claims"
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml"):
            yield tomllib.loads(path.read_text(encoding="utf-8"))


def _expand(paper: str, told: Mapping[str, Any]) -> Iterator[Claim]:
    common = {key: value for key, value in told.items() if key != "setting"}
    common["expected"] = {int(level): value for level, value in told.get("expected", {}).items()}
    for setting in told.get("setting", [{}]):
        fields: dict[str, Any] = {"paper": paper, **common, **setting}
        lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
        yield Claim(**{**fields, **lists})
