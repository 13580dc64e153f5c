import pytest

from bench.report.show import show


def _curve(points):
    return [
        {"step": 10 * place, "updates": place, "metrics": {"val": {"loss": 1 / (place + 1)}, "test": {"accuracy": 0.5}}}
        for place in range(points)
    ]


def _line(text, start):
    (found,) = [line.split() for line in text.splitlines() if line.strip().startswith(start)]
    return found


def test_an_imported_ticket_says_so(record):
    found = {**record("ticket", 9, 2, 0.93), "imported": "ab" * 32}
    assert f"  imported  elsewhere, from a ticket file with sha256 {'ab' * 32}\n" in show(found, [])
    assert "imported" not in show(record("ticket", 9, 2, 0.93), [])


def test_everything_a_record_says(record, task):
    asked = task(deviations=("Adam instead of SGD.",))
    found = record(
        "ticket", 9, 2, 0.93, task=asked, nulls={"overlap": "no parent"}, parents={"abc": "def"}, env_steps=12345
    )
    text = show(found, _curve(3))
    assert text.startswith(f"vision/toy@small ticket L9 s2\n  unit    {found['unit_id']}\n  status  ok\n")
    assert _line(text, "fc1.weight") == ["fc1.weight", "800", "800", "2", "0.25", "%"]
    assert _line(text, "fc2.weight") == ["fc2.weight", "200", "200", "0", "0", "%", "collapsed"]
    assert _line(text, "group hidden") == ["group", "hidden", "800", "800", "2", "0.25", "%"]
    assert _line(text, "network") == ["network", "1,030", "1,000", "2", "0.2", "%"]
    assert _line(text, "accuracy  test") == [
        "accuracy",
        "test",
        "final",
        "1000",
        "0.93",
        "max",
        "the",
        "task's",
        "score",
    ]
    assert _line(text, "environment steps") == ["environment", "steps", "12,345"]
    assert _line(text, "search cost")[2] == "10,000"
    for said in (
        "Adam instead of SGD.",
        "overlap  no parent",
        "abc  def",
        "versions torch",
        *found["digests"].values(),
    ):
        assert said in text
    assert text.endswith("\n")
    assert all(line == line.rstrip() for line in text.splitlines())


def test_test_items_are_counted(record):
    items = {"metric": "bleu", "split": "test", "signature": "tok:13a", "statistics": ["1 1 1 0 0 0"] * 1200}
    text = show(record("ticket", 1, 0, 0.9, items=items), [])
    assert "test items\n  bleu  test  1,200 items  tok:13a\n" in text
    assert "test items" not in show(record("ticket", 1, 0, 0.9), [])


def test_every_node_of_teacher_and_student_is_told(record):
    teachers = {
        "fanout": [2.5, 1.25], "dead": [False, True], "correlation_initial": [0.25, 0.0], "correlation_early": None,
        "initial_rank": [0.5, None],
    }  # fmt: skip
    layer = {"layer": "hidden1", "teachers": teachers, "students": {"kept_in": [3], "teacher_final": [0]}}
    text = show(record("ticket", 1, 0, 0.9, nodes=[layer]), [])
    assert (
        "teacher nodes of hidden1\n"
        "  node  fanout  dead  correlation initial  initial rank\n"
        "  0     2.5     no    0.25                 0.5\n"
        "  1     1.25    yes   0                    null\n"
        "\n"
        "student nodes of hidden1\n"
        "  node  kept in  teacher final\n"
        "  0     3        0\n"
    ) in text
    assert "nodes of" not in show(record("ticket", 1, 0, 0.9), [])
    layer["students"]["kept_in"] = [3, 3]
    assert "nodes of" not in show(record("ticket", 1, 0, 0.9, nodes=[layer]), []), "lists that do not fit together"


def test_how_survivors_differed_is_told_where_it_is_known(record):
    text = show(record("ticket", 1, 0, 0.9, survival={"initial": 0.6125, "movement": -0.25}), [])
    assert "  chance of having begun larger in magnitude                0.613\n" in text
    assert "  moved farther, in standard deviations of initial weights  -0.250\n" in text
    assert "pruned ones" not in show(record("ticket", 1, 0, 0.9), [])


def test_a_diverged_record_says_why(record):
    text = show(record("snip", 1, 0, None), [])
    assert "status  diverged: loss is not finite at step 40" in text
    assert "\nmetrics\n" not in text
    assert "\ncurve\n" not in text


@pytest.mark.parametrize(("points", "shown"), [(1, 1), (2, 2), (8, 8), (9, 8), (1000, 8)])
def test_the_curve_is_thinned_to_a_few_points_with_both_ends(record, points, shown):
    text = show(record("ticket", 1, 0, 0.9), _curve(points))
    lines = text.partition("\ncurve\n")[2].partition("\n\n")[0].splitlines()
    assert lines[0].split() == ["step", "updates", "test", "accuracy", "val", "loss"]
    assert len(lines) == 1 + shown
    assert lines[1].split()[0] == "0"
    assert lines[-1].split()[0] == str(10 * (points - 1))


def test_points_without_a_metric_say_null(record):
    points = [*_curve(1), {"step": 20, "updates": 2, "metrics": {"val": {"loss": 0.5}}}]
    assert "  20    2        null           0.5\n" in show(record("ticket", 1, 0, 0.9), points)


def test_exempt_layers_and_unknown_flops(record):
    found = record("ticket", 1, 0, 0.9, flops=None, flops_dense=None, effective_density=None)
    found["counts"]["layers"]["norm.weight"] = {"all": 8, "prunable": 0, "kept": 0}
    text = show(found, [])
    assert _line(text, "norm.weight") == ["norm.weight", "8", "0", "0", "exempt"]
    assert _line(text, "multiply-adds") == ["multiply-adds", "null"]


def test_a_terminal_gets_no_escape_sequences(record):
    assert "\x1b" not in show(record("\x1b[31mred", 1, 0, 0.9), [])


def test_the_stack_that_a_unit_was_trained_in_is_told(record):
    found = record("ticket", 1, 0, 0.9)
    assert "trained" not in show(found, []).partition("asked")[0]
    found["provenance"]["stack"] = 20
    assert _line(show(found, []), "trained") == ["trained", "in", "a", "stack", "of", "20"]
