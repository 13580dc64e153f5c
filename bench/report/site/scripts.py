"""The scripts and the style sheet that stand in the page, and the policy that lets nothing else run."""

from __future__ import annotations

import re
import tomllib
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

PARTS = files("bench.report.site") / "page"


@cache
def scripts() -> tuple[str, ...]:
    """In the order in which they stand: one line for the head, the vendored ones, our own."""
    vendored = (_part("vendor", file["name"]) for file in vendor())
    return ("document.documentElement.className='js'", *map(_unmapped, vendored), _part("nodes.js"), _part("page.js"))


@cache
def style() -> str:
    """The style sheet."""
    return _part("page.css")


@cache
def vendor() -> tuple[dict[str, str], ...]:
    """What `vendor.toml` says about the vendored scripts."""
    return tuple(tomllib.loads(_part("vendor", "vendor.toml"))["file"])


def policy() -> str:
    """The Content-Security-Policy: these scripts and this style sheet, and nothing else from anywhere."""
    allowed = " ".join(map(_hash, scripts()))
    return f"default-src 'none'; script-src {allowed}; style-src {_hash(style())}; base-uri 'none'; form-action 'none'"


def _part(*names: str) -> str:
    return PARTS.joinpath(*names).read_text(encoding="utf-8")


def _unmapped(script: str) -> str:
    """Without the last line, which names a source map that is not here."""
    return re.sub(r"\n//# sourceMappingURL=\S+\s*\Z", "\n", script)


def _hash(inline: str) -> str:
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
