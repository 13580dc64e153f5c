"""What a spec is as JSON."""

import json
from types import MappingProxyType

import pytest

from bench.errors import SpecError
from bench.spec import to_json


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, (float("-inf"),)], {"a": float("nan")}])
def test_a_number_that_is_not_finite_has_no_id(value):
    with pytest.raises(SpecError, match="only finite numbers have an id"):
        to_json(value)


def test_mappings_of_any_kind_are_plain_json():
    data = MappingProxyType({"a": (1, 2.5, None), "b": MappingProxyType({1: True})})
    assert json.dumps(to_json(data)) == '{"a": [1, 2.5, null], "b": {"1": true}}'
