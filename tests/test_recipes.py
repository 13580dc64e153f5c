"""What is published was trained by the tasks and methods that are installed: a recipe never changes under its version."""

from pathlib import Path

import pytest

from bench import registry
from bench.report.published import files, read
from bench.runs.planning.plan import plan
from bench.spec import Entry, Suite

RECORDS = files(Path(__file__).parents[1] / "results" / "records")


def replanned(asked):
    """Label -> id of every unit that today's planner makes of these (task key, method, level, seed)."""
    tasks, entries = registry.tasks(), []
    for key, name in dict.fromkeys((key, name) for key, name, *_ in asked):
        levels, seeds = ({unit[place] for unit in asked if unit[:2] == (key, name)} for place in (2, 3))
        method = registry.method(name)
        entries.append(
            Entry(task=tasks[key], methods=(method,), levels=tuple(sorted(levels)), seeds=tuple(sorted(seeds)))
        )
    return {unit.label: unit.id for unit in plan(Suite(name="again", title="", entries=tuple(entries))).units.values()}


@pytest.mark.parametrize("suite", RECORDS)
def test_every_published_unit_is_planned_again_under_its_id(suite):
    published = {}
    for record in read(RECORDS[suite])[suite]:
        spec = record["spec"]
        asked = (f"{spec['task']['name']}@{spec['task']['scale']}", spec["method"]["name"], spec["level"], spec["seed"])
        published[asked] = record["unit_id"]
    ids = replanned(list(published))
    moved = [asked for asked in published if ids.get("{} {} L{} s{}".format(*asked)) != published[asked]]
    assert published
    assert not moved, "raise the task's or the method's version instead of editing it"
