"""`export` where TensorBoard is not installed; `report/test_tensorboard.py` has it where it is."""

import sys


def test_without_tensorboard_one_line_names_the_extra(command, suite_file, finished, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [each for each in sys.modules if each.startswith(("tensorboard.", "bench.report.tensorboard"))]:
        monkeypatch.delitem(sys.modules, name)
    code, out, err = command("export", suite_file, "--store", finished, "--tensorboard", tmp_path / "curves")
    assert (code, out) == (2, "")
    assert err == (
        "ticketbench: --tensorboard needs tensorboard, which is not installed: pip install 'ticketbench[tensorboard]'\n"
    )
    assert not (tmp_path / "curves").exists()
