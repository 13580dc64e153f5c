"""Breaks a column on purpose: it goes on promising what it promised, and does something else; and asks what notices."""

from dataclasses import replace

from example import MOONS, ExampleDomain, Moons

from bench.tickets.conformance import check_method
from bench.tickets.methods import METHODS


def broken_column(patch, table, name, function):
    """Put another function behind a built-in column; the facts stay."""
    patch.setitem(table, name, replace(table[name], function=function))


def method_checks(method, learner_class=Moons, task=MOONS, **options):
    """Which checks find something in a method, given or named."""
    if isinstance(method, str):
        method = METHODS[method]
    return {finding.check for finding in check_method(method, ExampleDomain(learner_class), task, **options)}
