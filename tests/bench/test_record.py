"""The one look-up of a score: which metric, of which split, read where."""

from bench.record import metric_of, score_of

TASK = {"metric": "accuracy", "split": "test", "at": ["final", "early-stop"]}


def measured(name, split, at, value, step=100):
    return {"name": name, "split": split, "at": at, "value": value, "direction": "max", "step": step}


RECORD = {
    "spec": {"task": TASK},
    "metrics": [
        measured("accuracy", "val", "final", 1.0),
        measured("loss", "test", "final", 2.0),
        measured("accuracy", "test", "early-stop", 3.0, step=40),
        measured("accuracy", "test", "final", 4.0),
        measured("accuracy", "test", "final", 5.0),
        measured("ece", "test", "final", None),
    ],
}


def test_a_score_is_the_tasks_metric_on_its_split_at_its_headline():
    assert score_of(RECORD) == 4.0
    assert score_of({**RECORD, "spec": {"task": {**TASK, "split": "val"}}}) == 1.0
    assert score_of({**RECORD, "spec": {"task": {**TASK, "at": ["early-stop", "final"]}}}) == 3.0


def test_another_metric_or_reading_is_asked_for_by_name():
    assert score_of(RECORD, "loss") == 2.0
    assert score_of(RECORD, at="early-stop") == 3.0
    assert metric_of(RECORD, at="early-stop")["step"] == 40


def test_what_was_not_measured_is_none():
    assert score_of(RECORD, "loss", "early-stop") is None
    assert score_of(RECORD, "ece") is None
    assert metric_of(RECORD, "ece") is not None
    assert score_of({**RECORD, "metrics": []}) is None
