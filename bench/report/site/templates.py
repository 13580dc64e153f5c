"""The templates of the page: whatever they print of anybody's text is escaped, on one line, and cut."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.report.escaping import plain
from bench.report.statistics.seeds import Interval
from bench.report.table.compact import span_of_seeds

LABEL = 60
"""Characters of a name in a table, at most."""

SENTENCE = 600
"""Characters of any text, at most."""

SHADES = 9
"""Steps of the background that shows a density."""


def label(text: str, limit: int = LABEL) -> str:
    """`text` on one line and not too long, not yet escaped."""
    if len(text) <= limit and text.isprintable():
        return text
    line = plain(text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


@cache
def environment() -> Environment:
    """Where the templates are found, and what they may call; a name that they are not given is an error."""
    made = Environment(
        loader=PackageLoader("bench.report.site", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    filters = (label, lines, sentence, literal, percent, digits, begin, domain, shade, address, bounds, span_of_seeds)
    made.filters.update({each.__name__: each for each in filters})
    return made


def lines(names: str | Iterable[str]) -> Markup:
    """Names for the value of an attribute, a line each."""
    several = [names] if isinstance(names, str) else names
    return escape("\n".join(dict.fromkeys(map(label, several))))


def sentence(text: str) -> Markup:
    """A note, its code spans as code."""
    parts = label(text, SENTENCE).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return Markup().join(Markup("<code>%s</code>") % part if place % 2 else part for place, part in enumerate(parts))


def literal(value: Any) -> Markup:
    """A JSON value, indented."""
    written = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    return escape("\n".join(label(line, SENTENCE) for line in written.splitlines()))


def percent(fraction: float | None, digits: int = 3) -> str:
    """Significant digits without a sign; empty for None."""
    return "" if fraction is None else f"{100 * fraction:.{digits}g}"


def digits(number: float | None, significant: int = 2) -> str:
    """Of a number; empty for None."""
    return "" if number is None else f"{number:.{significant}g}"


def bounds(interval: Interval | None, sign: str = "") -> str:
    """Shares as percent, with their interval where there is one; empty for None."""
    if interval is None:
        return ""
    ends = [f"{100 * end:{sign}.1f}" for end in (interval.low, interval.high) if end is not None]
    return f"{100 * interval.mean:{sign}.1f}" + (f" [{', '.join(ends)}]" if ends else "")


def begin(digest: str) -> str:
    """The digits by which the page names units and results."""
    return digest[:12]


def domain(task: str) -> str:
    """The part of a task's name before the slash."""
    return task.partition("/")[0]


def shade(density: float) -> int:
    """0 to `SHADES`, the more the denser: a step for every halving."""
    return SHADES - (SHADES if density <= 0 else min(SHADES, round(-math.log2(min(density, 1.0)))))


def address(path: str, safe: str = "") -> Markup:
    """A part of a path, whole, as a link: never a scheme, a query, or the way to another folder."""
    return escape(quote(path, safe=safe, errors="replace"))


def _printed(value: Any) -> Any:
    if value is None:
        return ""
    return label(value, SENTENCE) if isinstance(value, str) and not isinstance(value, Markup) else value
