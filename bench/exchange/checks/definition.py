"""Is it what it says it is: an installed task and method, and parents of its own task, seed and level?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.exchange.submission import Submission, SubmittedUnit
from bench.record import Spec
from bench.schema import decode
from bench.spec import DENSE, SOURCES
from bench.store import files
from bench.store.attempt import SPEC
from bench.store.store import CURVE


def spec(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Its specs are one; since format 2 only the record has it, and the curve."""
    if entry.record["spec"] != entry.unit.spec():
        yield "its spec holds less than a unit's"
    if entry.record["format"] > 1:
        yield from (f"{name} is no file of its format" for name in (SPEC, CURVE) if (entry.folder / name).exists())
    elif decode(files.read(entry.folder / SPEC), Spec) != entry.record["spec"]:
        yield f"its {SPEC} is not the spec of its record"


def definition(_submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Task and method are no others under the name and version of installed ones."""
    yield from entry.installed.wrong


def family(submission: Submission, entry: SubmittedUnit) -> Iterator[str]:
    """Every parent is the unit that the method asks for: of its own or the source task, same seed, right method and level."""
    unit = entry.unit
    if set(unit.parents) != set(unit.method.parents):
        yield "it does not name the parents that its method needs"
    for role in unit.parents:
        parent = submission.parent(entry, role)
        if parent is None:
            continue  # said by the check of the store
        method, level = unit.method.parent_of(role, unit.level)
        theirs, task = parent.unit, unit.method.task_of(role, unit.task)
        here = role not in SOURCES
        home = theirs.task == unit.task if here else (theirs.task.name, theirs.task.scale) == (task, unit.task.scale)
        if not home or (theirs.method.name, theirs.level, theirs.seed) != (method, level, unit.seed):
            yield f"its parent ({role}) is {theirs.label!a}, not {method} L{level} s{unit.seed} of {task}"
    if (unit.level == 0) != (unit.method.name == DENSE):
        yield "only dense stands at level 0, and nowhere else"
