"""Gives the mutated source of one module to whoever imports it; Python runs this file when an interpreter starts.

So processes that the code under test spawns see the mutant too, unless they are started without this environment.
"""

import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path


class Mutated(SourceFileLoader):
    """A module whose file is not what is compiled; no bytecode of it is read or written, since this is where that happens."""

    def get_code(self, fullname):
        return compile(Path(os.environ["MUTANT_SOURCE"]).read_text(), self.path, "exec", dont_inherit=True)


class Finder(PathFinder):
    """Finds the one mutated module."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname != os.environ["MUTANT_MODULE"]:
            return None
        spec = super().find_spec(fullname, path, target)
        spec.loader = Mutated(fullname, spec.origin)
        return spec


if "MUTANT_MODULE" in os.environ:
    sys.meta_path.insert(0, Finder)
