"""Sphinx: MyST pages, the API from docstrings, warnings as errors."""

import typing

from bench import __version__

# bounded numbers and any JSON are told as `float` and `Any`, not spelled out six levels deep
typing.TYPE_CHECKING = True
import bench.schema  # noqa: E402, F401

typing.TYPE_CHECKING = False

project = "Ticket Bench"
author = "the Ticket Bench developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Ticket Bench {__version__}"
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_use_rtype = False
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [
    (r"py:class", r"bench\.(schema\.Kind|record\.Recorded)"),
    (
        r"py:.*",
        r"(torch|numpy|np|nn|Tensor|NDArray|safetensors|pathlib|collections|datetime|concurrent|multiprocessing)(\..*)?",
    ),
    (
        r"py:.*",
        r"(msgspec\.Meta|(ge|le|min_length|max_length|pattern)=.*|\^<>.*|\+.*Z')",
    ),  # the bounds of schema's types
    (r"py:.*", r"(Any|Callable|Iterable|Iterator|Mapping|Sequence|Path|Literal|Role|Kind|optional|dtype)(\[.*)?"),
]
