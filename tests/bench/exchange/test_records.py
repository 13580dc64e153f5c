"""Records, curves and stores from an enemy: each one line of `verify` and exit code 1, or one line and exit code 2."""

import json

import pytest

UNIT = "toy/chain/random-ticket/s0"


def edit(file, change):
    def spoil(root):
        path = next((root / UNIT).glob("L03-*")) / file
        told = json.loads(path.read_text())
        text = change(told)
        path.write_text(text if isinstance(text, str) else json.dumps(told))

    return spoil


def field(*path, value):
    def change(told):
        inside = told
        for name in path[:-1]:
            inside = inside[name]
        inside[path[-1]] = value

    return edit("record.json", change)


def number(name, text):
    return edit("record.json", lambda told: json.dumps({**told, name: "here"}).replace('"here"', text))


def point(text):
    def spoil(root):
        path = next((root / UNIT).glob("L03-*")) / "record.json"
        path.write_text(path.read_text().replace('"curve": [', f'"curve": [{text},'))

    return spoil


def mark(value):
    return lambda root: (root / "store.json").write_text(json.dumps(value))


HOSTILE = [
    (field("metrics", 0, "value", value=1.7e308), 1, "Expected `float` <= 1e+60 - at `$.metrics[0].value`"),
    (field("metrics", 0, "value", value=-(10**300)), 1, "at `$.metrics[0].value`"),
    (field("metrics", value=[]), 1, "its result digest is not that of its metrics"),
    (field("provenance", "versions", value="2.14"), 1, "Expected `object`, got `str` - at `$.provenance.versions`"),
    (field("provenance", "versions", value=[]), 1, "Expected `object`, got `array` - at `$.provenance.versions`"),
    (field("provenance", "versions", value={"torch": {}}), 1, "got `object` - at `$.provenance.versions[...]`"),
    (field("provenance", "threads", value=-1), 1, "Expected `int` >= 0 - at `$.provenance.threads`"),
    (field("provenance", "end", value="9999"), 1, "at `$.provenance.end`"),
    (field("provenance", "device", value="\x1b]0;x\x07"), 1, "is no printable text - at `$.provenance.device`"),
    (number("peak_memory_bytes", "1" + "0" * 400), 1, "Expected `int` <= 9007199254740992 - at `$.peak_memory_bytes`"),
    (number("peak_memory_bytes", "1" + "0" * 9000), 1, "Integer value out of range"),
    (number("peak_memory_bytes", "-5"), 1, "Expected `int` >= 0 - at `$.peak_memory_bytes`"),
    (number("wall_seconds", "NaN"), 1, "JSON is malformed"),
    (number("wall_seconds", "1e999"), 1, "Number out of range"),
    (number("flops", "1e300"), 1, "Expected `float` <= 1e+60 - at `$.flops`"),
    (number("density", "2"), 1, "at `$.density`"),
    (number("steps", "-1"), 1, "Expected `int` >= 0 - at `$.steps`"),
    (number("nulls", "[" * 50_000), 1, "Expected `object`, got `array` - at `$.nulls`"),
    (number("reason", '"' + "x" * 10**6 + '"'), 1, "Expected `str` of length <= 2000 - at `$.reason`"),
    (number("overlap", '"all"'), 1, "at `$.overlap`"),
    (number("more", "1"), 1, "is no field there - at `$`"),
    (field("counts", "layers", value={"a\u202eb": {"all": 1, "prunable": 1, "kept": 1}}), 1, "no printable text"),
    (field("counts", "kept", value=10**19), 1, "at `$.counts.kept`"),
    (field("spec", "level", value=10**9), 1, "Expected `int` <= 10000 - at `$.spec.level`"),
    (field("spec", "task", "tolerance", value=1e308), 1, "at `$.spec.task.tolerance`"),
    (field("spec", "task", "pruning", value=None), 1, "Expected `object`, got `null` - at `$.spec.task.pruning`"),
    (field("spec", "method", "options", value={"a": [[[[[[[[1]]]]]]]]}), 1, "at `$.spec.method.options"),
    (field("digests", value=[]), 1, "Expected `object`, got `array` - at `$.digests`"),
    (point('{"step":1,"updates":1,"metrics":{"test":{"accuracy":1.7e308}}}'), 1, "<= 1e+60 - at `$.curve[0].metrics[...][...]"),
    (point('{"step":-1,"updates":1,"metrics":{}}'), 1, "Expected `int` >= 0 - at `$.curve[0].step`"),
    (point("[" * 100_000), 1, "Expected `object`, got `array`"),
    (field("curve", value=None), 1, "Expected `array`, got `null` - at `$.curve`"),
    (field("format", value=1), 1, "record.json cannot be read: a record of format 1 holds no curve"),
    (edit("record.json", lambda told: told.pop("curve") and None), 1, "a record of format 2 holds its curve"),
    (mark({"format": 1, "suite": {"name": "../../x", "title": "", "tasks": []}}), 2, "at `$.suite.name`"),
    (mark({"format": 1, "suite": "toy"}), 2, "Expected `object`, got `str` - at `$.suite`"),
    (mark({"format": 10**30}), 2, "was written by a newer ticketbench"),
    (mark({"format": True}), 2, "store.json cannot be read"),
    (mark([]), 2, "store.json cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize("which", range(len(HOSTILE)))
def test_a_hostile_record_is_a_line_and_an_exit_code(command, runs, which):
    spoil, expected, said = HOSTILE[which]
    spoil(runs)
    code, out, err = command("verify", runs)
    assert code == expected
    assert any(said in line for line in (out + err).splitlines()), out + err
    assert "Traceback" not in out + err
    assert all(line.isprintable() and len(line) < 1200 for line in (out + err).splitlines())
    if expected == 2:
        assert (out, err.count("\n")) == ("", 1)


def test_no_hostile_record_moves_a_row_of_the_others(command, runs):
    """What is no record is no row; the table of the others stays as it would be without it."""
    import shutil

    spoil = HOSTILE[0][0]
    shutil.copytree(runs, runs.with_name("without"))
    shutil.rmtree(next((runs.with_name("without") / UNIT).glob("L03-*")))
    spoil(runs)
    tables = [command("table", "--store", root, "--format", "csv") for root in (runs, runs.with_name("without"))]
    assert tables[0] == tables[1]
    assert tables[0][0] == 0
