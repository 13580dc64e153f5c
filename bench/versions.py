"""What is installed here: the versions of whatever can change a result, told without importing it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

import bench

VERSIONED = (
    *("numpy", "pillow", "torch", "torchvision"),
    *("stable-baselines3", "gymnasium", "ale-py", "box2d", "minatar"),
    *("fairseq-fixed", "sacrebleu", "sentencepiece"),
)
"""Packages whose versions can change a result."""


@cache
def installed() -> dict[str, str]:
    """Name -> version of Python, of this package and of those that train."""
    found = {"ticketbench": bench.__version__, "python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code() -> dict[str, str]:
    """What decides whether two installations train alike: versions, those of plugins too, and a digest of this code.

    A version alone would not tell one checkout from another.
    """
    groups = (entry_points(group=f"ticketbench.{kind}") for kind in ("domains", "tasks", "methods"))
    plugins = {point.dist.name: point.dist.version for points in groups for point in points if point.dist}
    return {**installed(), **plugins, "ticketbench's source": _source()}


@cache
def commit() -> str | None:
    """The commit of the checkout this code runs from, if it is one."""
    root = Path(bench.__file__).parent
    ours = ["git", "ls-files", "--error-unmatch", "__init__.py"]  # not a checkout that merely surrounds site-packages
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        for command in (ours, describe):
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603  fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def cpu() -> str | None:
    """The model of the processor, where the system tells it: two of them may round otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _source() -> str:
    digest = hashlib.sha256()
    for package in ("bench", "domains"):
        spec = find_spec(package)
        for folder in sorted((spec and spec.submodule_search_locations) or ()):
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:10]
