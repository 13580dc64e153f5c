"""Without Ray, what asks for it says how to get it; `tests/cluster` has the rest."""

import sys

import pytest

from bench.errors import LaunchError


def test_ray_is_not_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "bench.runs.launch.ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LaunchError, match=r"Ray is not installed; pip install 'ticketbench\[ray\]'"):
        import bench.runs.launch.ray  # noqa: F401
