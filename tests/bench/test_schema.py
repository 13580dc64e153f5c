"""What is read from anybody fits its types and their bounds, or is refused in one line that names the place."""

import gzip
import json
import time
from copy import deepcopy
from pathlib import Path

import pytest

from bench.record import CurvePoint, Measurement, Record
from bench.report.published import files
from bench.schema import LARGEST, decode
from bench.spec import SPEC_VERSION, Method, Pruning, Task, Unit, to_json

RECORDS = Path(__file__).parents[2] / "results/records"


@pytest.fixture(scope="module")
def lines():
    found = [(path, path.read_bytes()) for path in files(RECORDS).values()]
    plain = [gzip.decompress(content) if path.suffix == ".gz" else content for path, content in found]
    return [line for content in plain for line in content.splitlines()]


@pytest.fixture
def honest(lines):
    return json.loads(lines[0])


def test_every_published_record_is_read_exactly_as_it_was_written(lines):
    for line in lines:
        assert repr(decode(line, Record)) == repr(json.loads(line))


def test_reading_with_checks_takes_about_as_long_as_reading_without(lines):
    def seconds(read):
        begun = time.perf_counter()
        for line in lines[:400]:
            read(line)
        return time.perf_counter() - begun

    decode(lines[0], Record)
    ratios = [seconds(lambda line: decode(line, Record)) / seconds(json.loads) for _ in range(5)]
    assert min(ratios) < 4


def place(*path, value):
    """Another value somewhere in a record; a `str` that begins with `=` is JSON of its own."""

    def change(record):
        inside = record
        for each in path[:-1]:
            inside = inside[each]
        inside[path[-1]] = "\x01" if str(value).startswith("=") else value
        text = json.dumps(record)
        return text.replace('"\\u0001"', value[1:]) if str(value).startswith("=") else text

    return change


LOSS = ("metrics", 0, "value")
MISFITS = [
    (place(*LOSS, value=1.7e308), "Expected `float` <= 1e+60 - at `$.metrics[0].value`"),
    (place(*LOSS, value=-1e101), "Expected `float` >= -1e+60 - at `$.metrics[0].value`"),
    (place(*LOSS, value=10**200), "- at `$.metrics[0].value`"),
    (place(*LOSS, value="=NaN"), "JSON is malformed"),
    (place(*LOSS, value="=1e999"), "Number out of range - at `$.metrics[0].value`"),
    (place(*LOSS, value=True), "got `bool` - at `$.metrics[0].value`"),
    (place("metrics", 0, "direction", value="up"), "Invalid enum value 'up' - at `$.metrics[0].direction`"),
    (place("provenance", "versions", value="torch 2"), "Expected `object`, got `str` - at `$.provenance.versions`"),
    (place("provenance", "versions", value={"torch": 2}), "Expected `str`, got `int` - at `$.provenance.versions[...]`"),
    (place("provenance", "end", value="yesterday"), "matching regex"),
    (place("provenance", "more", value=1), "'more' is no field there - at `$.provenance`"),
    (place("peak_memory_bytes", value="=1" + "0" * 400), "- at `$.peak_memory_bytes`"),
    (place("peak_memory_bytes", value="=1" + "0" * 6000), "Integer value out of range"),
    (place("counts", "kept", value=-1), "Expected `int` >= 0 - at `$.counts.kept`"),
    (place("counts", "layers", value={"<b>": {"all": 1, "prunable": 1, "kept": 1}}), "matching regex"),
    (place("density", value=1.5), "Expected `float` <= 1.0 - at `$.density`"),
    (place("wall_seconds", value="=-Infinity"), "JSON is malformed"),
    (place("reason", value="x" * 2001), "Expected `str` of length <= 2000 - at `$.reason`"),
    (place("reason", value="\x1b[2J"), "is no printable text - at `$.reason`"),
    (place("reason", value="a\nb"), "is no printable text - at `$.reason`"),
    (place("reason", value="\u202eevil"), "is no printable text - at `$.reason`"),
    (place("nulls", value={"\u202e": "x"}), "is no printable text - at `$.nulls`"),
    (place("reason", value="\ud800"), "surrogate"),
    (place("more", value=1), "'more' is no field there - at `$`"),
    (place("spec", "task", "more", value=1), "'more' is no field there - at `$.spec.task`"),
    (place("spec", "task", "tolerance", value=1e200), "- at `$.spec.task.tolerance`"),
    (place("spec", "task", "pruning", "rate", value="half"), "- at `$.spec.task.pruning.rate`"),
    (place("spec", "task", "config", value="=" + '{"a":' * 8 + "1" + "}" * 8), "- at `$.spec.task.config"),
    (place("spec", "method", "options", value={"a": 1e300}), "- at `$.spec.method.options[...]`"),
    (place("spec", "level", value=10**6), "Expected `int` <= 10000 - at `$.spec.level`"),
    (place("spec", "seed", value=-1), "Expected `int` >= 0 - at `$.spec.seed`"),
    (place("spec", "spec_version", value=2), "Invalid enum value 2 - at `$.spec.spec_version`"),
    (place("format", value=3), "Invalid enum value 3 - at `$.format`"),
    (place("items", value={"metric": "bleu", "split": "test", "signature": "", "statistics": ["9 9 9 8 7 6"] * 20_001}), "Expected `array` of length <= 20000 - at `$.items.statistics`"),
    (place("unit_id", value="0" * 63), "matching regex"),
    (place("parents", value={"0" * 64: "x"}), "matching regex"),
    (lambda record: json.dumps({key: record[key] for key in record if key != "flops"}), "missing required field `flops`"),
    (lambda _: "[" * 100_000, "Expected `object`, got `array`"),
    (lambda _: '{"spec":' * 100_000, "nested too deeply"),
    (lambda _: b"\xff", "JSON is malformed"),
    (lambda _: "", "truncated"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MISFITS)))
def test_a_misfit_is_refused_in_one_line_that_names_its_place(honest, number):
    change, said = MISFITS[number]
    with pytest.raises(ValueError) as refused:
        decode(change(deepcopy(honest)), Record)
    line = str(refused.value)
    assert said in line
    assert line.isprintable()
    assert len(line) < 500


def test_numbers_keep_their_kind():
    """1 and 1.0 have different digests."""
    point = decode('{"step":1,"updates":1,"metrics":{"val":{"loss":1,"nll":1.0}}}', CurvePoint)
    assert [type(value) for value in point["metrics"]["val"].values()] == [int, float]


def test_the_largest_numbers_can_be_summed_and_squared():
    assert sum([LARGEST] * 10**4) ** 2 < float("inf")


def test_whatever_a_spec_says_is_read_again():
    task = Task(
        name="a/b", scale="smoke", config={"a": [1, {"b": None}], "c": 1.0}, budget=3, evaluate_every=1,
        pruning=Pruning(rates={"x.*": 0.5}, exempt=("y",)), metric="m", directions={"m": "max"}, tolerance=1,
        chance=0.0, constant_rate=True,
    )  # fmt: skip
    method = Method(name="mine", mask="a:b", weights="fresh", training="full", parents=("dense",), options={"k": 1})
    unit = Unit(task=task, method=method, level=2, seed=3, parents={"dense": "0" * 64})
    assert Unit.from_spec(json.loads(json.dumps(unit.spec()))) == unit
    assert unit.spec()["spec_version"] == SPEC_VERSION
    assert to_json(Unit.from_spec(unit.spec()).task) == to_json(task)


def test_a_measurement_is_of_one_record():
    told = {
        "unit_id": "0" * 64, "result": "1" * 64, "how": "replay", "metric": "accuracy", "split": "test", "claimed": 1.0,
        "measured": None, "equal": False, "believed": ["mask"], "provenance": {},
    }  # fmt: skip
    assert decode(json.dumps(told), Measurement) == told
    for wrong in ({"result": None}, {"believed": ["curve"]}, {"equal": 1}, {"measured": 1e200}, {"how": "guess"}):
        with pytest.raises(ValueError):
            decode(json.dumps({**told, **wrong}), Measurement)
