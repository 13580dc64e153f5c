"""Claimed and measured side by side: read from anybody's file, believed only of what is published, shown beside it."""

import json
import re

import pytest
from pages import claim, measurement, site

from bench.errors import StoreError
from bench.report.site.sections.measured import measurements
from bench.verbs.site import site as write

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\"'"


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


@pytest.fixture
def shown(records, folder):
    """The page of the records and of what was measured of them."""

    def made(*measured):
        return site({"some": records}, [], measured=measurements(folder(*measured), {"some": records}))

    return made


def test_claimed_and_measured_stand_side_by_side(records, shown):
    first, second, _ = of(records, "ticket", 2)
    text = shown(measurement(first), measurement(second, measured=claim(second) - 0.1, equal=False))
    claimed = (claim(first) + claim(second)) / 2
    for key in ("tickets", "numbers"):
        told = "".join(rows(text, key))
        assert told.count("measured / claimed") == 1
        assert told.count(f"{claimed - 0.05:.4g} / {claimed:.4g}, 2 of 3 retrained") == 1
    evidence = "\n".join(rows(text, "records"))
    assert f"{claim(first):.4g} / {claim(first):.4g}, retrained, equal to the bit" in evidence
    assert f"{claim(second) - 0.1:.4g} / {claim(second):.4g}, retrained, differs by -0.1" in evidence
    assert "Measured: by somebody" in text


def test_a_task_says_how_many_of_its_units_are_equal_to_the_bit(records, shown):
    first, second, third = of(records, "ticket", 2)
    same = shown(measurement(first), measurement(second, how="replay"))
    assert f"<p class=facts>Measured again: 2 units of {len(records)}, equal to the bit.\n" in same
    assert "2 of 3 replayed or retrained, equal to the bit" in "".join(rows(same, "numbers"))
    other = shown(measurement(first), measurement(third, measured=claim(third) - 0.1, equal=False))
    assert f"Measured again: 2 units of {len(records)}, 1 equal to the bit." in other
    assert "2 of 3 retrained, 1 equal to the bit" in "".join(rows(other, "numbers"))
    none = shown(measurement(first, measured=claim(first) - 0.1, equal=False))
    assert f"Measured again: 1 unit of {len(records)}, none equal to the bit." in none


def test_a_board_of_which_nothing_was_measured_again_has_no_column_for_it(records, shown):
    text = shown(measurement(of(records, "dense", 0)[0]))
    assert "measured / claimed" not in "".join(rows(text, "tickets"))
    assert "measured / claimed" in "".join(rows(text, "numbers"))


def test_both_kinds_of_an_arm_are_named(records, shown):
    first, second, _ = of(records, "ticket", 2)
    text = shown(measurement(first), measurement(second, how="replay"))
    assert sum(", 2 of 3 replayed or retrained" in each for each in rows(text, "numbers")) == 1


def test_who_measured_is_told(records, shown):
    first, second, third = of(records, "ticket", 2)
    elsewhere = measurement(third, provenance={"device": "cuda", "commit": HOSTILE.replace("\u202e", "")})
    text = shown(measurement(first), measurement(second), elsewhere)
    assert (
        "Retrained: 2 units, equal to the bit, on 2024-05-06, with machine Linux x86_64, cpu some model, torch 2.6.0."
        in text
    )
    assert "Retrained: 1 unit, equal to the bit, on an unknown day, with commit &lt;/script&gt;&lt;img" in text


def test_what_was_taken_on_trust_is_told(records, shown):
    text = shown(measurement(of(records, "ticket", 2)[0], believed=["mask"]))
    assert "1 of 3 retrained, equal to the bit, mask believed" in "".join(rows(text, "tickets"))
    assert "1 of 3 retrained, equal to the bit, mask believed" in "".join(rows(text, "numbers"))
    assert "equal to the bit, mask believed" in "".join(rows(text, "records"))
    assert "mask believed" not in shown(measurement(of(records, "ticket", 2)[0]))


def test_a_score_that_is_equal_beside_numbers_that_are_not_is_said_to_be(records, shown):
    evidence = "\n".join(rows(shown(measurement(of(records, "ticket", 2)[0], equal=False)), "records"))
    assert "retrained, equal in this score only" in evidence
    assert "to the bit" not in evidence


FORGED = {
    "another result": ({"result": "0" * 64}, "it measured result 000000000000, published is "),
    "an unknown unit": ({"unit_id": "f" * 64}, "unit ffffffffffff is not published"),
    "another claim": ({"claimed": 0.5, "measured": 0.5}, "it says that 0.5 was claimed, the record claims 0.9"),
    "claimed to have diverged": ({"claimed": None, "measured": None}, "it says that None was claimed"),
    "equal, and yet not": ({"measured": 0.25}, "it says that 0.25 is equal to 0.9"),
    "another metric": ({"metric": "loss"}, "it measured loss on test, the score is accuracy on test"),
    "another split": ({"split": "train"}, "it measured accuracy on train, the score is accuracy on test"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_measurement_is_not_believed_and_told_with_file_and_line(records, shown, kind):
    changes, told = FORGED[kind]
    first, second, _ = of(records, "ticket", 2)
    text = shown(measurement(first), measurement(second, **changes))
    assert ", 1 of 3 retrained" in "".join(rows(text, "numbers"))
    assert "<p class=facts>1 line of <code>measured/</code> is not of what is published" in text
    assert f"<li>some.jsonl, line 2: {told}" in text


def test_what_is_set_aside_leaves_the_numbers_as_they_were(records, shown):
    forged = [measurement(each, result="0" * 64) for each in records]
    told, alone = shown(*forged), site({"some": records}, [])
    assert "<th scope=col>measured / claimed" not in told
    assert rows(told, "tickets") == rows(alone, "tickets")
    assert rows(told, "records") == rows(alone, "records")


def test_of_many_that_are_set_aside_the_page_names_the_first(records, shown):
    text = shown(*[measurement(records[0], result="0" * 64)] * 50)
    assert "<p class=facts>50 lines of <code>measured/</code> are" in text
    assert "are not of what is published, or contradict what is shown, and counted nowhere; the first 20:" in text
    assert text.count("<li>some.jsonl, line ") == 20


def test_a_name_of_a_file_is_text(records, folder):
    path = folder(measurement(records[0], result="0" * 64), name='"><img src=x onerror=alert(1)>')
    text = site({"some": records}, [], measured=measurements(path, {"some": records}))
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;.jsonl, line 1" in text


def test_a_training_says_more_than_a_replay(records, folder):
    trained, replayed = measurement(records[0]), measurement(records[0], how="replay")
    for order in ((trained, replayed), (replayed, trained)):
        believed = measurements(folder(*order), {"some": records}).believed
        assert believed[records[0]["unit_id"]]["how"] == "retrain"


def test_a_line_that_says_otherwise_hides_none_and_is_told(records, folder):
    """Anybody may write a line: of one kind the first stands, and the page says who contradicts it."""
    ours = measurement(records[0])
    same, other = {**ours, "how": "replay"}, {**ours, "measured": 0.5, "equal": False}
    found = measurements(folder(ours, other, same), {"some": records})
    assert found.believed == {ours["unit_id"]: ours}
    (told,) = found.aside
    assert told.startswith("some.jsonl, line 2: it says 0.5, not equal to the bit, of unit ")
    assert told.endswith(f"; some.jsonl, line 1, which is shown, says {ours['measured']}, equal to the bit")


def test_what_diverged_is_said_to(records, shown):
    text = shown(measurement(of(records, "ticket", 2)[0], measured=None, equal=False))
    assert "diverged / 0.9" in "".join(rows(text, "numbers"))
    assert "retrained, not equal to the bit" in "".join(rows(text, "records"))


def test_blank_lines_say_nothing(records, folder):
    path = folder(measurement(records[0])) / "some.jsonl"
    path.write_text(f"\n  \n{path.read_text()}\n\n")
    assert measurements(path.parent, {"some": records}).aside == ()


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"unit_id": "x"}', "[" * 100_000, "NaN", "\x00", '"\ud800"', "1" * 5_000, "{" * 3 + "}" * 3]
)
def test_a_line_that_is_no_measurement_is_refused_by_number(records, folder, line):
    path = folder(measurement(records[0])) / "some.jsonl"
    path.write_bytes(path.read_bytes() + line.encode(errors="surrogatepass") + b"\n")
    with pytest.raises(StoreError, match=r"some.jsonl, line 2: not a measurement") as error:
        measurements(path.parent, {"some": records})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"how": HOSTILE}, {"how": []}, {"equal": 1}, {"equal": HOSTILE}, {"claimed": "1"}, {"measured": True}, {"unit_id": 7},
        {"measured": 10**400, "equal": False}, {"measured": 1.7e308, "equal": False}, {"measured": float("nan")},
        {"measured": float("inf")}, {"measured": [1]}, {"metric": None}, {"metric": HOSTILE}, {"split": {}}, {"believed": HOSTILE},
        {"believed": [HOSTILE]}, {"provenance": {"versions": []}}, {"provenance": {"cpu": "x" * 5_000_000}},
        {"result": "../../index.html"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(records, folder, wrong):
    with pytest.raises(StoreError, match="line 1: not a measurement") as error:
        measurements(folder(measurement(records[0], **wrong)), {"some": records})
    assert len(str(error.value)) < 1_000
    assert str(error.value).isprintable()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "some.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"cannot read .*some.jsonl: it is no plain file; remove it"):
        measurements(tmp_path, {})


def test_a_link_to_what_never_ends_is_not_followed(tmp_path):
    (tmp_path / "some.jsonl").symlink_to("/dev/zero")
    with pytest.raises(StoreError, match=r"cannot read .*some.jsonl: it is a symbolic link; remove it"):
        measurements(tmp_path, {})


def test_the_verb_reads_the_folder_beside_the_records(records, tmp_path, capsys):
    for name, told in (("records", records), ("measured", [measurement(of(records, "ticket", 1)[0])])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told))
    write(tmp_path / "records", tmp_path / "index.html")
    assert capsys.readouterr().out.strip() == str(tmp_path / "index.html")
    assert ", 1 of 3 retrained" in (tmp_path / "index.html").read_text(encoding="utf-8")
