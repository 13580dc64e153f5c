import json
import sysconfig
from pathlib import Path

import pytest

from bench.errors import DataError, UnknownName
from bench.runs.failure import LINE, LONGEST, report, summary


def raised(call):
    with pytest.raises(BaseException) as info:
        call()
    return info.value


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnknownName("task", "x", ["y"]), "unknown task 'x': known are y"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\n\n  two"), "ValueError: two"),
        (KeyError(), "KeyError"),
    ],
)
def test_an_error_is_told_in_one_line(error, line):
    assert summary(error) == line


def test_the_frame_that_raised_is_named():
    def learner():
        raise ValueError("here")

    line = learner.__code__.co_firstlineno + 1
    assert summary(raised(learner)) == f"ValueError: here ({Path(__file__)}:{line})"


def test_what_a_user_can_mend_says_what_to_do_and_not_where_in_the_code():
    def learner():
        raise DataError("no data: get them")

    assert summary(raised(learner)) == "no data: get them"
    assert "test_failure.py" in report(raised(learner))


def test_an_error_inside_of_a_library_names_the_line_that_called_it():
    def learner():
        json.loads("{")

    line = learner.__code__.co_firstlineno + 1
    assert f"({Path(__file__)}:{line}, inside json/decoder.py:" in summary(raised(learner))


@pytest.mark.parametrize(("package", "is_ours"), [("domains", True), ("torch", False)])
def test_an_installed_domain_is_no_library(package, is_ours):
    installed = Path(sysconfig.get_path("purelib")) / package / "made_up.py"
    scope = {}
    exec(compile("def learn():\n    raise ValueError('deep')", str(installed), "exec"), scope)  # noqa: S102
    line = summary(raised(scope["learn"]))
    assert line.endswith(f"({package}/made_up.py:2)" if is_ours else f"inside {package}/made_up.py:2)")


def test_what_is_too_long_loses_its_middle():
    def learner():
        raise ValueError("first\n" + "x" * 5_000_000 + "last")

    error = raised(learner)
    text = report(error)
    assert text.startswith(f"ValueError: first ({Path(__file__)}:")
    assert "Traceback" in text
    assert "bytes are left out" in text
    assert text.endswith("last\n")
    assert len(text.encode()) <= LONGEST
    assert len(summary(ValueError("x" * 1000))) == LINE + len(" ...")
