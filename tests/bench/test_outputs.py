"""What verbs write, onto something that is in the way: one line, and everything stays as it was."""

import os
from pathlib import Path

import pytest

from bench.store.store import Store

FILES = {
    "table": ["table", "--store", "STORE", "--format", "csv", "--output", "OUT"],
    "site": ["site", "--records", "RECORDS", "--output", "OUT"],
    "pack": ["pack", "SUITE", "--store", "STORE", "--output", "OUT"],
    "ticket": ["ticket", "TICKET", "--store", "STORE", "--output", "OUT"],
    "verify": ["verify", "STORE", "--replay", "1", "--measured", "OUT"],
}
FOLDERS = {
    "plot": ["plot", "--store", "STORE", "--output", "OUT"],
    "publish": ["publish", "SUITE", "--store", "STORE", "--output", "OUT"],
    "unpack": ["unpack", "ARCHIVE", "--into", "OUT"],
}
VERBS = FILES | FOLDERS


@pytest.fixture
def written(command, finished, suite_file, tmp_path):
    """Run a verb that writes to a place; gives exit code, output, errors, and whether anything changed anywhere."""
    assert command("publish", suite_file, "--store", finished, "--output", tmp_path / "results")[0] == 0
    assert command("pack", suite_file, "--store", finished, "--output", tmp_path / "toy.zip")[0] == 0
    ticket = next(each["unit_id"] for each in Store(finished).records() if each["spec"]["method"]["name"] == "ticket")
    places = {
        "STORE": finished, "SUITE": suite_file, "TICKET": ticket, "ARCHIVE": tmp_path / "toy.zip",
        "RECORDS": tmp_path / "results" / "records",
    }  # fmt: skip

    def write(verb, place):
        def everything():
            return {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

        before = everything()
        code, out, err = command(*(places.get(word, word) if word != "OUT" else place for word in VERBS[verb]))
        return code, out, err, everything() == before

    return write


def refused(written, verb, place):
    code, out, err, is_untouched = written(verb, place)
    assert (code, err.count("\n")) == (2, 1), out + err
    assert out == ""
    assert err.startswith("ticketbench: ")
    assert str(place) in err
    assert is_untouched, "nothing half-written"


@pytest.mark.parametrize("verb", FILES)
def test_a_folder_where_a_file_is_to_be(written, tmp_path, verb):
    (tmp_path / "out" / "inside").mkdir(parents=True)
    refused(written, verb, tmp_path / "out")


@pytest.mark.parametrize("verb", FOLDERS)
def test_a_file_where_a_folder_is_to_be(written, tmp_path, verb):
    (tmp_path / "out").write_text("mine")
    refused(written, verb, tmp_path / "out")


@pytest.mark.parametrize("verb", VERBS)
def test_below_a_file(written, tmp_path, verb):
    (tmp_path / "mine").write_text("mine")
    refused(written, verb, tmp_path / "mine" / "below" / "out")


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_that_no_file_can_have(written, tmp_path, verb):
    refused(written, verb, tmp_path / ("x" * 300))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder into which nobody writes")
@pytest.mark.parametrize("verb", VERBS)
def test_where_nobody_may_write(written, verb):
    refused(written, verb, Path("/proc/self/out"))


@pytest.mark.parametrize("verb", ["site", "pack", "ticket"])
def test_a_device_is_not_replaced_by_a_file(written, tmp_path, verb):
    os.mkfifo(tmp_path / "pipe")
    refused(written, verb, tmp_path / "pipe")


def test_a_table_may_go_to_a_device(written):
    code, _, err, _ = written("table", Path("/dev/null"))
    assert (code, err) == (0, "")
    assert not Path("/dev/null").is_file()
