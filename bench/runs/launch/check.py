"""Whether another node may train: it must see the same store, and run the same code."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench import versions
from bench.code import own
from bench.digests import file_digest
from bench.store.claims import ATTEMPTS

PATIENCE = 60.0
"""Seconds until a file that was written on one node must be seen on every other: NFS caches folders for up to 60."""
LOOK = 1.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a node is asked; pickles anywhere.

    Args:
        path: a file in the store.
        text: what it holds.
        code: `bench.versions.code` of who asks.
        files: own file -> sha256, of those that tasks and methods of the run come from.
    """

    path: Path
    text: str
    code: Mapping[str, str]
    files: Mapping[Path, str] = field(default_factory=dict)

    @classmethod
    def lay(cls, root: Path) -> Self:
        """Write a new file into the store that is below `root`."""
        text = secrets.token_hex(16)
        path = root.absolute() / ATTEMPTS / f".probe.{text[:8]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        return cls(path=path, text=text, code=versions.code(), files=own.files())

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def objection(self, patience: float = PATIENCE) -> str | None:
        """Why this node may not train, in one line; None if it may.

        Args:
            patience: seconds that the file system gets to show the file.
        """
        here = versions.code()
        for name in sorted(self.code.keys() | here.keys()):
            if self.code.get(name) != here.get(name):
                return (
                    f"it has {name} {here.get(name, 'not at all')}, "
                    f"the run {self.code.get(name, 'not at all')}: install the same on both"
                )
        for file, digest in self.files.items():
            if not file.is_file() or file_digest(file) != digest:
                return f"it does not see {file} as the run does: mount the same folder there, at the same path"
        end = time.monotonic() + patience
        while not self._is_seen():
            if time.monotonic() >= end:
                return f"it does not see {self.path.parent.parent}: mount the same folder there, at the same path"
            time.sleep(min(LOOK, patience))
        return None

    def _is_seen(self) -> bool:
        try:
            return self.path.read_text(encoding="ascii") == self.text
        except (OSError, ValueError):
            return False
