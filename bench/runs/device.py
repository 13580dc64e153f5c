"""Whether this machine can train on a device, asked of a process of its own: a driver of runs imports no torch."""

from __future__ import annotations

import re
import subprocess
import sys

from bench.errors import LaunchError

CPU = "cpu"
TRIAL = "import sys, torch; torch.ones(2, device=sys.argv[1]).sum().item()"
ERROR = re.compile(r"^\w+(?:Error|Exception): (.+)$", re.MULTILINE)
PATIENCE = 300.0
"""Seconds; a first look at a GPU may take many."""


def check_device(device: str) -> None:
    """Refuse a device that torch does not know or this machine does not have.

    Raises:
        LaunchError: with torch's own words.
    """
    if device == CPU:
        return
    try:
        done = subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-P", "-c", TRIAL, device],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"--device {device!r} does not answer within {PATIENCE:.0f} s; try --device cpu") from error
    if done.returncode:
        told = ERROR.search(done.stderr)
        what = told[1].partition(". ")[0].rstrip(".") if told else f"torch ended with exit code {done.returncode}"
        raise LaunchError(f"--device {device!r} cannot be used on this machine: {what}; try --device cpu")
