"""The one reader of what is published."""

import gzip
import json
import os

import pytest

from bench.errors import Conflict, StoreError
from bench.report import published
from bench.report.publish import publish
from bench.report.published import read

ARMS = {"dense": 0.0, "ticket": 0.01}


def by_id(records):
    return sorted(records, key=lambda record: record["unit_id"])


def test_a_folder_is_read_by_suite_and_a_file_alone(study, tmp_path):
    some, more = study(ARMS), study(ARMS, name="vision/other")
    publish(some, tmp_path, name="some")
    publish(more, tmp_path, name="more")
    suites = read(tmp_path / "records")
    assert list(suites) == ["more", "some"]
    assert suites["some"] == by_id(some)
    assert read(tmp_path / "records" / "more.jsonl") == {"more": by_id(more)}


def test_equal_parts_are_held_once(study, tmp_path):
    publish(study(ARMS), tmp_path, name="some")
    publish(study(ARMS, seeds=4), tmp_path, name="more")
    records = [record for suite in read(tmp_path / "records").values() for record in suite]
    assert len({id(record["spec"]["task"]) for record in records}) == 1
    assert len({id(record["spec"]["method"]) for record in records}) == 2
    assert len({id(record["metrics"][0]["name"]) for record in records}) == 1


def test_blank_lines_say_nothing(study, tmp_path):
    lines = [json.dumps(record) for record in study(ARMS)]
    path = tmp_path / "some.jsonl"
    path.write_text("\n \n" + "\n\n".join(lines) + "\n\t\n")
    assert len(read(path)["some"]) == len(lines)
    path.write_text("\n")
    assert read(path) == {"some": []}


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[]", b"1", b"null", b"{", b"\xff", b'{"spec": 1}', b'{"spec": {"task": NaN}}', b"[" * 100_000],
    ids=range(9),
)
def test_anything_else_is_told_by_file_and_line(study, tmp_path, line):
    path = tmp_path / "some.jsonl"
    path.write_bytes(json.dumps(study(ARMS)[0]).encode() + b"\n\n" + line + b"\n")
    for asked in (path, tmp_path):
        with pytest.raises(StoreError, match=r"some.jsonl, line 3: not a record") as told:
            read(asked)
        assert len(str(told.value).splitlines()) == 1


@pytest.fixture(name="small")
def limits(monkeypatch):
    """A suite is large from a few records on."""
    monkeypatch.setattr(published, "LARGE", 20_000)


@pytest.mark.usefixtures("small")
def test_large_suites_are_compressed_and_small_ones_plain(study, tmp_path):
    few, many = study(ARMS, seeds=2), study(ARMS, seeds=20)
    for name, records in (("few", few), ("many", many)):
        publish(records, tmp_path, name=name)
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == ["few.jsonl", "many.jsonl.gz"]
    assert read(tmp_path / "records") == {"few": by_id(few), "many": by_id(many)}
    packed = tmp_path / "records" / "many.jsonl.gz"
    assert read(packed) == {"many": by_id(many)}
    publish(many[::-1], tmp_path / "again", name="many")
    again = (tmp_path / "again" / "records" / packed.name).read_bytes()
    assert packed.read_bytes() == again, "the same records make the same file"
    assert again[4:8] == bytes(4), "whenever they do: no time of its making is in it"
    assert len(again) < len(gzip.decompress(again)) / 4


@pytest.mark.usefixtures("small")
def test_a_suite_that_grows_or_shrinks_stands_in_one_form(study, tmp_path):
    few, many = study(ARMS, seeds=2), study(ARMS, seeds=20)
    for records, replace, kind in ((few, False, ".jsonl"), (many, False, ".jsonl.gz"), (few, True, ".jsonl")):
        publish(records, tmp_path, name="some", replace=replace)
        assert [path.name for path in (tmp_path / "records").iterdir()] == [f"some{kind}"]
    (tmp_path / "records" / "some.jsonl.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(StoreError, match=r"some\.jsonl and some\.jsonl\.gz are of one suite: remove the older one"):
        read(tmp_path / "records")


@pytest.mark.usefixtures("small")
def test_what_contradicts_is_looked_for_in_the_file_that_there_is(study, tmp_path):
    many = study(ARMS, seeds=20)
    publish(many, tmp_path, name="many")
    other = {**many[0], "digests": {**many[0]["digests"], "result": "0" * 64}}
    with pytest.raises(
        Conflict, match=r"\(in many\.jsonl\.gz, .*the place of all that is published of many: --replace$"
    ):
        publish([other], tmp_path, name="many")
    (tmp_path / "records" / "other.jsonl").write_text(json.dumps(other))
    with pytest.raises(Conflict, match=r"\(in other\.jsonl, .*\(in many\.jsonl\.gz, "):
        read(tmp_path / "records")


def test_what_cannot_be_decompressed_is_one_line(study, tmp_path, monkeypatch):
    path = tmp_path / "some.jsonl.gz"
    whole = gzip.compress("\n".join(map(json.dumps, study(ARMS))).encode())
    for content in (whole[:-20], b"no archive", whole[:20] + b"?" * 40 + whole[60:], whole[:5]):
        path.write_bytes(content)
        with pytest.raises(StoreError) as told:
            read(path)
        assert len(str(told.value).splitlines()) == 1
    monkeypatch.setattr(published, "LONGEST", 2**20)
    monkeypatch.setattr(published, "MOST", 2**21)
    for bomb in (b" " * 2**22, b"\n" * 2**22):
        path.write_bytes(gzip.compress(bomb))
        with pytest.raises(StoreError, match="larger than any record, or than all that are published together"):
            read(path)


def test_little_holds_no_end_of_records(study, tmp_path, monkeypatch):
    """As of an archive: what is read stands in memory, and a line may have many times what an honest file has."""
    monkeypatch.setattr("bench.packed.FREE", 2**16)
    path = tmp_path / "some.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(record).encode() for record in study(ARMS))))
    assert read(path)["some"]
    path.write_bytes(gzip.compress(b" " * 2**20 + b"\n" + b" " * 2**20))
    with pytest.raises(StoreError, match="larger than any record, or than all that are published together"):
        read(path)


@pytest.mark.parametrize("name", ["\udcff", "a\nb"])
def test_a_name_that_is_no_text_is_one_line(study, tmp_path, name):
    publish(study(ARMS), tmp_path, name="some")
    (tmp_path / "records" / "some.jsonl").rename(tmp_path / "records" / f"{name}.jsonl")
    with pytest.raises(StoreError, match="is not called like a suite: rename or remove it") as told:
        read(tmp_path / "records")
    assert str(told.value).isprintable()


def test_a_pipe_is_not_waited_for(study, tmp_path):
    publish(study(ARMS), tmp_path, name="some")
    os.mkfifo(tmp_path / "records" / "more.jsonl")
    with pytest.raises(StoreError, match=r"cannot read .*more.jsonl: it is no plain file"):
        publish(study(ARMS), tmp_path, name="some")


def test_nothing_there_is_told(tmp_path):
    for asked in (tmp_path, tmp_path / "none.jsonl", tmp_path / "none"):
        with pytest.raises(StoreError, match=f"no published records in {asked}: name a folder"):
            read(asked)


def test_suites_that_contradict_each_other_are_refused(study, record, tmp_path):
    publish(study(ARMS), tmp_path / "a", name="some")
    publish([record("ticket", 1, 0, 0.1)], tmp_path / "b", name="more")
    (tmp_path / "b" / "records" / "some.jsonl").write_bytes((tmp_path / "a" / "records" / "some.jsonl").read_bytes())
    with pytest.raises(Conflict, match=r"ticket L1 s0 has two results, .*in (some|more).jsonl.*in (some|more).jsonl"):
        read(tmp_path / "b" / "records")


@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"provenance": {"stack": 2}, "digests": {"result": "0" * 64}}, "has two results"),
        ({"survival": {"initial": 0.1, "movement": -3.0}}, "has one result with two survival"),
        ({"fit": {"accuracy": 0.5}}, r"has fit in (aaa|zzz).jsonl, and not in some.jsonl"),
    ],
    ids=["stack", "survival", "fit"],
)
def test_no_file_of_another_replaces_or_adds_to_what_is_published(study, tmp_path, name, changes, told):
    """Whatever it is called, whenever it says that it ended: it is told, in one line."""
    ours = [{**each, "survival": {"initial": 0.5, "movement": 0.0}} for each in study(ARMS)]
    publish(ours, tmp_path, name="some")
    copy = {**ours[-1], "provenance": {**ours[-1]["provenance"], "end": "1999-01-01"}}
    (tmp_path / "records" / f"{name}.jsonl").write_text(json.dumps(copy))
    assert read(tmp_path / "records")[name] == [copy], "an equal one counts once"
    digests = {**copy["digests"], **changes.get("digests", {})}
    (tmp_path / "records" / f"{name}.jsonl").write_text(json.dumps({**copy, **changes, "digests": digests}))
    with pytest.raises(Conflict, match=told):
        read(tmp_path / "records")
