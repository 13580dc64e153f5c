"""Who submitted which suite, as the file beside the records tells it."""

import os

import pytest

from bench.errors import StoreError
from bench.report.submitters import SUBMITTERS, submitters


def test_a_pipe_is_not_waited_for_and_a_link_not_followed(tmp_path):
    assert submitters(tmp_path) == {}
    path = tmp_path / SUBMITTERS
    os.mkfifo(path)
    with pytest.raises(StoreError, match=r"submitters.json is not read \(it is no plain file\)"):
        submitters(tmp_path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match=r"submitters.json is not read \(it is a symbolic link\)"):
        submitters(tmp_path)
