"""`python -m cluster.raylets JSON`: a Ray cluster of two nodes with one core each, until its standard input ends.

The JSON holds what else the second node has.

Prints one line of JSON: the address, and the process id of each node's raylet.
"""

import json
import os
import sys
import tempfile
from contextlib import suppress

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "500",  # a dead node is known after a second or two, else after 20
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "2",
}
from ray.cluster_utils import Cluster


def node(cluster, tries=2, **options):
    """Add one; Ray waits 30 s for its own processes, which a loaded machine may miss once."""
    try:
        small = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
        return cluster.add_node(include_dashboard=False, **{**small, **options})
    except Exception:
        if tries == 1:
            raise
        return node(cluster, tries - 1, **options)


def main():
    cluster, folder = Cluster(), tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    try:
        nodes = [node(cluster, temp_dir=folder.name), node(cluster, **json.loads(sys.argv[1]))]
        raylets = [each.all_processes["raylet"][0].process.pid for each in nodes]
        print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)  # noqa: T201
        sys.stdin.read()
    finally:
        for each in [*cluster.worker_nodes, *([cluster.head_node] if cluster.head_node else [])]:
            with suppress(Exception):  # some were killed by the tests
                each.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        folder.cleanup()


if __name__ == "__main__":
    main()
