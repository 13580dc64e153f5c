import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UnknownName
from bench.report.table.render import render
from bench.report.table.rows import COLUMNS, rows

GOLDEN = Path(__file__).parent / "golden"
EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}
STYLES = ("md", "csv", "tex", "html", "json")
EVIL = 'a|b<script>alert("1")</script>\n$x_1$ & 100 %\\'


@pytest.fixture(name="world", scope="module")
def world_builder(record, task):
    """A small world with exact numbers, in which everything that a table can say happens."""
    asked = task(
        at=("final", "early-stop"),
        select="loss",
        rewind_step=0,
        unsupported={"synflow": "a recurrent network has no forward pass of ones"},
        deviations=("Adam instead of `SGD`.", "100 % of the <data> & more."),
    )
    found = [record("dense", 0, seed, 0.9 + seed / 100, task=asked) for seed in range(3)]
    gains = {"ticket": (0.01, 0.012, 0.014), "reinit": (-0.02, -0.01, -0.03), "random-ticket": (-0.1, -0.11, -0.12)}
    for method, gain in gains.items():
        found += [record(method, 1, seed, 0.9 + seed / 100 + gain[seed], task=asked) for seed in range(3)]
    found += [record("ticket", 10, seed, 0.5, task=asked) for seed in range(2)]
    found += [
        record("snip", 1, seed, None if seed else 0.8, task=asked, nulls={"flops": "no ones"}) for seed in range(3)
    ]
    return found


@pytest.mark.parametrize("style", STYLES)
def test_golden(world, style):
    assert render(world, style) == (GOLDEN / f"table.{style}").read_text(encoding="utf-8")


@settings(max_examples=5, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("style", STYLES)
def test_the_order_of_the_records_changes_no_byte(data, world, style):
    assert render(data.draw(st.permutations(world)), style) == render(world, style)


def test_csv_and_json_hold_the_same_rows(world):
    table = rows(world)
    objects = json.loads(render(world, "json"))
    lines = list(csv.DictReader(io.StringIO(render(world, "csv"))))
    assert len(table) == len(objects) == len(lines) == 12
    for row, object_, line in zip(table, objects, lines, strict=True):
        assert list(object_) == list(line) == list(COLUMNS)
        assert object_ == {column: getattr(row, column) for column in COLUMNS}
        for column, value in object_.items():
            _same(line[column], value)


def _same(text, value):
    if value is None:
        assert text == ""
    elif isinstance(value, bool):
        assert text == str(value).lower()
    elif isinstance(value, str):
        assert text == value
    else:
        assert float(text) == pytest.approx(value, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("method", [EVIL, "=cmd()", "[1]", "-1"])
def test_hostile_names_stay_names(record, task, method):
    asked = task(name=f"vision/{method}", deviations=(method,))
    found = [record(method, 1, 0, 0.5, task=asked)]
    (line,) = csv.DictReader(io.StringIO(render(found, "csv"), newline=""))
    assert line["method"].removeprefix("'") == method
    assert not line["method"].startswith(("=", "-"))
    (object_,) = json.loads(render(found, "json"))
    assert object_["method"] == method
    assert "<script" not in render(found, "md").replace("\\<script", "")
    assert "<script" not in render(found, "html")
    for style in ("md", "tex", "html"):
        table = [line for line in render(found, style).splitlines() if "0.500" in line]
        assert len(table) == 1
    assert render(found, "tex").count("{") == render(found, "tex").count("}") + 2 * method.count("{")


def test_aliases_are_notes_and_never_rows(study):
    found = study({"dense": 0.0, "ticket": 0.0, "lr-rewind": 0.0}, rewind_step=0, constant_rate=True)
    assert {row.method for row in rows(found)} == {"dense", "ticket", "lr-rewind"}
    text = render(found, "md")
    assert "- `ticket-init` is `ticket` here (rewind step 0)." in text
    assert "- `fine-tune` is `lr-rewind` here (constant learning rate)." in text
    assert "`fine-tune`" not in render(study({"dense": 0.0, "ticket": 0.0}, constant_rate=True), "md")
    assert "`ticket-init`" not in render(study({"dense": 0.0, "ticket": 0.0}, rewind_step=1), "md")


@pytest.mark.parametrize(("scale", "said"), [("quick", True), ("smoke", True), ("small", False), ("paper", False)])
def test_small_budgets_say_that_they_carry_no_verdict(study, scale, said):
    text = render(study(EFFECTS, scale=scale), "md")
    assert (f"- Scale {scale}: no verdict on a claim." in text) is said
    assert (f"none ({scale})" in text) is said
    assert ("winning" in text) is not said


def test_what_was_not_compared_is_said(study):
    found = study({"ticket": 0.01, "random-ticket": 0.0}, levels=(1,), seeds=4) + study(
        {"ticket": 0.01}, levels=(2,), seeds=4
    )
    found = [each for each in found if (each["spec"]["method"]["name"], each["spec"]["seed"]) != ("random-ticket", 0)]
    text = render(found, "md")
    assert "- `dense` was not run: nothing to compare with." in text
    assert "- `random-ticket` was not run at level 2: nothing to compare with." in text
    assert "- Compared on fewer seeds than n: ticket L1 with `random-ticket` (3)." in text


def test_no_records():
    assert render([], "md") == "No finished records.\n"
    assert render([], "csv") == ",".join(COLUMNS) + "\n"
    assert json.loads(render([], "json")) == []
    assert render([], "tex") == "% No finished records.\n"


def test_an_unknown_style_names_the_known_ones(world):
    with pytest.raises(UnknownName, match="did you mean 'md'"):
        render(world, "mdx")


def test_what_else_was_measured_stands_in_a_table_of_its_own(record):
    found = [record("ticket", 1, seed, 0.9) for seed in range(3)]
    for seed, each in enumerate(found):
        extra = {"name": "loss", "split": "test", "at": "final", "value": 0.25 + seed, "direction": "min", "step": 1}
        each["metrics"] = [*each["metrics"], extra]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in render(found, "md").splitlines()]
    assert ["method", "level", "loss ↓"] in lines
    assert ["ticket", "1", "1.2 [-1.2, 3.7]"] in lines
    assert r"method & level & loss $\downarrow$ \\" in render(found, "tex")
    assert render(found, "tex").count(r"\begin{tabular}") == 2


def test_a_layer_without_weights_is_marked_and_a_bias_is_not(record):
    found = [record("ticket", level, seed, 0.9) for level in (1, 2) for seed in range(3)]
    for each in found:
        each["counts"]["collapsed"] = ["fc1.bias"] if each["spec"]["level"] == 1 else ["fc1.bias", "fc2.weight"]
    text = render(found, "md")
    assert "† Without a single weight: fc2.weight, in ticket L2." in text
    assert "fc1.bias" not in text
