"""Wheels, and environments that hold nothing but what wheels bring."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*words, cwd, code=0, **environment):
    """What a command prints, which ends with that code."""
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def build(project, folder):
    """The wheel of a project, put into a folder."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project), cwd=folder)
    (path,) = Path(folder).glob("*.whl")
    return path


class Environment:
    """A virtual environment with some wheels; what they need is borrowed, torch is large.

    Args:
        folder: where it is made.
        wheels: paths.
    """

    def __init__(self, folder, *wheels):
        run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
        self.bin = folder / "bin"
        install = ("-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet", "--no-deps", "--no-index")
        run(sys.executable, *install, *map(str, wheels), cwd=folder)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))  # no .pth file in there is read: no checkout

    def run(self, *words, cwd, code=0):
        """What a command of the environment prints."""
        path = os.pathsep.join([str(self.bin), os.environ["PATH"]])
        return run(str(self.bin / words[0]), *words[1:], cwd=cwd, code=code, PATH=path, PYTHONPATH="")
