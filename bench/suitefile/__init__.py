"""Suites as TOML files: `load_suite` reads one, with the tasks and methods of the user's own that it brings."""

from bench.suitefile.numbers import numbers
from bench.suitefile.read import load_suite, names, parse

__all__ = ["load_suite", "names", "numbers", "parse"]
