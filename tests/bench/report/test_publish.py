"""Published files: the records without weights, and tables and figures that follow from them."""

import json

import pytest

from bench.errors import Conflict, SpecError, StoreError
from bench.report.publish import publish, refresh
from bench.report.published import read
from bench.report.table.render import render


def test_what_is_published_gives_the_tables_again(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01, "random-ticket": -0.01}, levels=(1, 3))
    paths = publish(records, tmp_path, name="some")
    assert [str(path.relative_to(tmp_path)) for path in paths[:3]] == [
        "records/some.jsonl",
        "tables/some.csv",
        "tables/some.md",
    ]
    assert {path.suffix for path in paths[3:]} == {".svg", ".png"}
    (published,) = read(paths[0]).values()
    assert [record["unit_id"] for record in published] == sorted(record["unit_id"] for record in records)
    for path in paths[1:3]:
        assert path.read_text() == render(published, path.suffix[1:])


def test_the_order_of_records_changes_no_byte(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01})
    one = publish(records, tmp_path / "one", name="some")
    two = publish(records[::-1], tmp_path / "two", name="some")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_publishing_in_parts_gives_the_whole(study, tmp_path):
    records = study({"dense": 0.0, "ticket": 0.01})
    whole = publish(records, tmp_path / "whole", name="some")
    publish(records[::2], tmp_path / "parts", name="some")
    parts = publish(records[1::2], tmp_path / "parts", name="some")
    assert [path.read_bytes() for path in parts] == [path.read_bytes() for path in whole]


def test_an_equal_result_that_comes_again_changes_nothing(study, tmp_path):
    first, *rest = study({"dense": 0.0, "ticket": 0.01})
    paths = publish([first, *rest], tmp_path, name="some")
    before = [path.read_bytes() for path in paths]
    again = publish([{**first, "wall_seconds": 2.0, "provenance": {"end": "2099"}}], tmp_path, name="some")
    assert [path.read_bytes() for path in again] == before


def _content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["some", "other"])
@pytest.mark.parametrize("end", ["1999", "2099"])
def test_another_result_of_a_published_unit_is_refused_and_nothing_is_written(study, record, tmp_path, name, end):
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="some")
    before = _content(tmp_path)
    fresh = record("random-ticket", 1, 0, 0.5)
    forged = record("ticket", 1, 0, 0.2, provenance={"end": end, "machine": "elsewhere"})
    with pytest.raises(Conflict) as told:
        publish([fresh, forged], tmp_path, name=name)
    assert _content(tmp_path) == before
    assert forged["digests"]["result"][:12] in str(told.value)
    assert "in some.jsonl" in str(told.value)
    assert "in what is to be published" in str(told.value)


@pytest.mark.parametrize("name", ["some", "other"])
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_written(study, tmp_path, name):
    records = study({"dense": 0.0, "ticket": 0.01})
    path = publish(records, tmp_path, name="some")[0]
    path.write_bytes(path.read_bytes() + b"\n{spoilt\n")
    before = _content(tmp_path)
    with pytest.raises(StoreError, match=rf"some.jsonl, line {len(records) + 2}: not a record"):
        publish(records, tmp_path, name=name)
    with pytest.raises(StoreError, match=rf"some.jsonl, line {len(records) + 2}: not a record"):
        refresh(tmp_path)
    assert _content(tmp_path) == before


def test_nothing_is_replaced_before_everything_is_made(study, tmp_path, monkeypatch):
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="some")
    before = _content(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.report.figures.plots.plot", full)
    with pytest.raises(StoreError, match="No space left on device; name another --output"):
        publish(study({"reinit": 0.0}), tmp_path, name="some")
    assert _content(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plots", "records", "tables"]


def test_everything_is_made_again_from_the_records_that_lie_there(study, tmp_path):
    first = publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="some")
    second = publish(study({"dense": 0.0, "ticket": 0.02}, name="vision/other"), tmp_path, name="more")
    before = {path: path.read_bytes() for path in (*first, *second)}
    for path in before:
        if path.suffix != ".jsonl":
            path.write_text("spoilt")
    again = refresh(tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    assert set(again) == {*before, tmp_path / "tables" / "claims.md"}
    assert "| F1-4 | not run |" in (tmp_path / "tables" / "claims.md").read_text()
    with pytest.raises(StoreError, match="no published records in .*nowhere"):
        refresh(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["claims", "some-bootstrap", "SOME"])
def test_a_first_suite_of_a_name_writes_over_no_file_of_something_else(study, tmp_path, name):
    records = study({"dense": 0.0, "ticket": 0.01})
    publish(records, tmp_path, name="some")
    refresh(tmp_path)
    (tmp_path / "tables" / "some-bootstrap.csv").touch()
    (tmp_path / "tables" / "SOME.md").touch()  # where letters have no case, it is that of `some`
    before = _content(tmp_path)
    with pytest.raises(
        SpecError, match=rf"tables/{name}.* is there already, and no records of a suite {name} are: give it another"
    ):
        publish(records, tmp_path, name=name)
    assert _content(tmp_path) == before
    assert publish(records, tmp_path, name="some"), "its own are"


def test_no_suite_shares_its_table_with_the_verdicts(study, tmp_path):
    """Not in an empty folder either, nor if its records were put there by hand."""
    records = study({"dense": 0.0, "ticket": 0.01})
    with pytest.raises(SpecError, match="a suite named claims would share its table with the verdicts"):
        publish(records, tmp_path, name="claims")
    publish(records, tmp_path, name="some")
    (tmp_path / "records" / "some.jsonl").rename(tmp_path / "records" / "claims.jsonl")
    before = _content(tmp_path)
    with pytest.raises(SpecError, match="give it another name"):
        refresh(tmp_path)
    assert _content(tmp_path) == before


def test_what_is_measured_since_is_published_suite_by_suite(study, tmp_path):
    """In between, copies tell more and less of one unit: whoever reads them all is told which suite is left."""
    records = study({"dense": 0.0, "ticket": 0.01})
    newer = [{**each, "survival": {"initial": 0.5, "movement": 0.0}} for each in records]
    for name in ("one", "two"):
        publish(records, tmp_path, name=name)
    publish(newer, tmp_path, name="two")
    with pytest.raises(Conflict, match=r"has survival in two.jsonl, and not in one.jsonl: publish both again"):
        refresh(tmp_path)
    publish(newer, tmp_path, name="one")
    assert all("survival" in each for suite in read(tmp_path / "records").values() for each in suite)


# A suite of one's own that was run again.


@pytest.fixture(name="rerun")
def published_and_run_again(study, tmp_path):
    """A suite and another whose name begins alike are published; the first comes again with other results, and less."""
    items = {"metric": "bleu", "split": "test", "signature": "", "statistics": ["10 10 9 8 7 6"] * 3}
    first = [{**each, "items": items} for each in study({"dense": 0.0, "ticket": 0.01})]
    publish([*first, *study({"dense": 0.0}, name="rl/toy")], tmp_path, name="mine")
    publish(study({"dense": 0.0, "ticket": 0.01}, name="vision/other"), tmp_path, name="mine-too")
    return study({"dense": -0.1, "ticket": -0.2})


def test_a_rerun_takes_the_place_of_all_that_was_published_of_the_suite(rerun, tmp_path):
    before = _content(tmp_path)
    gone = {tmp_path / "tables/mine-bootstrap.csv", *(tmp_path / "plots").glob("mine-rl-toy.*")}
    assert gone < set(before)
    assert len(gone) == 3
    with pytest.raises(Conflict, match=r"in mine.jsonl.*or put these in the place of all .* of mine: --replace$"):
        publish(rerun, tmp_path, name="mine")
    assert _content(tmp_path) == before
    written = publish(rerun, tmp_path, name="mine", replace=True)
    after = _content(tmp_path)
    assert set(after) == set(before) - gone
    others = {path for path in before if path.name.startswith("mine-too")}
    assert {path for path in after if after[path] == before[path]} == others
    fresh = publish(rerun, tmp_path / "fresh", name="mine")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in fresh]
    assert publish(rerun, tmp_path, name="mine", replace=True) == written
    assert _content(tmp_path / "tables").keys() == {path for path in after if path.parent.name == "tables"}


def test_figures_go_whose_names_no_longer_follow(study, tmp_path):
    """A task has its scale in the name of its figure once there are two: the one without it would be of long ago for ever."""
    small = study({"dense": 0.0, "ticket": 0.01})
    publish(small, tmp_path, name="mine")
    publish(small, tmp_path, name="mine-too")
    for yours in ("yours-vision-toy.svg", "mine-notes.txt"):
        (tmp_path / "plots" / yours).touch()
    before = _content(tmp_path).keys()
    written = publish(study({"dense": 0.0, "ticket": 0.01}, scale="paper"), tmp_path, name="mine")
    gone = before - _content(tmp_path).keys()
    assert sorted(path.name for path in gone) == ["mine-vision-toy.png", "mine-vision-toy.svg"]
    (tmp_path / "plots" / "mine-vision-toy.svg").touch()
    refresh(tmp_path)
    assert _content(tmp_path).keys() == (before - gone) | set(written) | {tmp_path / "tables" / "claims.md"}


def test_a_suite_that_is_named_like_the_figures_of_another_takes_none_away(study, tmp_path):
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="mine")
    for _ in range(2):
        publish(study({"dense": 0.0, "ticket": 0.01}, name="vision/other"), tmp_path, name="mine-vision")
    assert {path.name for path in (tmp_path / "plots").glob("*.svg")} == {
        "mine-vision-toy.svg", "mine-vision-vision-other.svg",
    }  # fmt: skip


@pytest.mark.parametrize("replace", [False, True])
def test_replacing_is_no_way_around_a_conflict_with_another_suite(rerun, study, tmp_path, replace):
    stays = study({"dense": 0.0, "ticket": 0.01}, seeds=1)
    publish(stays, tmp_path, name="theirs")
    before = _content(tmp_path)
    with pytest.raises(Conflict, match=r"in theirs.jsonl.*remove the one that is wrong$"):
        publish(rerun, tmp_path, name="mine", replace=replace)
    assert _content(tmp_path) == before


def test_nothing_makes_place_before_everything_is_made(rerun, tmp_path, monkeypatch):
    before = _content(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.report.figures.plots.plot", full)
    with pytest.raises(StoreError, match="No space left on device"):
        publish(rerun, tmp_path, name="mine", replace=True)
    assert _content(tmp_path) == before


def test_a_suite_that_cannot_be_read_any_more_can_be_replaced(rerun, tmp_path):
    (tmp_path / "records" / "mine.jsonl").write_bytes(b"{spoilt")
    publish(rerun, tmp_path, name="mine", replace=True)
    assert len(read(tmp_path / "records")["mine"]) == len(rerun)


# What somebody else's suite does to the files of one that is published.


def test_a_figure_of_another_suite_is_not_drawn_over(study, tmp_path):
    """`lth-mnist` of one task and `lth-mnist` of a domain `mnist`: names meet where one goes on and the other begins."""
    ours = study({"dense": 0.0, "ticket": 0.01}, name="vision/lenet")
    theirs = study({"dense": 0.0, "ticket": -0.5}, name="mnist/vision-lenet")
    publish(ours, tmp_path, name="lth-mnist")
    before = _content(tmp_path)
    with pytest.raises(
        SpecError, match=r"plots/lth-mnist-vision-lenet.svg is a file of suite lth-mnist, too: give lth"
    ):
        publish(theirs, tmp_path, name="lth", apart=True)
    assert _content(tmp_path) == before
    (tmp_path / "records" / "lth.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in theirs))
    before = _content(tmp_path)
    with pytest.raises(SpecError, match=r"suites lth-mnist and lth both make plots/lth-mnist-vision-lenet.svg"):
        refresh(tmp_path)
    assert _content(tmp_path) == before


def test_a_figure_of_a_task_that_is_not_installed_is_its_suites(study, tmp_path):
    """By its name it could be one of `mine`, of a task that is gone: it goes with no other suite than its own."""
    kept = publish(study({"dense": 0.0, "ticket": 0.01}, name="nowhere/toy"), tmp_path, name="mine-vision")
    for _ in range(2):
        publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="mine")
    assert all(path.exists() for path in kept)


def test_a_table_of_another_suite_is_nobodys_name(study, tmp_path):
    """Not even before there is one: it comes with the first record that keeps its test items."""
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="mine")
    with pytest.raises(SpecError, match=r"tables/mine-bootstrap.csv is a file of suite mine, too: give mine-bootstrap"):
        publish(study({"dense": 0.0}, name="vision/other"), tmp_path, name="mine-bootstrap", apart=True)


def test_no_file_is_moved_where_one_has_no_place(study, tmp_path):
    (tmp_path / "tables" / "mine.md").mkdir(parents=True)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "mine.jsonl").write_text("")
    with pytest.raises(StoreError, match="Is a directory; name another --output"):
        publish(study({"dense": 0.0}), tmp_path, name="mine")
    assert not (tmp_path / "records" / "mine.jsonl").read_text()


def test_a_name_is_no_pattern(study, tmp_path):
    publish(study({"dense": 0.0, "ticket": 0.01}), tmp_path, name="mine")
    for name in ("**mine", "[a", "*"):
        records = study({"dense": 0.0}, name=f"vision/{len(name)}")
        (tmp_path / "records" / f"{name}.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
    assert tmp_path / "tables" / "**mine.csv" in refresh(tmp_path)
    assert (tmp_path / "tables" / "mine.csv").exists()


def test_an_archive_that_holds_ours_too_joins_it_not(study, tmp_path):
    """Nor does one of the same units take the name over; what whoever keeps the board says is of one submitter is."""
    ours, more = study({"dense": 0.0, "ticket": 0.01}), study({"dense": 0.0, "ticket": 0.01}, seeds=4)
    publish(ours, tmp_path, name="some", submitter="we")
    before = _content(tmp_path)
    for records, submitter in ((more, None), (more, "they"), (ours, "they"), (ours[1:], None)):
        with pytest.raises(
            SpecError, match=r"some.jsonl is published already, submitted by we: give it a name of its own"
        ):
            publish(records, tmp_path, name="some", apart=True, submitter=submitter)
        assert _content(tmp_path) == before
    publish(ours, tmp_path, name="some", apart=True)
    assert _content(tmp_path) == before, "the same again"
    publish(more, tmp_path, name="some", apart=True, submitter="we")
    assert len(read(tmp_path / "records")["some"]) == len(more)


def test_what_could_not_be_read_beside_the_others_is_not_published(study, tmp_path):
    """A suite of somebody else's that tells more of a published unit, or less, would stop whoever reads them all."""
    ours = study({"dense": 0.0, "ticket": 0.01})
    more = [{**each, "survival": {"initial": 0.5, "movement": 0.0}} for each in ours]
    for place, (own, theirs) in enumerate(((ours, more), (more, ours))):
        folder = tmp_path / str(place)
        publish(own, folder, name="ours")
        with pytest.raises(Conflict, match="has survival in .*, and not in "):
            publish(theirs, folder, name="theirs", apart=True)
        assert read(folder / "records").keys() == {"ours"}


def test_a_copy_that_says_it_is_older_takes_no_place(study, tmp_path):
    """Equal copies count once; whoever sends one writes its times, so that what stands there is what is repeated."""
    ours = study({"dense": 0.0, "ticket": 0.01})
    publish(ours, tmp_path, name="ours")
    before = read(tmp_path / "records")["ours"]
    forged = {"provenance": {"end": "1970-01-02", "cpu": "a stranger's"}, "nulls": {"accuracy": "withdrawn"}}
    more = study({"dense": 0.0}, name="vision/zoo")
    publish([{**each, **forged} for each in (*ours, *more)], tmp_path, name="theirs", apart=True)
    theirs = read(tmp_path / "records")["theirs"]
    assert [each for each in theirs if each["provenance"] != forged["provenance"]] == before
    assert render([*before, *theirs], "md").startswith(render(before, "md"))
