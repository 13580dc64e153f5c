"""What measuring again says against the claims: unit by unit, and of many together.

On the same kind of machine with the same versions everything is the same to the bit. Elsewhere training rounds otherwise and
may end elsewhere; how far is told by the retrained units themselves, and their differences are as often above as below zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.digests import canonical_json
from bench.exchange.submission import SubmittedUnit
from bench.exchange.ticketfile import TICKET
from bench.record import CurvePoint, How, Measurement, Provenance, Record, score_of
from bench.report.statistics.seeds import FEWEST, p_value, quantile

CONFIDENCE = 0.99
"""Of not accusing an honest unit, and of not accusing an honest submission of a shift."""
NEGLIGIBLE = 0.1
"""How far stored weights may score elsewhere, and what shift turns no verdict, as a share of the tolerance."""

NUMBERS = ("density", "density_weights", "density_total", "effective_density", "flops", "flops_dense")
COUNTED = ("counts", *(name for name in NUMBERS if name != "effective_density"))
SIZES: tuple[Literal["all", "weights", "prunable", "level_asks"], ...] = ("all", "weights", "prunable", "level_asks")
"""Those counts that no mask changes."""
TRAINED = ("status", "metrics", "steps", "updates", "env_steps", "overlap")
WHERE = ("device", "threads", "machine", "cpu", "capability")
DECISIVE = ("ticketbench", "numpy", "torch")


@dataclass(frozen=True, kw_only=True)
class Remeasured:
    """One unit, measured again.

    Args:
        entry: what was submitted.
        how: by its stored weights, or trained anew.
        record: what came out here; None if nothing did.
        curve: its evaluations.
        reason: why nothing came out, or training diverged.
        believes_mask: whether its mask was taken from the submission.
    """

    entry: SubmittedUnit
    how: How
    record: Record | None
    curve: Sequence[CurvePoint] = ()
    reason: str | None = None
    believes_mask: bool = False

    @property
    def differing(self) -> list[str]:
        """What is not the same to the bit."""
        if self.record is None:
            return ["everything"]
        ours, theirs = dict(self.record), dict(self.entry.record)
        names = ("counts", *NUMBERS, *(TRAINED if self.how == "retrain" else ()))
        parts = [name for name in names if canonical_json(ours[name]) != canonical_json(theirs[name])]
        points = self.entry.curve if self.how == "retrain" else self.entry.curve[-1:]
        if canonical_json(_looks(self.curve)) != canonical_json(_looks(points)):
            parts.append("curve")
        digests = self.record["digests"], self.entry.record["digests"]
        beside = ["mask", "weights", "items", "nodes"]
        if "fit" in self.entry.record:  # records that were made before it have none, and are not the worse for it
            beside.append("fit")
        if "interpolation" in self.record:  # measured again where its twin's weights were submitted too
            beside.append("interpolation")
        if "survival" in self.record and "survival" in self.entry.record:  # likewise of dense; earlier ones have none
            beside.append("survival")
        return parts + [name for name in beside if digests[0].get(name) != digests[1].get(name)]

    @property
    def scores(self) -> tuple[float | None, float | None]:
        """Claimed and measured; None if training diverged."""
        return score_of(self.entry.record), None if self.record is None else score_of(self.record)

    @property
    def difference(self) -> float | None:
        """Measured minus claimed; None if either diverged."""
        claimed, measured = self.scores
        return None if claimed is None or measured is None else measured - claimed

    @property
    def is_exact(self) -> bool:
        """Whether it was measured where everything must be the same to the bit."""
        return self.record is not None and same_kind(self.entry.record["provenance"], self.record["provenance"])

    @property
    def tolerance(self) -> float:
        """The installed task's."""
        return (self.entry.installed.task or self.entry.unit.task).tolerance

    @property
    def measurement(self) -> Measurement | None:
        """As published; None if nothing came out."""
        task, (claimed, measured) = self.entry.unit.task, self.scores
        if self.record is None:
            return None
        return {
            "unit_id": self.entry.unit.id,
            "result": self.entry.record["digests"]["result"],
            "how": self.how,
            "metric": task.metric,
            "split": task.split,
            "claimed": claimed,
            "measured": measured,
            "equal": not self.differing,
            "believed": ["mask"] if self.believes_mask else [],
            "provenance": self.record["provenance"],
        }

    @property
    def line(self) -> str:
        """The claim and the measurement side by side, for people."""
        what, label = {"replay": "replayed", "retrain": "retrained"}[self.how], self.entry.unit.label
        if self.record is None:
            return f"{label}: not {what}: {self.reason}"
        claimed, measured = map(_score, self.scores)
        same = "not equal to the bit" if self.differing else "equal to the bit"
        believed = "; mask believed" if self.believes_mask else ""
        return f"{label}: claimed {claimed}, {what} {measured} ({self.entry.unit.task.metric}, {same}{believed})"


def _looks(points: Sequence[CurvePoint]) -> list[object]:
    """What was measured; a replay knows no updates."""
    return [point["metrics"] for point in points]


def same_kind(one: Provenance, other: Provenance) -> bool:
    """Whether two trainings must agree to the bit: processor, threads and the versions of what both had are the same."""
    places = [(dict(one).get(name), dict(other).get(name)) for name in WHERE]
    versions = one.get("versions", {}), other.get("versions", {})
    common = versions[0].keys() & versions[1].keys()
    return (
        all(a is not None and a == b for a, b in places)
        and common.issuperset(DECISIVE)
        and all(versions[0][name] == versions[1][name] for name in common)
    )


def findings(remeasured: Sequence[Remeasured]) -> list[str]:
    """What the measurements say against the claims, one line each."""
    lines = []
    for unit in remeasured:
        others = [
            other.difference
            for other in remeasured
            if other is not unit and other.entry.unit.task.key == unit.entry.unit.task.key and _is_free(other)
        ]
        against = _of_one(unit, [difference for difference in others if difference is not None])
        lines += [f"{unit.entry.unit.label}: {finding}" for finding in against]
    return lines + list(_shifts(remeasured))


def _is_free(unit: Remeasured) -> bool:
    """Whether it was trained where it may end elsewhere."""
    return unit.how == "retrain" and not unit.is_exact


def _of_one(unit: Remeasured, others: Sequence[float]) -> Iterator[str]:
    if unit.record is None:
        yield f"its {unit.how} failed: {unit.reason}"
        return
    mask, training = unit.entry.columns.mask, unit.entry.columns.training
    differing, (claimed, measured) = unit.differing, unit.scores
    if "mask" in differing and (mask.drawn or mask.ranked or mask.taken) and not training.dynamic:
        yield f"its mask is not the one that its {'seed draws' if mask.drawn else 'chain gives'}"
        return
    both = f"claimed {_score(claimed)}, measured {_score(measured)}"
    if unit.is_exact:
        if differing:
            yield f"{both}: on the same kind of machine with the same versions it has another {', '.join(differing)}"
    elif counted := _counted(unit):
        yield f"{both}: wherever it is measured it has another {', '.join(counted)}"
    elif unit.difference is None:
        if claimed != measured:
            yield both
    elif abs(unit.difference) > (room := allowed(unit, others)):
        yield f"{both}: {abs(unit.difference):.3g} apart, {room:.3g} is allowed"


def _counted(unit: Remeasured) -> list[str]:
    """What follows from the network and its mask, is the same on every machine, and differs.

    How many weights each layer keeps may round otherwise where gradients choose, or the mask changes while training.
    """
    assert unit.record is not None
    ours, theirs = dict(unit.record), dict(unit.entry.record)
    mask, training = unit.entry.columns.mask, unit.entry.columns.training
    if not training.dynamic and (mask.whole or mask.drawn or mask.ranked or mask.taken):
        return [name for name in COUNTED if canonical_json(ours[name]) != canonical_json(theirs[name])]
    counts = unit.record["counts"], unit.entry.record["counts"]
    return ["counts"] if any(counts[0][name] != counts[1][name] for name in SIZES) else []


def allowed(unit: Remeasured, others: Sequence[float]) -> float:
    """How far a measurement may be from its claim, either way: a control that is made worse makes its ticket win.

    Args:
        unit: what was measured.
        others: measured minus claimed of the other units of its task that were trained where they may end elsewhere.

    Returns:
        A tenth of the tolerance for stored weights; else the tolerance, or what honest trainings differ by with 99 %
        confidence, if the others, three or more, tell that they differ by more.
    """
    if unit.how == "replay":
        return NEGLIGIBLE * unit.tolerance
    if len(others) < FEWEST:
        return unit.tolerance
    spread = math.sqrt(math.fsum(difference**2 for difference in others) / len(others))
    return max(unit.tolerance, quantile(len(others), CONFIDENCE) * spread)


def _shifts(remeasured: Sequence[Remeasured]) -> Iterator[str]:
    """Groups whose measurements lie to one side of their claims: honest differences are zero on average."""
    groups: dict[tuple[str, str], list[float]] = {}
    tolerance: dict[str, float] = {}
    pairs = {unit.entry.place: unit.difference for unit in remeasured if _is_free(unit)}
    for unit in remeasured:
        if _is_free(unit) and unit.difference is not None:
            for name, value in _memberships(unit, unit.difference, pairs):
                groups.setdefault((unit.entry.unit.task.key, name), []).append(value)
            tolerance[unit.entry.unit.task.key] = unit.tolerance
    for (key, name), values in groups.items():
        mean, chance = math.fsum(values) / len(values), p_value(values)
        if chance is None or abs(mean) <= NEGLIGIBLE * tolerance[key]:
            continue
        if chance < (1 - CONFIDENCE) / len(groups):
            yield f"{key}: {name}: {len(values)} measurements are {mean:+.3g} from their claims on average (p = {chance:.1g})"


def _memberships(
    unit: Remeasured, difference: float, pairs: Mapping[tuple[str, int, str, int, int], float | None]
) -> Iterator[tuple[str, float]]:
    """The groups that a retrained unit belongs to, and its value there."""
    key, version, method, level, seed = unit.entry.place
    yield method, difference
    if unit.entry.is_drawn or TICKET in unit.entry.unit.parents:
        yield "every control", difference
        ticket = pairs.get((key, version, TICKET, level, seed))
        if ticket is not None:
            yield f"{TICKET} minus {method}", ticket - difference


def _score(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.6g}"
