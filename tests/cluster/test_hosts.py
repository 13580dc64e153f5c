"""Two hostnames and one store, without any engine."""

import pytest
from cluster.hosts import on
from cluster.slurm import wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("apart", [False, True], ids=["hosts", "containers"])
def test_they_share_the_work(runs, alone, apart):
    both = [runs.begin(on(host, *runs.command("toys", "--workers", "1"), apart=apart)) for host in ("one", "two")]
    for process in both:
        assert process.wait(200) == 0, process.told()
    runs.check(alone("toys"), lost=len(alone("toys")) // 20)
    assert min(runs.hosts()[host] for host in ("one", "two")) > len(alone("toys")) / 4, "each does its part"
    assert not runs.processes()


def test_the_smoke_suite_ends_as_alone(runs, alone):
    both = [runs.begin(on(host, *runs.command("smoke", "--workers", "1"))) for host in ("one", "two")]
    for process in both:
        assert process.wait(280) == 0, process.told()
    runs.check(alone("smoke"), lost=len(alone("smoke")) // 20)


def test_one_is_killed_and_the_same_command_goes_on(runs, alone):
    one, two = (runs.begin(on(host, *runs.command("toys", "--workers", "1"))) for host in ("one", "two"))
    wait_until(lambda: runs.done() >= 4)
    two.kill()
    two.wait()
    before = runs.finished()
    runs.finish(on("two", *runs.command("toys", "--workers", "1")))
    assert one.wait(100) == 0, one.told()
    runs.check(alone("toys"), before=before, lost=1)
    assert not runs.processes()
