"""What strangers may put beside the records: one line and exit code 2, and the page as it was; or text, and nothing more."""

import copy
import json
import re
import sys

import pytest
from nodes import build_layer, with_nodes
from pages import Reader, measurement, site

from bench.__main__ import main

SCRIPT = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def records(study):
    return study({"dense": 0.0, "ticket": 0.01}, seeds=2)


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Writes files of records and of measurements, asks for the page, and gives exit code and what was said."""

    def asked(records, measured=(), *, suite="some", folder="records"):
        for name, lines in ((f"{folder}/{suite}", records), ("measured/some", measured)):
            path = tmp_path / f"{name}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"".join(_line(each) + b"\n" for each in lines))
        words = ["ticketbench", "site", "--records", str(tmp_path / folder), "--output", str(tmp_path / "index.html")]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, capsys.readouterr().err

    return asked


def _line(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def changed(record, path, value):
    forged = copy.deepcopy(record)
    *above, last = path
    inside = forged
    for step in above:
        inside = inside[step]
    inside[last] = value
    return forged


FORGED = {
    "a loss beyond all others": (("metrics", 0, "value"), 1.7e308),
    "not a number": (("metrics", 0, "value"), float("nan")),
    "a score in words": (("metrics", 0, "value"), "0.9"),
    "a memory of 400 digits": (("peak_memory_bytes",), 10**400),
    "a seed of 5,000 digits": (("spec", "seed"), 10**4_000),
    "a level below zero": (("spec", "level"), -1),
    "a count below zero": (("counts", "kept"), -1),
    "more weights than there are": (("density",), 1.5),
    "versions that are a list": (("provenance", "versions"), ["torch"]),
    "half a character": (("spec", "method", "name"), "ticket\ud800"),
    "a name of 5 MB": (("spec", "task", "name"), "vision/" + "x" * 5_000_000),
    "an unknown scale": (("spec", "task", "scale"), "galactic"),
    "a layer that is markup": (("counts", "layers", SCRIPT), {"all": 4, "prunable": 4, "kept": 2}),
    "a direction that is none": (("spec", "task", "directions", "accuracy"), "sideways"),
    "an unknown status": (("status",), SCRIPT),
    "a digest that is a path": (("digests", "result"), "../../index.html"),
    "a unit id that is markup": (("unit_id",), f'"><img src=x onerror={SCRIPT}'),
    "a field more": (("onclick",), "alert(1)"),
    "nodes that are markup": (("nodes",), [{**build_layer(), "layer": SCRIPT}]),
    "a fan-out below zero": (("nodes",), [build_layer({"fanout": [-1.0, 1.0, 1.0]})]),
    "a rank beyond the last": (("nodes",), [build_layer({"initial_rank": [1.5, 1.0, 1.0]})]),
    "weights to half a node": (("nodes",), [build_layer(students={"kept_in": [0.5, 1]})]),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_hostile_record_is_one_line_and_leaves_the_page(records, ask, tmp_path, kind):
    assert ask(records) == (0, "")
    before = (tmp_path / "index.html").read_bytes()
    code, said = ask([*records, b"", changed(records[-1], *FORGED[kind])])
    assert code == 2
    assert re.fullmatch(rf"ticketbench: .*some\.jsonl, line {len(records) + 2}: not a record .*\n", said), said
    assert len(said) < 1_000
    assert (tmp_path / "index.html").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]


@pytest.mark.parametrize(("side", "fact"), [("teachers", "fanout"), ("students", "kept_out")])
def test_nodes_whose_lists_do_not_fit_together_are_not_drawn(records, ask, tmp_path, side, fact):
    broken = build_layer()
    broken[side][fact] = [0] * 100_000
    assert ask(with_nodes(records, lambda: broken)) == (0, "")
    without = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ask(with_nodes(records)) == (0, "")
    drawn = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ['.nodes">' in page for page in (without, drawn)] == [False, True]
    assert len(without) < len(drawn)


BROKEN = {
    "no JSON": b"{",
    "bytes of no text": b'{"format": "\xff"}',
    "nested without end": b"[" * 100_000,
    "another thing": b"[]",
    "a number of 10,000 digits": b"1" * 10_000,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_named(records, ask, kind):
    code, said = ask([*records, BROKEN[kind]])
    assert code == 2
    assert re.fullmatch(rf"ticketbench: .*some\.jsonl, line {len(records) + 1}: not a record .*\n", said), said


def test_two_results_of_one_unit_are_a_conflict_and_leave_the_page(records, ask, tmp_path):
    """A copy with a later date and a worse score would replace the honest one."""
    assert ask(records) == (0, "")
    before = (tmp_path / "index.html").read_bytes()
    other = changed(changed(records[-1], ("metrics", 0, "value"), 0.1), ("digests", "result"), "0" * 64)
    other["provenance"]["end"] = "2030-01-01T00:00:00+00:00"
    code, said = ask([*records, other])
    assert code == 2
    assert said.count("\n") == 1
    assert {records[-1]["digests"]["result"][:12], "0" * 12} <= set(re.findall("[0-9a-f]{12}", said))
    assert (tmp_path / "index.html").read_bytes() == before


def test_an_equal_copy_changes_no_number(records, ask, tmp_path):
    assert ask(records) == (0, "")
    before = (tmp_path / "index.html").read_bytes()
    assert ask([*records, *records]) == (0, "")
    assert (tmp_path / "index.html").read_bytes() == before


MISMEASURED = {
    "a score beyond all others": {"measured": 1.7e308, "equal": False},
    "a score of 400 digits": {"measured": 10**400, "equal": False},
    "an unknown kind": {"how": SCRIPT},
    "a metric that is markup": {"metric": SCRIPT},
    "half a character": {"provenance": {"machine": "\ud800"}},
    "5 MB of machine": {"provenance": {"machine": "x" * 5_000_000}},
    "a digest that is a path": {"result": "../../index.html"},
}


@pytest.mark.parametrize("kind", MISMEASURED)
def test_a_hostile_measurement_is_one_line_and_leaves_the_page(records, ask, tmp_path, kind):
    assert ask(records, [measurement(records[0])]) == (0, "")
    before = (tmp_path / "index.html").read_bytes()
    code, said = ask(records, [measurement(records[0]), measurement(records[1], **MISMEASURED[kind])])
    assert code == 2
    assert re.fullmatch(r"ticketbench: .*measured/some\.jsonl, line 2: not a measurement .*\n", said), said
    assert len(said) < 1_000
    assert (tmp_path / "index.html").read_bytes() == before


@pytest.mark.parametrize("name", ['" onfocus="x', "' onfocus='x", "x onfocus=x", "><b onfocus=x>", "&quot; onfocus=x"])
def test_a_name_cannot_leave_its_attribute_or_its_cell(record, task, name):
    def page(name):
        of = task(name=f"vision/{name}", metric=name, directions={name: "max", "loss": "min"}, source=name)
        arms = [("dense", 0), ("ticket", 1), ("random-ticket", 1), (name, 1)]
        records = [record(method, level, seed, 0.9, task=of) for method, level in arms for seed in range(3)]
        for each in records:
            each["counts"]["layers"][name] = {"all": 4, "prunable": 4, "kept": 2}
        return Reader(site({name: records}, [], records_url="records"))

    hostile, harmless = page(name), page("harmless")
    assert {(tag, *attributes) for tag, attributes in hostile.tags} == {
        (tag, *attributes) for tag, attributes in harmless.tags
    }
    assert f"vision/{name}" in {attributes.get("data-t") for _, attributes in hostile.tags}


@pytest.mark.parametrize(
    "suite", ["..", "javascript:alert(1)", '"><script>alert(1)<', "a?b#c&d", "%2e%2e%2f", "\\\\host\\x"]
)
def test_a_suite_with_the_name_of_a_path_leads_into_the_folder_of_records_only(records, ask, tmp_path, suite):
    assert ask(records, suite=suite) == (0, "")
    found = Reader((tmp_path / "index.html").read_text(encoding="utf-8"))
    (way,) = found.outside
    assert re.fullmatch(r"records/[\w.%()~-]+\.jsonl", way)
    assert "/../" not in way.replace("%2F", "/").replace("%2f", "/")


def test_a_suite_from_elsewhere_leads_to_no_other_folder(records):
    assert Reader(site({"../../x": records}, [], records_url="records")).outside == {"records/..%2F..%2Fx.jsonl"}


def test_a_folder_with_the_name_of_a_script_is_a_folder(records, ask, tmp_path):
    assert ask(records, folder="javascript:alert(1)") == (0, "")
    found = Reader((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert found.outside == {"javascript%3Aalert%281%29/some.jsonl"}
