"""Breaks a column on purpose: it goes on promising what it promised, and does something else."""

from dataclasses import replace


def broken_column(patch, table, name, function):
    """Put another function behind a built-in column; the facts stay."""
    patch.setitem(table, name, replace(table[name], function=function))
