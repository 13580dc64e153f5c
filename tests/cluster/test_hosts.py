"""Two hostnames and one store, without any engine."""

import pytest
from cluster.hosts import on
from cluster.slurm import wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("apart", [False, True], ids=["hosts", "containers"])
def test_they_share_the_work(runs, alone, apart):
    both = [runs.begin(on(host, *runs.command("toys"), apart=apart)) for host in ("one", "two")]
    for process in both:
        assert process.wait(200) == 0, process.told()
    runs.check(alone("toys"))
    assert runs.trainings().total() < 1.05 * len(alone("toys"))
    assert all(process.told().count("ended") > len(alone("toys")) / 4 for process in both), "each does its part"
    assert not runs.processes()


def test_the_smoke_suite_ends_as_alone(runs, alone):
    both = [runs.begin(on(host, *runs.command("smoke"))) for host in ("one", "two")]
    for process in both:
        assert process.wait(280) == 0, process.told()
    runs.check(alone("smoke"))
    assert runs.trainings().total() < 1.05 * len(alone("smoke"))


def test_one_is_killed_and_the_same_command_goes_on(runs, alone):
    one, two = (runs.begin(on(host, *runs.command("toys"))) for host in ("one", "two"))
    wait_until(lambda: runs.done() >= 4)
    two.kill()
    two.wait()
    runs.finish(on("two", *runs.command("toys")))
    assert one.wait(100) == 0, one.told()
    runs.check(alone("toys"))
    assert set(runs.trainings().values()) == {1}
    assert not runs.processes()
