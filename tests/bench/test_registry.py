"""Tasks and methods are found by name, built in or from whatever package is installed."""

import subprocess
import sys

import pytest

from bench import registry
from bench.errors import SpecError, UnknownName
from bench.spec import SCALES


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that brings a domain and some methods."""

    def install(**methods):
        folder = tmp_path / "guest-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
        lines = ["[ticketbench.domains]", "toy = guest:domain", "[ticketbench.methods]"]
        lines += [f"{name.replace('_', '-')} = guest:{value}" for name, value in methods.items()]
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / "guest.py").write_text(
            "import toy\nfrom bench.spec import Method\ndomain = toy.Toy()\n"
            "mine = Method(name='mine', mask='guest:mask', weights='fresh', training='full')\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        registry.domains.cache_clear()
        registry.methods.cache_clear()

    yield install
    registry.domains.cache_clear()
    registry.methods.cache_clear()
    sys.modules.pop("guest", None)


def test_a_package_brings_its_tasks(installed):
    installed()
    assert registry.task("toy/chain", "smoke").key == "toy/chain@smoke"
    assert "toy" in registry.domains()


def test_a_package_brings_its_methods(installed):
    installed(mine="mine")
    assert registry.method("mine").mask == "guest:mask"
    assert list(registry.methods())[-1] == "mine"


def test_no_package_replaces_a_built_in_method(installed):
    installed(random_ticket="mine")
    with pytest.raises(SpecError, match="'random-ticket' of guest:mine exists already"):
        registry.methods()


def test_unknown_names_suggest_the_nearest(toys):
    with pytest.raises(UnknownName, match="unknown task 'toy/chian': did you mean 'toy/chain'"):
        registry.task("toy/chian", "smoke")
    with pytest.raises(UnknownName, match=r"unknown scale of toy/chain 'paper': .*known are quick, smoke"):
        registry.task("toy/chain", "paper")
    with pytest.raises(UnknownName, match="unknown method 'tickt': did you mean 'ticket'"):
        registry.method("tickt")
    with pytest.raises(UnknownName, match="unknown domain 'music'"):
        registry.domain("music")


def test_every_built_in_method_is_filed_under_its_name():
    assert all(name == method.name and method.about for name, method in registry.methods().items())


def test_scales_go_from_the_smallest_to_the_papers():
    assert SCALES == ("smoke", "quick", "small", "paper")


def test_listing_tasks_and_methods_needs_no_torch():
    code = "import sys; from bench import registry; registry.tasks(); registry.methods(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
