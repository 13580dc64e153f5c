"""How text was cut into symbols, and how symbols become text again: subword markers, and Moses's tokenisation."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARKERS = ("▁", "@@", "")
"""How subwords are marked: `▁` begins a word (sentencepiece), `@@` at a symbol's end says that its word goes on
(subword-nmt), and with neither a symbol is a whole word. Corpora of the latter two are tokenised as Moses does it."""

ENTITIES = {
    "&#124;": "|",
    "&lt;": "<",
    "&gt;": ">",
    "&apos;": "'",
    "&quot;": '"',
    "&#91;": "[",
    "&#93;": "]",
    "&amp;": "&",
}
"""What Moses's tokeniser escapes; the ampersand last, so that nothing is unescaped twice."""

HYPHEN = re.compile(r" (?:@-@|##AT##-##AT##) ")
BEFORE = re.compile(r" (?=(?:[.,;:!?%)\]}\u201d\u2019»…]+|n't|'(?:s|m|d|ll|re|ve|t))(?: |$))", re.IGNORECASE)
AFTER = re.compile(r"(?<![^ ])([(\[{¿¡\u201c\u2018«„$£€#]+) ")
QUOTED = re.compile(r'(?<![^ ])" (.*?) "(?![^ ])')


def join(symbols: Iterable[str], marker: str) -> str:
    """Symbols as words with one space between them.

    Args:
        symbols: of a dictionary.
        marker: one of `MARKERS`.
    """
    if marker == "▁":
        return "".join(symbols).replace("▁", " ").strip()
    line = " ".join(symbols)
    # A sentence that ends inside a word keeps what there is of it.
    return f"{line} ".replace("@@ ", "").strip() if marker == "@@" else line


def detokenise(line: str, marker: str) -> str:
    """Words as ordinary text: Moses's tokenisation undone by its usual rules for European languages.

    What sentencepiece cut was ordinary text before, and is returned as it is.
    """
    if marker == "▁":
        return line
    line = QUOTED.sub(r'"\1"', HYPHEN.sub("-", unescape(line)))
    return AFTER.sub(r"\1", BEFORE.sub("", line))


def unescape(line: str) -> str:
    """The characters that Moses's tokeniser escapes, as themselves."""
    for entity, character in ENTITIES.items():
        line = line.replace(entity, character)
    return line
