"""The records behind a task's numbers: what a number on the page leads to."""

from __future__ import annotations

from collections.abc import Mapping

from bench.digests import canonical_json
from bench.record import Record
from bench.report.site.anchors import Page
from bench.report.site.sections.measured import setting
from bench.report.table.arms import Arm


def settings(page: Page) -> dict[str, int]:
    """What the records of a task were trained with, numbered as it comes."""
    provenances = (record["provenance"] for arm in page.section.arms for record in arm.records.values())
    return {told: number for number, told in enumerate(dict.fromkeys(map(setting, provenances)), start=1)}


def method_of(arm: Arm) -> str:
    """The method as its records hold it, in a line."""
    spec = _any(arm)["spec"]["method"]
    return canonical_json({key: value for key, value in spec.items() if key != "about"})


def task_of(page: Page) -> Mapping[str, object]:
    """The task as its records hold it: with an arm's method, level and seed, the whole spec of a unit."""
    task: Mapping[str, object] = _any(page.section.arms[-1])["spec"]["task"]
    return task


def _any(arm: Arm) -> Record:
    return next(iter(arm.records.values()))
