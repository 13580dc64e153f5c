"""Versions are told without importing what they are of, and one checkout differs from another."""

import subprocess
import sys
from importlib.metadata import version

from bench import __version__, versions


def test_what_is_installed():
    found = versions.installed()
    assert found["ticketbench"] == __version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["torch"] == version("torch")
    assert "no-such-package" not in found


def test_nothing_is_imported_for_it():
    code = "import sys; from bench import versions; versions.code(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_line_of_code_is_another_source(tmp_path, monkeypatch):
    ours = versions.code()["ticketbench's source"]
    module = tmp_path / "bench" / "deep" / "module.py"
    module.parent.mkdir(parents=True)
    (tmp_path / "domains").mkdir()
    monkeypatch.setattr(
        versions,
        "find_spec",
        lambda name: type("Spec", (), {"submodule_search_locations": [str(tmp_path / name)]}),
    )
    sources = []
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        module.write_text(text)
        sources.append(versions._source())
    module.rename(module.with_name("other.py"))
    sources.append(versions._source())
    assert sources[0] == sources[2]
    assert len(set(sources)) == 3
    assert ours not in sources
