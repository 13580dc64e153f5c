"""What a process does that checks methods and tasks, without checking anything: it finds what it is told to."""

import json
import os

FOUND = "CHECKED_FOUND"
"""Environment variable: JSON of what is found, or `die`."""


def serve(pipe, threads):
    asked = json.loads(pipe.recv_bytes())
    if os.environ[FOUND] == "die":
        os._exit(7)
    about = f"{asked['method'] and asked['method']['name']} on {asked['task']['name']}, {len(asked['brought'])} brought"
    found = json.loads(os.environ[FOUND])
    for doing in found.get("doing", ()):
        pipe.send_bytes(json.dumps({"doing": doing}).encode())
    pipe.send_bytes(
        json.dumps({"wrong": [f"{about}: {each}" for each in found["wrong"]], "notes": found["notes"]}).encode()
    )
