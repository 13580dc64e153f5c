"""Text that anybody may write, quoted so that Markdown, LaTeX, HTML and spreadsheets show it and never obey it.

Names and sentences of a table come from other people's tasks, methods and records. A short code span (`ticket-init`)
is the one piece of markup that is kept.
"""

import re
from collections.abc import Callable
from html import escape

_CODE = re.compile(r"`(\w(?:[\w.:/@<=, +-]*\w)?)`")

_MARKUP = re.compile(
    r"""[\\`*|$]                    # escapes, code, emphasis, the end of a cell, mathematics
    | (?<![^\W_])_ | _(?![^\W_])    # emphasis; inside a word it is none
    | <(?=[A-Za-z/!?])              # a tag
    | &(?=[\w#])                    # an entity
    | ](?=[\[(:])                   # a link
    | ~(?=~)""",
    re.VERBOSE,
)

_TEX = {
    "\\": r"\textbackslash{}",
    "`": r"\textasciigrave{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "¶": r"\P{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    **{mark: f"\\{mark}" for mark in "{}$&#_%"},
}

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")  # noqa: RUF001  spreadsheets take wide signs, too


def plain(text: str) -> str:
    """`text` on one line, without control characters and marks of direction."""
    return "".join(each if each.isprintable() else " " for each in text)


def printable(text: str) -> str:
    """`text` for a terminal: its lines, each `plain`."""
    return "\n".join(map(plain, text.split("\n")))


def markdown(text: str) -> str:
    """`text` for a line or table cell of Markdown (GitHub's dialect)."""
    return _around_code(plain(text), "`{}`", lambda each: _MARKUP.sub(r"\\\g<0>", each), str)


def tex(text: str) -> str:
    """`text` for a line or table cell of LaTeX."""
    quoted = _around_code(plain(text), r"\texttt{{{}}}", _tex, _tex)
    return re.sub(r"^( *)([\[*])", r"\1{\2}", quoted)  # after the `\\` of the row before, these are its arguments


def html(text: str) -> str:
    """`text` for an element of HTML."""
    return _around_code(plain(text), "<code>{}</code>", escape, escape)


def field(text: str) -> str:
    """`text` for a field of CSV: what a spreadsheet would take for a formula starts with an apostrophe."""
    ended = re.sub("\r\n?", "\n", text)  # csv quotes a line feed, but not a lone carriage return
    return f"'{ended}" if text.startswith(_FORMULA) else ended


def unquoted(text: str) -> str:
    """What `field` was given, but for a lone carriage return."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _tex(text: str) -> str:
    quoted = "".join(_TEX.get(each, each) for each in text)
    return re.sub(r"-(?=-)", "-{}", re.sub(r"(?<![\w.}-])-(?=\d)", "$-$", quoted))


def _around_code(text: str, code: str, outside: Callable[[str], str], inside: Callable[[str], str]) -> str:
    parts = _CODE.split(text)  # text, code, text, code, ..., text
    return "".join(code.format(inside(part)) if place % 2 else outside(part) for place, part in enumerate(parts))
