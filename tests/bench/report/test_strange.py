"""What readers accept breaks no report: a strange record or table is refused in one line, or shown as it is."""

import copy
import json

import pytest
from pages import site

from bench.errors import StoreError, TicketBenchError
from bench.record import StoredRecord, decode_record
from bench.report.claims.definitions import load_claims
from bench.report.claims.verdicts import judge
from bench.report.published import read
from bench.report.regression.gates import compare_sides
from bench.report.regression.review import review
from bench.report.regression.side import of_records
from bench.report.table.render import render
from bench.schema import LARGEST
from bench.spec import unit_id
from bench.verbs.compare import _side

ARMS = {"dense": 0.0, "ticket": 0.01, "random-ticket": -0.02, "reinit": -0.01, "shuffled": -0.01}


def lacks(*path):
    def change(records):
        for record in records:
            inside = record
            for step in path[:-1]:
                inside = inside[step]
            del inside[path[-1]]

    return change


def has(*path, value):
    def change(records):
        inside = records[0]
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = value

    return change


REFUSED = {
    "a task without its version": (lacks("spec", "task", "version"), "missing required field `version`"),
    "a pruning without its exemptions": (lacks("spec", "task", "pruning", "exempt"), "missing required field `exempt`"),
    "a task without its split": (lacks("spec", "task", "split"), "missing required field `split`"),
    "a task without deviations": (lacks("spec", "task", "deviations"), "missing required field `deviations`"),
    "a method without options": (lacks("spec", "method", "options"), "missing required field `options`"),
    "a source that is a list": (has("spec", "method", "options", value={"source": ["x"]}), r"has source \['x'\]"),
    "code that is a number": (has("spec", "method", "options", value={"code_sha256": 5}), "has code_sha256 5"),
    "no reading": (has("spec", "task", "at", value=[]), "vision/toy reads no score"),
    "a month too many": (has("provenance", "start", value="2024-13-45T00:00:00"), "no time 2024-13-45T00:00:00"),
    "a day before the calendar": (has("provenance", "end", value="0000-01-01T00:00:00"), "no time 0000-01-01"),
    "more kept than may be pruned": (
        has("counts", "layers", "fc1.weight", "prunable", value=0),
        r"fc1.weight keeps \d+ of 0 prunable",
    ),
    "an id of another spec": (
        has("unit_id", value="0" * 64),
        "the id of its spec is [0-9a-f]{10}, the record says 0000000000",
    ),
    "a density of other counts": (
        has("density_weights", value=0.5),
        "its density_weights is 1 by its counts, the record",
    ),
    "no weight that may be pruned": (has("counts", "prunable", value=0), r"its network has no weights \(prunable\)"),
    "a score beyond all others": (has("metrics", 0, "value", value=2 * LARGEST), "Expected `float` <= 1e"),
}


@pytest.fixture
def published(study, tmp_path):
    """Writes a file of records, five arms of four seeds of one task, changed and in a folder of its own."""

    def write(change=lambda records: None, name="some"):
        records = [json.loads(json.dumps(record)) for record in study(ARMS, seeds=4, levels=(1, 2))]
        change(records)
        path = tmp_path / name / "some.jsonl"
        path.parent.mkdir()
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        return path

    return write


def reports(records):
    """Every report that is made of records."""
    for style in ("md", "csv", "tex", "json", "html", "rliable"):
        render(records, style)
    site({"some": records}, judge(load_claims(), records))
    seeds = (range(3), range(1, 4))
    parts = ([record for record in records if record["spec"]["seed"] in part] for part in seeds)
    review(compare_sides(*(of_records("x", part) for part in parts)), "md")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_record_that_no_report_can_take_is_refused_where_it_is_read(published, kind):
    change, said = REFUSED[kind]
    with pytest.raises(StoreError, match=said) as told:
        read(published(change))
    assert len(str(told.value).splitlines()) == 1


def test_a_store_reads_records_as_published_ones_are_read(study):
    record = {**study(ARMS)[0], "format": 2, "curve": []}
    text = json.dumps(record)
    assert decode_record(text, StoredRecord) == record
    bad = copy.deepcopy(record)
    bad["spec"]["task"] |= {"at": ["final", "early-stop"], "select": "nope"}
    with pytest.raises(ValueError, match="selects by 'nope': measured are accuracy, loss"):
        decode_record(json.dumps(bad), StoredRecord)


def test_the_first_records_tell_no_fewest_seeds(published):
    (records,) = read(published(lacks("spec", "task", "fewest_seeds"))).values()
    reports(records)


def scores(value):
    """Of the ticket: as many times `value` as its seed and sign say."""

    def change(records):
        for record in records:
            if record["spec"]["method"]["name"] == "ticket":
                seed = record["spec"]["seed"]
                for metric in record["metrics"]:
                    metric["value"] = value * (-1) ** seed * (1 if seed < 3 else 0.5)

    return change


def equal(value):
    def change(records):
        for record in records:
            for metric in record["metrics"]:
                metric["value"] = value

    return change


def densities(records):
    for record in records:
        if record["spec"]["method"]["name"] == "dense":
            record["counts"].update(kept=0, kept_weights=0, kept_all=0)
            record.update(density=0.0, density_weights=0.0, density_total=0.0, effective_density=0.0)


def another_dense(records):
    """Of a version that is not installed."""
    for record in records:
        if record["spec"]["method"]["name"] == "dense":
            record["spec"]["method"]["version"] = 2
            record["unit_id"] = unit_id(record["spec"])


LEGAL = {
    "nothing strange": lambda records: None,
    "dense that keeps nothing": densities,
    "dense of another version": another_dense,
    "very large scores": scores(LARGEST),
    "very small scores": scores(5e-324),
    "small scores whose squares are zero": scores(1e-90),
    "the smallest score of all": equal(5e-324),
    "the largest score of all": equal(LARGEST),
}


@pytest.mark.parametrize("kind", LEGAL)
def test_a_record_that_may_be_breaks_no_report(published, kind):
    (records,) = read(published(LEGAL[kind])).values()
    reports(records)


@pytest.mark.parametrize("column", ["mean", "low", "high", "density", "n", "n_diverged", "level"])
@pytest.mark.parametrize("value", ["1e200", "-1e200", "9" * 400, "nan", "x", "-1e-400"])
def test_a_table_is_compared_or_refused_in_one_line(published, tmp_path, column, value):
    (records,) = read(published()).values()
    header, *lines = render(records, "csv").splitlines()
    place = header.split(",").index(column)
    other = [",".join(value if at == place else each for at, each in enumerate(line.split(","))) for line in lines]
    paths = []
    for name, rows in (("a.csv", lines), ("b.csv", other)):
        paths.append(tmp_path / name)
        paths[-1].write_text("\n".join([header, *rows]))
    try:
        review(compare_sides(*(_side(path, {}) for path in paths)), "md")
    except TicketBenchError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  either is right
    else:
        assert value == "-1e-400"
