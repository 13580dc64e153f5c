import io
import sys
import types

import pytest
import toy
from rich.console import Console

from bench.runs import progress
from bench.runs.estimates.pace import Left, Pace
from bench.runs.estimates.timing import Timing
from bench.runs.job import Outcome
from bench.runs.planning.frontier import Frontier
from bench.runs.planning.plan import plan as make_plan
from bench.runs.progress import Lines, LiveTable, NotebookBar, watch


@pytest.fixture
def stage(store):
    """A console, what was printed to it, and a run that goes unit by unit."""

    class Stage:
        def __init__(self, *, terminal, jupyter=False):
            self.text = io.StringIO()
            self.console = Console(
                file=self.text, force_terminal=terminal, force_jupyter=jupyter, width=120, legacy_windows=False
            )
            self.plan = make_plan(toy.suite(("dense",), seeds=(0, 1, 2)))
            self.frontier = Frontier(self.plan, store)
            self.board = watch(self.console, store, Pace(), workers=lambda: 1)

        def train(self, outcome):
            unit = self.frontier.next()
            self.board.started(unit, None)
            self.board.stands(self.frontier)
            self.board.step(unit.id, 20, {"accuracy": 71.25})
            if outcome.status == "ok":
                toy.finish(unit, store, self.plan)
                self.frontier.finish(unit, "ok", None)
            else:
                self.frontier.fail(unit, outcome.reason)
            self.board.stands(self.frontier)
            self.board.ended(unit, outcome)

    return Stage


def test_a_log_gets_plain_lines_at_a_bearable_pace(stage):
    scene = stage(terminal=False)
    assert type(scene.board) is Lines
    with scene.board:
        for _ in range(3):
            scene.train(Outcome(status="ok"))
    first, last = scene.text.getvalue().splitlines()
    assert first.startswith("[1/3]  toy/chain@smoke dense L0 s0  accuracy 71.25  0.")
    assert first.endswith("(1 s left)"), "two units at half a second"
    assert last.startswith("[3/3]  toy/chain@smoke dense L0 s2")
    assert "\x1b" not in scene.text.getvalue()


def test_a_log_that_was_silent_for_a_minute_says_how_it_stands(stage, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    scene = stage(terminal=False)
    units = [scene.frontier.next() for _ in range(2)]
    for unit in units:
        scene.board.started(unit, None)

    def after(seconds):
        nonlocal now
        now += seconds
        scene.board.stands(scene.frontier)
        return scene.text.getvalue().splitlines()

    assert after(59) == []
    first = "[0/3] done, 2 running, 1 waiting  (unknown left): toy/chain@smoke dense L0 s0 "
    assert after(2) == [first + "starting, toy/chain@smoke dense L0 s1 starting"]
    scene.board.step(units[0].id, 0, {})
    assert len(after(59)) == 1
    assert after(2)[1:] == [first + "0/30 updates, toy/chain@smoke dense L0 s1 starting"]
    scene.board.tell("a node was lost")
    assert len(after(59)) == 3, "what is said otherwise counts"
    monkeypatch.setattr(progress, "SHOWN", 1)
    assert after(2)[-1] == first + "0/30 updates, 1 more"
    for unit in scene.plan.units.values():
        scene.frontier.finish(unit, "ok", None)
    assert len(after(120)) == 4, "all is done"


def test_what_runs_is_left_as_far_as_it_is_not_trained(stage, monkeypatch):
    """The last unit of a night said to the end that half of it is left: two workers, of which one had nothing to do."""
    scene = stage(terminal=False)
    pace = Pace(timings={("toy/chain@smoke", False): Timing(start=0.0, step=60.0, evaluation=0.0)})
    board = watch(scene.console, scene.board._store, pace, workers=lambda: 2, style="plain")
    unit, *others = [scene.frontier.next() for _ in range(3)]
    for other in others:
        scene.frontier.finish(other, "ok", None)
    board.started(unit, None)
    monkeypatch.setattr(progress, "SILENCE", -1.0)

    def said():
        board.stands(scene.frontier)
        return scene.text.getvalue().splitlines()[-1].partition("waiting  ")[2].partition(":")[0]

    assert said() == "(30 min left)"
    board.step(unit.id, 0, {})
    assert said() == "(30 min left)"
    board.step(unit.id, 20, {"accuracy": 71.25})
    assert said() == "(10 min left)"
    board.step(unit.id, 0, {})
    assert said() == "(30 min left)", "its worker died, and another began it anew"
    board.step(unit.id, 10, {})
    board.step(unit.id, 25, {"accuracy": 71.25})
    assert said() == "(15 min left)", "half of its steps, from wherever it began"


@pytest.mark.parametrize("style", ["live", "none"])
def test_where_it_is_shown_all_the_time_or_never_wanted_no_silence_is_broken(stage, monkeypatch, style):
    monkeypatch.setattr(progress, "SILENCE", -1.0)
    scene = stage(terminal=style == "live")
    board = watch(scene.console, None, Pace(), workers=lambda: 1, style=style)
    board.started(scene.frontier.next(), None)
    board.stands(scene.frontier)
    assert scene.text.getvalue() == ""


def test_what_is_left_is_counted_anew_only_when_more_than_one_unit_is_gone(store, monkeypatch):
    counted = []
    monkeypatch.setattr(progress, "Left", lambda units=(): counted.append(Left(units)) or counted[-1])
    monkeypatch.setattr(progress, "RARELY", 0.0)
    plan = make_plan(toy.suite(("ticket", "snip"), levels=(1, 2, 3)))
    frontier, board = Frontier(plan, store), Lines(Console(file=io.StringIO()), store, Pace(), workers=lambda: 1)
    board.stands(frontier)
    assert [len(left) for left in counted] == [0, 7]
    while unit := frontier.next():
        board.started(unit, None)
        if unit.method.name == "ticket":
            frontier.fail(unit, "it broke")
        else:
            toy.finish(unit, store, plan)
            frontier.finish(unit, "ok", None)
        board.stands(frontier)
        board.ended(unit, Outcome(status="failed" if unit.method.name == "ticket" else "ok", reason="it broke"))
        assert len(counted[-1]) == len(frontier.todo)
    assert len(counted) == 3, "the two units that the ticket blocked"


def test_a_single_unit_that_is_left_is_counted(filled):
    """A run that goes on with one said that nothing is left, for as long as that took."""
    store, _ = filled
    wider = make_plan(toy.suite(("dense", "ticket", "reinit", "snip"), levels=(1, 3)))
    frontier, text = Frontier(wider, store), io.StringIO()
    frontier.finish(frontier.next(), "ok", None)
    board = Lines(Console(file=text, width=200), store, Pace(store.records()), workers=lambda: 1)
    board._spoke = float("-inf")
    board.stands(frontier)
    assert text.getvalue() == "[7/8] done, 0 running, 1 waiting  (1 s left)\n"


def test_failures_and_conflicts_are_always_told(stage):
    scene = stage(terminal=False)
    scene.train(Outcome(status="ok"))
    scene.train(Outcome(status="failed", reason="no [bold]data[/bold]"))
    scene.train(Outcome(status="ok", commit="conflict"))
    text = scene.text.getvalue()
    assert "[1/3]  toy/chain@smoke dense L0 s1  failed: no [bold]data[/bold]" in text, "nothing is markup"
    assert "warning: toy/chain@smoke dense L0 s2 was in the store with another result, which stays" in text


def test_a_terminal_gets_a_live_table(stage, monkeypatch):
    monkeypatch.setattr(progress, "OFTEN", 4)
    scene = stage(terminal=True)
    assert type(scene.board) is LiveTable
    unit = scene.frontier.next()
    scene.board.started(unit, None)
    scene.board.stands(scene.frontier)
    scene.console.print(scene.board)
    assert "toy/chain@smoke dense L0 s0  starting" in scene.text.getvalue()
    scene.board.step(unit.id, 20, {"accuracy": 71.25})
    scene.console.print(scene.board)
    assert "20/30 updates  accuracy 71.25  0 s" in scene.text.getvalue()
    assert "[0/3] done, 1 running, 2 waiting" in scene.text.getvalue()
    with scene.board:
        scene.train(Outcome(status="failed", reason="no data"))
    assert "failed: no data" in scene.text.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_the_stack_that_a_unit_sits_in_is_told_beside_it(stage, terminal):
    scene = stage(terminal=terminal)
    unit = scene.frontier.next()
    scene.board.started(unit, 20)
    if terminal:
        scene.console.print(scene.board)
        assert "starting    0 s in a stack of 20" in scene.text.getvalue()
    toy.finish(unit, scene.board._store, scene.plan, stack=20)
    scene.frontier.finish(unit, "ok", None)
    scene.board.stands(scene.frontier)
    scene.board.ended(unit, Outcome(status="ok"))
    assert " s in a stack of 20" in scene.text.getvalue().splitlines()[-1]


def test_more_units_than_a_terminal_has_lines_leave_room_for_the_count(stage):
    scene = stage(terminal=True)
    scene.console.height = 6
    while unit := scene.frontier.next():
        scene.board.started(unit, 3)
    scene.board.stands(scene.frontier)
    scene.console.print(scene.board)
    shown = scene.text.getvalue()
    assert shown.count("starting") == 2
    assert "and 1 more\n[0/3] done, 3 running, 0 waiting" in shown


@pytest.fixture
def shown(monkeypatch):
    """What a notebook was asked to display, and to display in its place."""
    told = []

    class Handle:
        def update(self, what):
            told.append((repr(what), what._repr_html_()))

    def display(what, *, display_id):
        assert display_id
        told.append((repr(what), what._repr_html_()))
        return Handle()

    module = types.ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return told


def test_a_notebook_gets_a_bar_that_is_redrawn_in_place(stage, shown):
    scene = stage(terminal=False, jupyter=True)
    assert type(scene.board) is NotebookBar
    with scene.board:
        scene.board.stands(scene.frontier)
        unit = scene.frontier.plan.units[next(iter(scene.frontier.todo))]
        scene.board.started(unit, 4)
        scene.board.step(unit.id, 20, {"accuracy": 71.25})
        scene.board.stands(scene.frontier)
        assert shown[-1][0] == "[0/3] done, 1 running, 2 waiting  (unknown left)"
        assert shown[-1][1].startswith('<progress value="0" max="3"></progress> [0/3] done')
        assert (
            "<small>toy/chain@smoke dense L0 s0  20/30 updates  accuracy 71.25  0 s in a stack of 4</small>"
            in shown[-1][1]
        )
        for _ in range(3):
            scene.train(Outcome(status="ok"))
    assert shown[-1] == (
        "[3/3] done, 0 running, 0 waiting",
        '<progress value="3" max="3"></progress> [3/3] done, 0 running, 0 waiting',
    )
    assert scene.text.getvalue() == "", "nothing but the bar"


def test_what_fails_in_a_notebook_stands_beside_the_bar(stage, shown):
    scene = stage(terminal=False, jupyter=True)
    scene.console.is_jupyter = False  # it would show lines by IPython
    with scene.board:
        scene.train(Outcome(status="failed", reason="RuntimeError: told to"))
    assert "failed: RuntimeError: told to" in scene.text.getvalue()
    assert ", 1 failed" in shown[-1][0]


def test_a_notebook_may_ask_for_another_style(stage):
    assert type(watch(Console(force_jupyter=True), None, Pace(), workers=lambda: 1, style="none")) is progress.Nothing
    assert type(watch(Console(force_jupyter=True), None, Pace(), workers=lambda: 1, style="plain")) is Lines
