"""From messages of programs to pairs of sentences: what a message loses to become text, and which pairs are dropped.

Rules and limits are those of OpusFilter (Aulamo et al. 2020) where nothing else is said. Fuzzy and obsolete messages need
no rule: msgfmt leaves them out of its files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from difflib import SequenceMatcher

from domains.nlp.catalogues.mo import Message

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LETTER = re.compile(r"[^\W\d_]")
NUMERAL = re.compile(r"[1-9]")
TERMINAL = re.compile(r"[.?!…]")
MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&(?:#\w+|[A-Za-z]\w*);")
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\s{UNSPACED}]+")
"""What white space surrounds, or two characters of Chinese or Japanese, which are written without."""

PLACEHOLDER = re.compile(
    r"%(?:\d+\$|\(\w+\))?[-+#0']*[\d*]*(?:\.[\d*]*)?(?:hh?|ll?|[jztLq])?[A-Za-z]"  # printf: %s, %-10.2f, %(name)s
    r"|%L?\d+|%%"  # Qt
    r"|\$?\{[^\s{}]*\}|\$\w+"  # Python, shell
)


def pair(message: Message) -> tuple[str, str]:
    """Source and translation of a message as plain text of one line.

    Of several plural forms the first is the translation of the singular: most languages use it for one.
    """
    return without_accelerators(one_line(message.source), one_line(message.forms[0]))


def one_line(text: str) -> str:
    """The text with one space wherever it had white space or control characters (OpusFilter's WhitespaceNormalizer)."""
    return " ".join(CONTROL.sub(" ", text).split())


def without_accelerators(source: str, target: str) -> tuple[str, str]:
    """Both sides without the marks of keys in menus: `_` of GTK and `&` of Qt.

    A mark stands once on each side, in words that differ (`_File`, `_Datei`, and `(_F)` in Chinese and Japanese). What is
    the same on both sides is a name (`GID_MIN`, `AT&T`).
    """
    for mark in "_&":
        if source.count(mark) == target.count(mark) == 1:
            names = [_marked(side.casefold(), mark) for side in (source, target)]
            if all(names) and names[0] != names[1]:
                source = source.replace(mark, "")
                target = re.sub(rf"\s*\({mark}\w\)|{mark}", "", target)
    return source, target


def empty(source: str, target: str) -> bool:
    """Whether a side has no text."""
    return not (source and target)


def identical(source: str, target: str) -> bool:
    """Whether nothing is translated (Bicleaner, Ramírez-Sánchez et al. 2020)."""
    return source == target


def long(source: str, target: str) -> bool:
    """Whether a side has more than 50 words (100 in OpusFilter: messages that long are manuals), or 250 characters.

    Whatever its subwords, a sentence of 250 characters fits into a model of 256 positions.
    """
    return max(words(source), words(target)) > 50 or max(len(source), len(target)) > 250


def uneven(source: str, target: str) -> bool:
    """Whether a side has more than 2.5 times as many words as the other (3 in OpusFilter)."""
    fewer, more = sorted((words(source), words(target)))
    return more > 2.5 * fewer


def unbroken(source: str, target: str) -> bool:
    """Whether a word has 40 characters or more: paths, addresses, keys."""
    return max(map(len, WORD.findall(f"{source} {target}"))) >= 40


def markup(source: str, target: str) -> bool:
    """Whether there are tags or entities of HTML, or what looks like them, as `<file>` in instructions."""
    return bool(MARKUP.search(source) or MARKUP.search(target))


def placeholders(source: str, target: str) -> bool:
    """Whether fewer than half of a side's words have letters, not counting placeholders such as `%s` (Bicleaner on letters)."""
    return any(
        2 * sum(bool(LETTER.search(word)) for word in WORD.findall(bare(side))) < words(side)
        for side in (source, target)
    )


def punctuation(source: str, target: str) -> bool:
    """Whether ends of sentences differ, or are many (Vázquez et al. 2019, with their limit of -2)."""
    counts = [len(TERMINAL.findall(side)) for side in (source, target)]
    penalty = abs(counts[0] - counts[1]) + sum(max(count - 1, 0) for count in counts)
    return -math.log(penalty + 1) < -2


def numerals(source: str, target: str) -> bool:
    """Whether less than half of the digits but zeros agree, in their order (Vázquez et al. 2019)."""
    found = [NUMERAL.findall(bare(side)) for side in (source, target)]
    return SequenceMatcher(None, found[0], found[1]).ratio() < 0.5


RULES: tuple[Callable[[str, str], bool], ...] = (
    *(empty, identical, long, uneven, unbroken, markup, placeholders, punctuation, numerals),
)
"""(source, target) -> whether the pair must go; the first that says so is the reason."""


def fault(source: str, target: str) -> str | None:
    """The name of the rule by which the pair must go, or None if it may stay."""
    return next((rule.__name__ for rule in RULES if rule(source, target)), None)


def words(text: str) -> int:
    """How many words the text has."""
    return len(WORD.findall(text))


def bare(text: str) -> str:
    """The text without placeholders."""
    return PLACEHOLDER.sub("", text)


def gist(source: str) -> str:
    """What near copies of a source share: its letters in lower case, without placeholders, numbers and punctuation."""
    return " ".join(re.findall(r"[^\W\d_]+", bare(source).casefold()))


def _marked(text: str, mark: str) -> list[str]:
    """The words with a mark before a letter or digit."""
    return [word for word in re.findall(r"[\w&]+", text) if mark in word and not word.endswith(mark)]
