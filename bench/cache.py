"""Where what takes long to make and can be made again is kept for the next time."""

import os
from pathlib import Path


def folder(of: str = "") -> Path:
    """`ticketbench` in `XDG_CACHE_HOME` or in `~/.cache`, and in there a folder of its own for what is kept.

    It need not exist. Without a home it cannot: whoever writes there meets an OSError, as on a full disk.

    Args:
        of: what is kept.
    """
    try:
        above = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        above = Path(os.devnull)
    return above / "ticketbench" / of
