"""Claimed and measured side by side: read from anybody's file, and shown where the claim stands."""

import json
import re

import pytest

from bench.errors import StoreError
from bench.report.site.measured import measurements
from bench.report.site.write import site
from bench.verbs.site import site as write

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\"'"


def measurement(record, **changes):
    claimed = record["metrics"][0]["value"]
    told = {
        "unit_id": record["unit_id"], "how": "retrain", "metric": "accuracy", "split": "test", "claimed": claimed,
        "measured": claimed, "equal": True, "provenance": {},
    }  # fmt: skip
    return {**told, **changes}


@pytest.fixture
def folder(tmp_path):
    """Writes measurements as a file of a folder, and gives the folder."""

    def write(*measured, name="some"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in measured))
        return tmp_path

    return write


@pytest.fixture(scope="module")
def records(study):
    return study({"dense": 0.0, "ticket": 0.01, "reinit": -0.02}, levels=(1, 2), seeds=3)


def of(records, method, level):
    found = [each for each in records if each["spec"]["method"]["name"] == method]
    return [each for each in found if each["spec"]["level"] == level]


def rows(text, key):
    table = text[text.index(f'data-key="{key}"') :]
    return [re.sub("<[^>]+>", "|", each) for each in table[: table.index("</table>")].splitlines()]


def claim(record):
    return record["metrics"][0]["value"]


def test_claimed_and_measured_stand_side_by_side(records, folder):
    first, second, _ = of(records, "ticket", 2)
    away = measurement(second, measured=claim(second) - 0.1, equal=False)
    text = site({"some": records}, [], measured=measurements(folder(measurement(first), away)))
    claimed = (claim(first) + claim(second)) / 2
    for key in ("tickets", "numbers"):
        told = rows(text, key)
        assert told[0].count("measured / claimed") + told[1].count("measured / claimed") == 1
        assert sum(f"{claimed - 0.05:.4g} / {claimed:.4g}, 2 of 3 retrained" in each for each in told) == 1
    evidence = "\n".join(rows(text, "records"))
    assert f"{claim(first):.4g} / {claim(first):.4g}, retrained, equal to the bit" in evidence
    assert f"{claim(second) - 0.1:.4g} / {claim(second):.4g}, retrained, differs by -0.1" in evidence
    assert "Measured: by somebody" in text


def test_both_kinds_of_an_arm_are_named(records, folder):
    first, second, _ = of(records, "ticket", 2)
    text = site(
        {"some": records}, [], measured=measurements(folder(measurement(first), measurement(second, how="replay")))
    )
    assert sum(", 2 of 3 replayed or retrained" in each for each in rows(text, "numbers")) == 1


def test_a_score_that_is_equal_beside_numbers_that_are_not_is_said_to_be(records, folder):
    first = of(records, "ticket", 2)[0]
    text = site({"some": records}, [], measured=measurements(folder(measurement(first, equal=False))))
    evidence = "\n".join(rows(text, "records"))
    assert "retrained, equal in this score only" in evidence
    assert "to the bit" not in evidence


def test_what_is_claimed_is_what_the_record_says(records, folder):
    """Whoever writes a measurement cannot make a record look confirmed that is not."""
    first = of(records, "ticket", 2)[0]
    lie = measurement(first, claimed=0.5, measured=0.5, equal=True)
    text = site({"some": records}, [], measured=measurements(folder(lie)))
    assert f"0.5 / {claim(first):.4g}, 1 of 3 retrained" in "".join(rows(text, "numbers"))
    evidence = "".join(rows(text, "records"))
    assert f"differs by {0.5 - claim(first):+.2g}" in evidence
    assert "to the bit" not in evidence


@pytest.mark.parametrize("other", [{"metric": "loss"}, {"split": "train"}, {"metric": HOSTILE}, {"split": HOSTILE}])
def test_another_metric_or_split_says_nothing_of_the_score(records, folder, other):
    text = site({"some": records}, [], measured=measurements(folder(measurement(records[0], **other))))
    assert "measured / claimed" not in text


def test_without_measurements_there_is_no_column(records):
    text = site({"some": records}, [], measured={"0" * 64: measurement(records[0])})
    assert "measured / claimed" not in text


def test_a_training_says_more_than_a_replay(records, folder):
    trained, replayed = measurement(records[0]), measurement(records[0], how="replay")
    for order in ((trained, replayed), (replayed, trained)):
        assert measurements(folder(*order))[records[0]["unit_id"]]["how"] == "retrain"


def test_what_diverged_is_said_to(records, folder):
    first = of(records, "ticket", 2)[0]
    text = site({"some": records}, [], measured=measurements(folder(measurement(first, measured=None, equal=False))))
    assert "diverged / 0.9" in "".join(rows(text, "numbers"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Expecting property name"),
        ("[]", "its keys are not unit_id"),
        ('{"unit_id": "x"}', "its keys are not unit_id"),
        ("[" * 100_000, "line 2"),
        ("NaN", "its keys"),
    ],
)
def test_a_line_that_is_no_measurement_is_refused_by_number(records, folder, line, told):
    path = folder(measurement(records[0])) / "some.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(StoreError, match=r"some.jsonl, line 2: not a measurement") as error:
        measurements(path.parent)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"how": HOSTILE}, {"how": []}, {"equal": 1}, {"equal": HOSTILE}, {"claimed": "1"}, {"measured": True}, {"unit_id": 7},
        {"measured": 0.5}, {"claimed": None}, {"measured": 10**400, "equal": False}, {"measured": float("nan")}, {"measured": float("inf")}, {"measured": [1]}, {"metric": None}, {"split": {}},
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(records, folder, wrong):
    with pytest.raises(StoreError, match="line 1: not a measurement"):
        measurements(folder(measurement(records[0], **wrong)))


def test_hostile_texts_are_not_shown(records, folder):
    hostile = measurement(of(records, "ticket", 1)[0], provenance={HOSTILE: HOSTILE})
    text = site({"some": records}, [], measured=measurements(folder(hostile)))
    assert "alert(1)" not in text
    assert "measured / claimed" in text


def test_numbers_too_large_to_be_added_are_shown(records, folder):
    huge = [measurement(each, measured=1.7e308, equal=False) for each in of(records, "ticket", 2)]
    text = site({"some": records}, [], measured=measurements(folder(*huge)))
    assert "1.7e+308 / 0.9" in "".join(rows(text, "numbers"))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "some.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"cannot read .*some.jsonl: Is a directory"):
        measurements(tmp_path)


def test_the_verb_reads_the_folder_beside_the_records(records, tmp_path, capsys):
    for name, told in (("records", records), ("measured", [measurement(of(records, "ticket", 1)[0])])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told))
    write(tmp_path / "records", tmp_path / "index.html")
    assert capsys.readouterr().out.strip() == str(tmp_path / "index.html")
    assert ", 1 of 3 retrained" in (tmp_path / "index.html").read_text(encoding="utf-8")
