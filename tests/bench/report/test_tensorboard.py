"""Curves as event files, read back by TensorBoard's own reader."""

import json

import pytest

from bench.report import results
from bench.store.store import Store

tensorboard = pytest.importorskip("tensorboard")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def read(folder):
    """Tag -> [(step, value)], and the times."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    tags = found.Tags()["scalars"]
    points = {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in tags}
    return points, [each.wall_time for each in found.Scalars(tags[0])]


def test_a_record_of_no_time_that_there_is_counts_as_none(command, suite_file, finished, tmp_path):
    path = next(finished.rglob("random-ticket/s1/L03*")) / "record.json"
    record = json.loads(path.read_text())
    record["provenance"]["start"] = "2024-13-45T00:00:00"
    path.write_text(json.dumps(record))
    code, out, err = command("export", suite_file, "--store", finished, "--tensorboard", tmp_path / "curves")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'curves'}: 15 curves;")
    code, out, _ = command("verify", finished)
    assert code == 1
    assert "record.json cannot be read: there is no time 2024-13-45T00:00:00\n" in out


def test_every_point_of_every_curve_comes_back(command, suite_file, finished, tmp_path):
    code, out, err = command("export", suite_file, "--store", finished, "--tensorboard", tmp_path / "curves")
    assert (code, err) == (0, "")
    assert out == f"{tmp_path / 'curves'}: 16 curves; next: tensorboard --logdir {tmp_path / 'curves'}\n"
    store = Store(finished)
    curves = results.Results(name="", store=store, records=store.records()).curves
    for record in store.records():
        spec = record["spec"]
        folder = (
            tmp_path
            / "curves"
            / "toy-chain@smoke"
            / spec["method"]["name"]
            / f"L{spec['level']:02d}"
            / f"s{spec['seed']}"
        )
        points, _ = read(folder)
        told = [
            (each["step"], pytest.approx(each["metrics"]["test"]["accuracy"])) for each in curves[record["unit_id"]]
        ]
        assert points == {"test/accuracy": told}


def test_exporting_again_replaces_and_changes_no_byte(command, suite_file, finished, tmp_path):
    def export():
        command("export", suite_file, "--store", finished, "--tensorboard", tmp_path / "curves")
        return {path: path.read_bytes() for path in (tmp_path / "curves").rglob("*") if path.is_file()}

    assert export() == export()


def test_times_go_from_the_begin_to_the_end_of_training(record, tmp_path):
    from bench.report.tensorboard import write

    asked = record("ticket", 3, 1, 0.9, unit_id="ab" * 32)
    curve = [{"step": step, "updates": step, "metrics": {"val": {"loss": 0.5}}} for step in (250, 500, 1000)]
    (path,) = write([asked], {"ab" * 32: curve}, tmp_path)
    assert path == tmp_path / "vision-toy@small" / "ticket" / "L03" / "s1" / "events.out.tfevents.ababababab"
    _, times = read(path.parent)
    assert [time - 1704067200 for time in times] == [3.0, 6.0, 12.0], "of the twelve seconds from 2024 on"


def test_a_hostile_name_stays_in_the_folder(record, tmp_path):
    from bench.report.tensorboard import write

    asked = record("dense", 0, 0, 0.9)
    asked["spec"]["task"]["name"], asked["spec"]["method"]["name"] = "../../up", "../up"
    (path,) = write([asked], {asked["unit_id"]: []}, tmp_path / "inside")
    assert path.resolve().is_relative_to(tmp_path / "inside")


def test_a_diverged_unit_without_a_point_is_an_empty_run(record, tmp_path):
    from bench.report.tensorboard import write

    asked = record("dense", 0, 0, None)
    (path,) = write([asked], {asked["unit_id"]: []}, tmp_path)
    assert path.stat().st_size > 0


def test_something_in_the_way_is_told_in_one_line(command, suite_file, finished, tmp_path):
    (tmp_path / "curves").write_text("mine")
    code, out, err = command("export", suite_file, "--store", finished, "--tensorboard", tmp_path / "curves")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"cannot write {tmp_path / 'curves'}" in err
    assert "name another --tensorboard" in err
    assert (tmp_path / "curves").read_text() == "mine"
