"""Thousands of bad folders take as much longer as there are more of them."""

import json
import time
from copy import deepcopy

import pytest

from bench.exchange.verify import findings_of
from bench.spec import Unit, unit_id
from bench.store.store import Store


def malformed(record, number):
    record["counts"] = None
    return record["spec"], record


def other_id(record, number):
    record["unit_id"] = f"{number:064x}"
    return record["spec"], record


def of_its_own_seed(record, number):
    record["spec"]["seed"] = number
    record["unit_id"] = unit_id(record["spec"])
    return record["spec"], record


def of_its_own_task(record, number):
    record["spec"]["task"].update(name=f"toy/task-{number}")
    record["unit_id"] = unit_id(record["spec"])
    return record["spec"], record


def of_its_own_method(record, number):
    """Which lacks every seed of the others, one of them diverged."""
    record["spec"]["method"].update(name=f"method-{number}")
    record["spec"].update(seed=number)
    record.update(status="diverged" if number % 2 else "ok", reason="it is")
    record["unit_id"] = unit_id(record["spec"])
    return record["spec"], record


def of_one_place(record, number):
    record["spec"]["task"]["config"] = {"seconds": float(number)}
    record["unit_id"] = unit_id(record["spec"])
    return record["spec"], record


KINDS = (malformed, other_id, of_its_own_seed, of_its_own_task, of_its_own_method, of_one_place)


def bad_store(root, count, kind, honest):
    Store(root).prepare()
    for number in range(count):
        spec, record = kind(deepcopy(honest), number)
        folder = root / Unit.from_spec(spec).path if kind is not malformed else root / f"toy/s{number}/L01-0123456789"
        if kind is other_id:
            folder = folder.with_name(f"L01-{number:010x}")
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record))
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_twice_as_many_bad_folders_take_twice_as_long(runs, toys, tmp_path, kind):
    path = next((runs / "toy/chain/random-ticket/s0").glob("L01*")) / "record.json"
    honest = json.loads(path.read_text())
    seconds = {}
    for count in (100, 300):
        root = bad_store(tmp_path / f"{kind.__name__}-{count}", count, kind, honest)
        times = []
        for _ in range(2):
            begun = time.process_time()
            found = findings_of(root)
            times.append(time.process_time() - begun)
        seconds[count] = min(times)
        assert found.units == count
        assert len(found.findings) >= count, "each is found"
    assert seconds[300] < 3 * seconds[100] * 1.7
