"""A writer of GNU's .mo files, after the chapter on them in gettext's manual, to test our reader with."""

import struct
from pathlib import Path

HEADER = "Project-Id-Version: {project}\nContent-Type: text/plain; charset={charset}\nPlural-Forms: nplurals=2; plural=n != 1;\n"


def mo_bytes(messages, *, order="<", revision=0, charset="UTF-8", project="tar 1.35"):
    """The bytes of a catalogue: `messages` maps originals to translations, `\\x04` and `\\0` in them as in the file."""
    rows = {"": HEADER.format(project=project, charset=charset), **messages}
    rows = sorted((original.encode(charset), translation.encode(charset)) for original, translation in rows.items())
    start = 28 + 16 * len(rows)
    tables, content = [b"", b""], b""
    for column in (0, 1):
        for row in rows:
            tables[column] += struct.pack(f"{order}2I", len(row[column]), start + len(content))
            content += row[column] + b"\0"
    head = struct.pack(f"{order}7I", 0x950412DE, revision, len(rows), 28, 28 + 8 * len(rows), 0, start)
    return head + tables[0] + tables[1] + content


def install(root: Path, language: str, name: str, messages, **options) -> Path:
    """Write a catalogue to where gettext looks for it."""
    path = root / language / "LC_MESSAGES" / f"{name}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mo_bytes(messages, **options))
    return path
