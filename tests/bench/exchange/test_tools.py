"""Archives that other tools packed again, after somebody unpacked them: read by a rule, or refused with what to do."""

import io
import json
import shutil
import zipfile

import pytest
import toy

from bench.errors import SubmissionError
from bench.exchange.pack import pack
from bench.exchange.unpack import unpack
from bench.report.submitters import submitters

NOTE = b"\x00\x05\x16\x07Mac OS X"


@pytest.fixture
def members(filled, tmp_path):
    """Path -> content of an honest archive, the manifest first."""
    store, plan = filled
    pack(plan.units.values(), store, tmp_path / "a.zip", suite=toy.suite(), weights=True)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def folders_of(names):
    return sorted(
        {"/".join(name.split("/")[:depth]) + "/" for name in names for depth in range(1, name.count("/") + 1)}
    )


def zipped(members, *, streamed=False, extra=b""):
    """A zip of (name, content), with the sizes behind each file if `streamed`, as tools write that cannot seek."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    file = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, (2026, 11, 25, 12, 0, 0))
            info.compress_type, info.create_system, info.extra = zipfile.ZIP_DEFLATED, 3, extra
            info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            archive.writestr(info, data)
    return bytes(file.data) if streamed else file.getvalue()


def from_finder(members):
    """Compress in the Finder: one folder, its entry first, `.DS_Store`, and a note on each file in `__MACOSX`; streamed."""
    inside = [("lth/", b""), ("lth/.DS_Store", b"x")]
    for name in [*folders_of(members), *sorted(members, reverse=True)]:
        inside.append((f"lth/{name}", members.get(name, b"")))
        if not name.endswith("/"):
            above, _, last = f"lth/{name}".rpartition("/")
            inside.append((f"__MACOSX/{above}/._{last}", NOTE))
    return zipped(inside, streamed=True)


def from_zip(members):
    """`zip -r`: entries for folders, times in an extra field, the order of the folder."""
    times = b"UT\x05\x00\x03\x00\x00\x00\x00"
    names = sorted([*members, *folders_of(members)], reverse=True)
    return zipped([(name, members.get(name, b"")) for name in names], extra=times)


def from_windows(members):
    return zipped(
        [
            ("lth/Thumbs.db", b"x"),
            ("lth/._manifest.json", NOTE),
            ("lth/desktop.ini", b"x"),
            *((f"lth/{name}", members[name]) for name in members),
        ]
    )


@pytest.mark.parametrize("tool", [from_finder, from_zip, from_windows])
def test_what_another_tool_packed_again_is_read(members, tmp_path, tool):
    (tmp_path / "b.zip").write_bytes(tool(members))
    unpack(tmp_path / "b.zip", tmp_path / "one")
    unpack(tmp_path / "a.zip", tmp_path / "two")
    contents = [
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    ]
    assert contents[0] == contents[1]


def test_python_packs_a_folder_again(members, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "by-hand")
    shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path, "by-hand")
    assert unpack(tmp_path / "b.zip", tmp_path / "new").manifest.files


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda honest: [*honest.items(), ("notes.txt", b"x")], "which is no file of a unit"),
        (lambda honest: [*honest.items(), ("lth/manifest.json", honest["manifest.json"])], "2 files manifest.json, not one"),
        (lambda honest: list(honest.items())[1:], "0 files manifest.json, not one: make it with `ticketbench pack`"),
        (lambda honest: [(f"a/b/{name}", data) for name, data in honest.items()], "0 files manifest.json, not one"),
        (lambda honest: [(f"a/{n}" if n != "manifest.json" else n, d) for n, d in honest.items()], "does not name"),
        (lambda honest: [*honest.items(), ("lth/", b"not empty")], "is no plain file"),
        (lambda honest: [*honest.items(), ("../__MACOSX", b"x"), ("toy/.DS_Store.py", b"x")], "which is no file of a unit"),
    ],
)  # fmt: skip
def test_nothing_else_is_passed_over(members, tmp_path, change, said):
    (tmp_path / "b.zip").write_bytes(zipped(change(members)))
    with pytest.raises(SubmissionError, match=said):
        unpack(tmp_path / "b.zip", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_unpacked_suite_is_published_without_the_file_of_who_submitted_it(command, suite_file, finished, tmp_path):
    """Narrowed, too: the archive keeps which tasks, methods, levels and seeds it was."""
    narrowed = ("--seeds", "0", "--levels", "1")
    assert command("pack", suite_file, "--store", finished, "--output", tmp_path / "a.zip", *narrowed)[0] == 0
    suite_file.unlink()
    shutil.rmtree(finished)
    assert command("unpack", tmp_path / "a.zip", "--into", tmp_path / "theirs")[0] == 0
    code, out, err = command("publish", "--store", tmp_path / "theirs", "--output", tmp_path / "results")
    assert (code, err) == (0, "")
    assert f"{tmp_path}/results/records/toy.jsonl" in out
    assert len((tmp_path / "results/records/toy.jsonl").read_text().splitlines()) == 4
    (task,) = json.loads((tmp_path / "theirs/store.json").read_text())["suite"]["tasks"]
    assert (task["task"], task["levels"], task["seeds"]) == ("toy/chain@smoke", [1], [0])


def test_an_unpacked_suite_joins_none_of_its_name(command, suite_file, finished, tmp_path):
    """Whoever submits chooses the name of the suite: what stands under it on the board is not theirs to add to."""
    results = ("--output", tmp_path / "results")
    board = tmp_path / "results/records/toy.jsonl"
    assert command("publish", suite_file, "--store", finished, *results)[0] == 0
    ours = board.read_bytes()
    pack = ("pack", suite_file, "--store", finished, "--output", tmp_path / "a.zip")
    assert command(*pack, "--seeds", "0")[0] == 0
    assert command("unpack", tmp_path / "a.zip", "--into", tmp_path / "theirs")[0] == 0
    theirs = ("publish", "--store", tmp_path / "theirs", *results)
    code, out, err = command(*theirs)
    assert (code, out) == (2, "")
    assert (
        f"{board} is published already, of nobody whom submitters.json names: give it a name of its own, --name" in err
    )
    assert command("publish", suite_file, *theirs[1:])[2] == err, "whatever file of a suite stands before --store"
    assert board.read_bytes() == ours
    for wrong in ("../toy", "", ".toy"):
        assert f"--name {wrong!r}: a file is called so" in command(*theirs, "--name", wrong)[2]
    for nobody in ("Ada\nL.", "", " Ada", "A" * 201):
        assert "mend --from" in command(*theirs, "--name", "theirs", "--from", nobody)[2]
    assert not (tmp_path / "results/records/theirs.jsonl").exists()
    assert command(*theirs, "--name", "theirs", "--from", "Ada L.")[0] == 0
    assert submitters(tmp_path / "results") == {"theirs": "Ada L."}
    assert len((tmp_path / "results/records/theirs.jsonl").read_text().splitlines()) == 8
    assert board.read_bytes() == ours
    assert command(*theirs, "--name", "theirs")[0] == 0, "the same again"
    assert submitters(tmp_path / "results") == {"theirs": "Ada L."}, "as it was told before"
    for option in ("--name", "--from"):
        assert f"{option} is of a suite, and none is asked for" in command("publish", *results, option, "x")[2]
    for named in ((), (suite_file,)):
        code, out, err = command("publish", *named, "--store", tmp_path / "theirs", *results, "--replace")
        assert (code, out) == (2, "")
        assert "--replace is for units of your own: " in err
    assert board.read_bytes() == ours
    (tmp_path / "results/submitters.json").write_text('["Ada"]')
    assert "submitters.json is not read" in command(*theirs, "--name", "theirs", "--from", "x")[2]
