"""Runs the tests of a module against every mutant of it: a mutant that they pass is an edit nobody would notice.

    python tests/mutation/run.py bench/tickets/masks.py [--tests PATH ...] [--sample N --seed S] [--jobs J]

mutmut and cosmic-ray start an interpreter for every mutant, which with torch takes four seconds before the first test;
here the libraries are imported once, and a forked child a mutant imports the rest. A mutant that hangs is killed.
"""

import argparse
import contextlib
import gc
import multiprocessing
import os
import random
import runpy
import signal
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from mutants import mutants

HERE = Path(__file__).parent
HOOK = HERE / "hook"
FLOOR = 0.95
"""Share of the mutants that are not equivalent which a module's tests must kill."""
PYTEST = (
    "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin",
    "-W", "ignore::pytest.PytestAssertRewriteWarning", "--hypothesis-profile", "mutation",
)  # fmt: skip
say = partial(print, flush=True)


@dataclass(frozen=True)
class Module:
    """A module and what belongs to it.

    Args:
        path: its file.
        tests: what must notice an edit of it.
        equivalent: (text of the line, change) -> why the mutant behaves as the module does.
    """

    path: Path
    tests: list[str]
    equivalent: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def name(self):
        return ".".join(self.path.with_suffix("").parts)

    def key(self, mutant):
        """How `equivalent.toml` calls a mutant: by the text of its line, since numbers move."""
        lines = self.path.read_text().splitlines()
        return lines[mutant.line - 1].strip(), f"{mutant.before} -> {mutant.after}"


def modules(asked, tests, folder):
    """The modules asked for: files, or all that the map knows below a folder."""
    known = tomllib.loads((folder / "modules.toml").read_text())["tests"]
    listed = tomllib.loads((folder / "equivalent.toml").read_text()).get("mutant", [])
    names = [name for name in asked if name.endswith(".py")]
    names += [name for name in known if any(Path(name).is_relative_to(each) for each in asked if each not in names)]
    for name in names:
        mirror = Path("tests") / Path(name).with_name(f"test_{Path(name).name}")
        own = [str(mirror)] if mirror.exists() else []
        equivalent = {(entry["line"], entry["change"]): entry["reason"] for entry in listed if entry["module"] == name}
        chosen = tests or own + known.get(name, [])
        if not chosen:
            sys.exit(f"{name}: no tests known: write them into {folder / 'modules.toml'}, or give --tests")
        yield Module(Path(name), chosen, equivalent)


def start(module, source):
    """A child process that runs the module's tests with `source` in its place, and exits with pytest's code."""
    process = multiprocessing.get_context("fork").Process(target=_child, args=(module, source))
    process.start()
    return process


def _child(module, source):
    os.setsid()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(source)
        file.flush()
        inherited = filter(None, [os.environ.get("PYTHONPATH")])
        os.environ |= {
            "MUTANT_MODULE": module.name, "MUTANT_SOURCE": file.name,
            "PYTHONPATH": os.pathsep.join([str(HOOK), *inherited]),
        }  # fmt: skip
        runpy.run_path(str(HOOK / "sitecustomize.py"))
        sys.path.insert(0, str(Path.cwd()))
        code = pytest.main([*PYTEST, *module.tests])
    sys.exit(int(code))


def outcomes(module, sources, *, seconds, jobs=1):
    """(index of the source, whether the tests passed) of each, in the order in which they end."""
    waiting, running = list(enumerate(sources))[::-1], {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index, source = waiting.pop()
            process = start(module, source)
            running[process.sentinel] = index, process, time.monotonic() + seconds
        soonest = min(deadline for *_, deadline in running.values())
        ended = wait(running, timeout=max(0, soonest - time.monotonic()))
        for sentinel, (index, process, deadline) in list(running.items()):
            if sentinel in ended or time.monotonic() >= deadline:
                del running[sentinel]
                yield index, _end(process) == 0


def _end(process):
    """The exit code of a child that has ended or must; workers that it left behind end with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode


def survivors(module, chosen, *, jobs):
    """The mutants that pass every test, as they are found."""
    begun = time.monotonic()
    if not all(passed for _, passed in outcomes(module, [module.path.read_text()], seconds=900)):
        sys.exit(f"{module.path}: its tests fail without any mutant: run pytest {' '.join(module.tests)}")
    seconds = 5 + 5 * (time.monotonic() - begun)
    ends = outcomes(module, [mutant.source for mutant in chosen], seconds=seconds, jobs=jobs)
    return (chosen[index] for index, passed in ends if passed)


def examine(module, *, sample, seed, jobs):
    """Print a line for every survivor that is not known to be equivalent, and the summary; gives the share killed."""
    begun, alive = time.monotonic(), []
    chosen = mutants(module.path.read_text())
    if sample is not None:
        chosen = random.Random(seed).sample(chosen, min(sample, len(chosen)))
    for mutant in survivors(module, chosen, jobs=jobs):
        line, change = module.key(mutant)
        alive.append((line, change))
        if (line, change) not in module.equivalent:
            say(f"{module.path}:{mutant.line}: {change}    in: {line}")
    for line, change in module.equivalent.keys() - alive if sample is None else ():
        say(f"{module.path}: no survivor any more: {change}    in: {line}")
    equivalent = sum(key in module.equivalent for key in alive)
    killed, counted = len(chosen) - len(alive), len(chosen) - equivalent
    share = killed / max(1, counted)
    seconds = time.monotonic() - begun
    say(f"{module.path}: {killed} of {counted} killed ({share:.1%}), {equivalent} equivalent, {seconds:.0f} s")
    return share


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=["."], help="modules, or folders of those in modules.toml; all")
    parser.add_argument("--tests", nargs="+", help="instead of the module's own")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, drawn by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=HERE, help="where modules.toml and equivalent.toml are")
    asked = parser.parse_args()
    for name in tomllib.loads((asked.folder / "modules.toml").read_text())["preload"]:
        import_module(name)
    settings.register_profile("mutation", derandomize=True, phases=[Phase.generate])  # a failure need not be small
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    gc.freeze()  # or every child would walk through all that the libraries made
    chosen = list(modules(asked.paths, asked.tests, asked.folder))
    shares = [examine(module, sample=asked.sample, seed=asked.seed, jobs=asked.jobs) for module in chosen]
    sys.exit(0 if shares and min(shares) >= FLOOR else 1)


if __name__ == "__main__":
    main()
