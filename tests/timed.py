"""For tests of seconds and bytes: lines of made-up measurements, and a process that measures without torch."""

import json
import os
from pathlib import Path

from bench.speed import BYTES, TIMED, WAYS
from bench.store.attempt import read_record

FAST = {"dense": 1.0, "masked": 0.9, "sparse": 2.0}
TROUBLE = "TIMED_TROUBLE"
"""Environment variable: what the process answers instead of a measurement, as JSON; `die` ends it."""


def spread(median):
    return {"median": median, "low": 0.75 * median, "high": 1.5 * median}


def execution(way):
    faster = {name: spread(FAST[way]) for name in TIMED}
    seconds = {name: spread(0.001 / FAST[way]) for name in TIMED}
    return {"seconds": seconds, "faster": faster, **dict.fromkeys(BYTES, 250 if way == "sparse" else 1000)}


def build_speed(record, **changes):
    """What might have been measured of the unit of a record; `changes` replace fields."""
    task = record["spec"]["task"]
    return {
        "format": 1,
        "unit_id": record["unit_id"],
        "result": record["digests"]["result"],
        "task": f"{task['name']}@{task['scale']}",
        "method": record["spec"]["method"]["name"],
        "level": record["spec"]["level"],
        "seed": record["spec"]["seed"],
        **{name: record[name] for name in ("density", "flops", "flops_dense")},
        "batch": 60,
        "rounds": 30,
        "clock": "processor",
        "executions": {way: execution(way) for way in WAYS},
        "several": {"nets": 16, "seconds": spread(0.005), "faster": spread(3.2)},
        "masked_dense": {},
        "nulls": {},
        "tolerance": {"outputs": 1e-5, "gradients": 1e-5, "updates": 0.01},
        "difference": {"outputs": 2e-7, "gradients": 3e-7, "updates": 4e-7},
        "provenance": {
            "cpu": "some model",
            "device": "cpu",
            "capability": "AVX2",
            "threads": 1,
            "versions": {"torch": "2.6.0"},
            "end": "2024-05-06T07:08:09+00:00",
        },
        **changes,
    }


def serve(pipe, threads, device, rounds):
    """What `bench.tickets.speed.serve.serve` does, without measuring anything."""
    while True:
        try:
            folder = Path(pipe.recv_bytes().decode())
        except EOFError:
            return
        record = read_record(folder)
        trouble = json.loads(os.environ.get(TROUBLE, "{}")).get(str(record["spec"]["level"]))
        if trouble == "die":
            os._exit(7)
        speed = build_speed(record, rounds=int(rounds))
        speed["provenance"] |= {"threads": threads, "device": device}
        pipe.send_bytes(json.dumps(trouble or {"speed": speed}).encode())
