"""A made-up world for every test of this room: its tasks are installed as its records tell them."""

import pytest
from browsers import chromium
from records import as_told, install, record_builder, study_builder, task_builder

__all__ = ["as_told", "chromium", "install", "record_builder", "study_builder", "task_builder"]


@pytest.fixture(scope="module", autouse=True)
def _a_world_of_its_own(as_told):
    pass
