"""What is asked: tasks, methods, units and suites as frozen data, and the ids that follow from them.

Imports no torch: planning, tables and `--help` use this room alone.
"""

from bench.spec.method import CODE, DENSE, SOURCES, Method, Role, coincident, method_from_json, method_identity
from bench.spec.plain import misfit, to_json
from bench.spec.pruning import Pruning
from bench.spec.suite import Entry, Suite
from bench.spec.task import (
    LATER,
    REPORTED_ONLY,
    SCALES,
    VALIDATION,
    Direction,
    Scale,
    Task,
    sentences,
    share_of_budget,
    task_from_json,
    task_identity,
)
from bench.spec.unit import DIGITS, SPEC_VERSION, Unit, search_cost, unit_id

__all__ = [
    "CODE",
    "DENSE",
    "DIGITS",
    "LATER",
    "REPORTED_ONLY",
    "SCALES",
    "SOURCES",
    "SPEC_VERSION",
    "VALIDATION",
    "Direction",
    "Entry",
    "Method",
    "Pruning",
    "Role",
    "Scale",
    "Suite",
    "Task",
    "Unit",
    "coincident",
    "method_from_json",
    "method_identity",
    "misfit",
    "search_cost",
    "sentences",
    "share_of_budget",
    "task_from_json",
    "task_identity",
    "to_json",
    "unit_id",
]
