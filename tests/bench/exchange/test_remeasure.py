"""Units of a submission measured again: honest ones are equal to the bit, and what was made up is found."""

import json
import shutil
import sys
from concurrent.futures import Future

import pytest
from remeasured import Here, again, entry_of, submission_of

from bench.digests import json_digest
from bench.exchange import remeasure as measuring
from bench.exchange.agreement import findings
from bench.exchange.draw import replayable, retrainable
from bench.exchange.verify import findings_of
from bench.record import SUBMITTED
from bench.runs.launch import WorkerDied
from bench.tickets.methods import METHODS

CHAINS = {"dense", "ticket", "ticket-init", "fine-tune", "lr-rewind"}


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(measuring, "LocalLauncher", Here)


# Honest units.


@pytest.mark.parametrize("method", METHODS)
def test_an_honest_unit_is_trained_to_the_same_bits(trained, example, here, method):
    submission = submission_of(trained)
    (found,) = again(submission, ("retrain", method, 0 if method == "dense" else 2))
    assert (found.reason, found.differing, found.is_exact) == (None, [], True)
    assert findings([found]) == []
    assert found.record["digests"]["result"] == found.entry.record["digests"]["result"]
    assert found.record["density"] == found.entry.record["density"]


def test_honest_weights_give_the_same_scores(trained, example, here):
    submission = submission_of(trained)
    assert {each.unit.method.name for each in replayable(submission)} == CHAINS
    steps = []
    found = again(submission, *(("replay", each, 0 if each == "dense" else 2) for each in CHAINS), steps=steps)
    assert len(found) == 5
    for each in found:
        assert each.differing == []
        assert findings([each]) == []
        assert each.record["updates"] == 0
    assert ("ticket", 40) in steps


def test_a_measurement_says_what_was_claimed_and_what_was_found(trained, example, here):
    submission = submission_of(trained)
    (found,) = again(submission, ("retrain", "ticket"))
    claimed = entry_of(submission, "ticket").record
    value = next(each["value"] for each in claimed["metrics"] if (each["split"], each["at"]) == ("test", "final"))
    measurement = found.measurement
    assert measurement["claimed"] == measurement["measured"] == value
    assert (measurement["unit_id"], measurement["how"]) == (claimed["unit_id"], "retrain")
    assert (measurement["metric"], measurement["split"], measurement["equal"]) == ("accuracy", "test", True)
    assert measurement["provenance"]["start"] > claimed["provenance"]["start"], "of who measured, not of who claimed"
    assert json.loads(json.dumps(measurement)) == measurement
    assert (
        found.line
        == f"example/moons@smoke ticket L2 s0: claimed {value:.6g}, retrained {value:.6g} (accuracy, equal to the bit)"
    )


# Cheats, resealed in every digest.


def edited(method, by, level=2):
    def change(units):
        units[method, level, 0].edit_scores(lambda value: value + by)

    return change


@pytest.mark.parametrize("by", [-5.0, -0.001])
@pytest.mark.parametrize("how", ["replay", "retrain"])
def test_an_edited_score_is_found(moons, forge, here, how, by):
    """By whatever amount: where everything must be the same to the bit, no tolerance is allowed."""
    forge(moons, edited("ticket", by))
    assert findings_of(moons).findings == [], "no static check sees it"
    submission = submission_of(moons)
    (found,) = again(submission, (how, "ticket"))
    assert found.differing
    (line,) = findings([found])
    assert line.startswith("example/moons@smoke ticket L2 s0: claimed")
    assert "on the same kind of machine with the same versions it has another " in line
    assert line.endswith("metrics, curve" if how == "retrain" else "curve")


def test_a_control_made_worse_is_found(moons, forge, here):
    """It is the cheapest way to a winning ticket."""
    forge(moons, edited("random-ticket", -10.0))
    assert findings_of(moons).findings == []
    submission = submission_of(moons)
    (found,) = again(submission, ("retrain", "random-ticket"))
    (line,) = findings([found])
    assert "it has another metrics, curve" in line


def test_a_ticket_sold_as_random_is_found_where_no_mask_is_there_to_compare(moons, forge, here):
    """The mask of another method's chain, which no check of overlaps looks at."""

    def borrow(units):
        units["random-ticket", 2, 0].mask = {
            name: each.copy() for name, each in units["ticket-init", 2, 0].mask.items()
        }

    forge(moons, borrow)
    assert [line for line in findings_of(moons).findings if "'example/moons@smoke ticket L2" not in line] == []
    submission = submission_of(moons)
    (found,) = again(submission, ("retrain", "random-ticket"))
    assert "mask" in found.differing
    assert "its mask is not the one that its seed draws" in findings([found])[0]


@pytest.mark.parametrize("method", ["random-ticket", "random-erk", "shuffled"])
def test_a_random_mask_of_another_draw_is_found(moons, forge, here, method):
    """The best of many draws: honest by every statistic, and not what the seed gives."""

    def redraw(units):
        units[method, 2, 0].swap("4.weight", 2)
        units[method, 2, 0].swap("0.weight", 2)

    forge(moons, redraw)
    assert findings_of(moons).findings == []
    submission = submission_of(moons)
    (found,) = again(submission, ("retrain", method))
    assert found.differing in (["mask"], ["overlap", "mask"])
    assert findings([found])[0].endswith("its mask is not the one that its seed draws")


def trained_weights(units):
    """The rewind weights are those of the end: the ticket starts where it should arrive."""
    states = units["dense", 0, 0].states
    states["rewind.safetensors"] = {name: each.copy() for name, each in states["final.safetensors"].items()}


def other_weights(units):
    states = units["dense", 0, 0].states
    states["rewind.safetensors"] = dict(units["dense", 0, 1].states["rewind.safetensors"])


@pytest.mark.parametrize("method", ["ticket", "one-shot", "permuted"])
def test_rewind_weights_that_were_trained_are_found(early, forge, here, method):
    forge(early, trained_weights)
    assert findings_of(early).findings == []
    submission = submission_of(early)
    (found,) = again(submission, ("retrain", method, 1))
    assert found.record is None
    (line,) = findings([found])
    assert "its retrain failed: its rewind weights are" in line


@pytest.mark.parametrize("method", ["ticket", "one-shot", "permuted"])
def test_rewind_weights_of_another_seed_are_found(moons, forge, here, method):
    forge(moons, other_weights)
    assert findings_of(moons).findings == []
    submission = submission_of(moons)
    (found,) = again(submission, ("retrain", method))
    assert found.record is None
    (line,) = findings([found])
    assert "its retrain failed: its rewind weights are" in line


def test_weights_that_do_not_fit_the_network_are_a_finding(moons, forge, here):
    def reshape(units):
        final = units["ticket", 2, 0].final
        final["buffers/1.running_mean"] = final["buffers/1.running_mean"][:3]

    forge(moons, reshape)
    submission = submission_of(moons)
    (found,) = again(submission, ("replay", "ticket"))
    (line,) = findings([found])
    assert line.startswith("example/moons@smoke ticket L2 s0: its replay failed: ")
    assert "\n" not in line


def test_weights_of_another_score_are_found(moons, forge, here):
    """The stored weights are not what the curve was measured with."""

    def exchange(units):
        units["ticket", 2, 0].final["weights/4.bias"][:] = [3, -3]

    forge(moons, exchange)
    submission = submission_of(moons)
    (found,) = again(submission, ("replay", "ticket"))
    assert "it has another curve" in findings([found])[0]


def test_nothing_is_written_into_the_submission(trained, example, here):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    again(submission_of(trained), ("replay", "ticket"), ("retrain", "ticket"))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


# Which units can be measured, and are.


def test_a_foreign_method_is_never_run(moons, forge, here, example):
    """A method names functions that would be imported and called here."""

    def plant(units):
        for key, unit in units.items():
            if key[0] == "random-ticket":
                unit.spec["method"].update(version=2, mask="os:abort")
            if key[0] == "random-erk":
                unit.spec["method"].update(name="mine", mask="os:abort")
            if key[0] == "snip":
                unit.spec["method"].update(options={"losses": 10**9})
            if key[0] == "synflow":
                unit.spec["task"]["config"] = {"rate": 9.0}

    forge(moons, plant)
    names = {each.unit.method.name for each in retrainable(submission_of(moons))}
    assert names == set(METHODS) - {"random-ticket", "random-erk", "snip", "synflow"}


def test_a_method_that_is_told_otherwise_is_the_same(moons, forge):
    def tell(units):
        units["random-ticket", 2, 0].spec["method"]["about"] = "told otherwise"

    forge(moons, tell)
    submission = submission_of(moons)
    assert entry_of(submission, "random-ticket") in retrainable(submission)


def test_without_weights_chains_from_trained_weights_cannot_be_trained(moons):
    for path in moons.rglob("final.safetensors"):
        path.unlink()
    submission = submission_of(moons)
    assert replayable(submission) == []
    left = {each.unit.method.name for each in retrainable(submission)}
    assert left == set(METHODS) - {"fine-tune", "lr-rewind"}


def test_without_the_ticket_its_controls_cannot_be_trained(moons):
    shutil.rmtree(moons / "example/moons/ticket")
    left = {each.unit.method.name for each in retrainable(submission_of(moons))}
    assert not left & {"ticket", "reinit", "reinit-signed", "permuted", "shuffled"}
    assert {"dense", "random-ticket", "one-shot"} <= left


def test_what_diverged_is_trained_again_and_not_replayed(moons, forge, here):
    def diverge(units):
        unit = units["random-ticket", 2, 0]
        unit.record.update(status="diverged", reason="the loss is not finite")
        unit.record["metrics"] = [{**each, "value": None} for each in unit.record["metrics"]]

    forge(moons, diverge)
    submission = submission_of(moons)
    assert entry_of(submission, "random-ticket") not in replayable(submission)
    (found,) = again(submission, ("retrain", "random-ticket"))
    lines = findings([found])
    assert any("claimed diverged, measured" in line for line in lines)


# Worker processes.


def test_in_worker_processes(trained, example, monkeypatch):
    for how in ("replay", "retrain"):
        monkeypatch.setitem(measuring.WORKS, how, f"example_again:{how}")
    submission = submission_of(trained)
    found = again(submission, ("replay", "ticket"), ("retrain", "random-ticket"))
    assert [each.differing for each in found] == [[], []]


def test_a_worker_that_dies_is_a_finding(trained, example, monkeypatch):
    class Dying(Here):
        def submit(self, job):
            future = Future()
            future.set_exception(WorkerDied("the worker process was killed by SIGKILL, 2 times\n\nmore"))
            return {job.parts[0].id: future}

    monkeypatch.setattr(measuring, "LocalLauncher", Dying)
    submission = submission_of(trained)
    (found,) = again(submission, ("retrain", "ticket"))
    (line,) = findings([found])
    assert line.endswith("its retrain failed: the worker process was killed by SIGKILL, 2 times")
    assert found.measurement is None


def test_a_line_between_twins_that_was_edited_is_found(moons, forge, here):
    def straighten(units):
        record = units["ticket-reordered", 2, 0].record
        record["interpolation"]["accuracy"][5] += 1.0
        record["digests"]["interpolation"] = json_digest(record["interpolation"])

    assert again(submission_of(moons), ("retrain", "ticket-reordered"))[0].differing == []
    forge(moons, straighten)
    assert findings_of(moons).findings == []
    (found,) = again(submission_of(moons), ("retrain", "ticket-reordered"))
    assert found.differing == ["interpolation"]


def test_how_survivors_differed_is_found_again_where_the_dense_states_are(moons, here):
    (found,) = again(submission_of(moons), ("retrain", "one-shot"))
    assert found.record["survival"] == found.entry.record["survival"]
    assert found.record["digests"]["survival"] == found.entry.record["digests"]["survival"]
    found.entry.record["digests"]["survival"] = "0" * 64
    assert found.differing == ["survival"]
    for path in moons.glob("example/moons/dense/s0/L00-*/final.safetensors"):
        path.unlink()
    (found,) = again(submission_of(moons), ("retrain", "ticket"))
    assert found.differing == []
    assert "survival" not in found.record


def test_a_twin_whose_weights_stayed_behind_is_trained_again_without_the_line(moons, here):
    for path in moons.glob("example/moons/ticket/s0/L02-*/final.safetensors"):
        path.unlink()
    (found,) = again(submission_of(moons), ("retrain", "ticket-reordered"))
    assert found.differing == []
    assert "interpolation" not in found.record


# The command.


@pytest.fixture
def moons_command(command, example, here):
    """The command line with the example domain alone, training in this process."""
    return command


def test_verify_measures_again_and_writes_lines(moons_command, moons, tmp_path):
    file = tmp_path / "measured" / "mine.jsonl"
    asked = ("verify", moons, "--replay", 2, "--retrain", 3, "--draw", 5, "--measured", file, "--workers", 1)
    code, out, err = moons_command(*asked)
    assert (code, err) == (0, "")
    assert "measuring 16 units again, drawn by --draw 5" in out
    assert out.count("equal to the bit") == 16
    assert out.endswith(f"{moons}: 64 units, no findings\n")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["how"] for each in lines].count("replay") == 2
    assert all(each["equal"] and each["claimed"] == each["measured"] for each in lines)
    _, again_, _ = moons_command(*asked)
    assert sorted(again_.splitlines()) == sorted(out.splitlines()), "--draw gives the same units"
    assert len(file.read_text().splitlines()) == 32, "lines are added"


def test_verify_draws_by_chance_unless_told(moons_command, moons):
    drawn = {moons_command("verify", moons, "--retrain", 1)[1].splitlines()[0] for _ in range(3)}
    assert len(drawn) == 3


def test_verify_finds_what_was_edited(moons_command, moons, forge, tmp_path):
    def change(units):
        for unit in units.values():
            unit.edit_scores(lambda value: value - 5)

    forge(moons, change)
    assert moons_command("verify", moons)[0] == 0
    for how in ("--replay", "--retrain"):
        code, out, err = moons_command("verify", moons, how, 1)
        assert (code, err) == (1, "")
        assert "on the same kind of machine with the same versions it has another" in out
        assert out.endswith(f"64 units, {out.count('it has another')} finding{'s' * (how == '--retrain')}\n")


def test_nothing_is_trained_of_a_submission_with_findings(moons_command, moons, forge, monkeypatch):
    def change(units):
        units["ticket", 2, 0].record["search_cost"] += 1

    forge(moons, change)
    monkeypatch.setattr(measuring, "remeasure", lambda *_, **__: sys.exit("it trained"))
    code, out, _ = moons_command("verify", moons, "--retrain", 1)
    assert code == 1
    assert "its search cost is" in out


def test_what_cannot_be_measured_is_said(moons_command, moons, tmp_path):
    for path in moons.rglob("final.safetensors"):
        path.unlink()
    code, out, err = moons_command("verify", moons, "--replay", 1)
    assert (code, err.count("\n")) == (2, 1)
    assert "nothing can be measured again: --replay needs weights" in err
    code, out, _ = moons_command("verify", moons, "--replay", 1, "--retrain", 1)
    assert code == 1, "what cannot be trained again is a finding"
    assert out.count("it cannot be trained again: the weights of the round before were not submitted") == 8
    assert "note: only 0 units have weights to replay" in out
    assert "note: mask believed of 22 units: the weights that ranked it were not submitted" in out
    assert "retrained" in out, "and the rest is measured all the same"
    code, _, err = moons_command("verify", moons, "--measured", tmp_path / "x.jsonl")
    assert (code, err.count("\n")) == (2, 1)


def test_the_role_of_what_was_submitted_is_no_methods():
    assert all(SUBMITTED not in method.parents for method in METHODS.values())
