"""A Slurm cluster of two nodes on this machine: its real daemons, in a folder of their own, without systemd."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdSpoolDir={folder}/slurmd.%n
StateSaveLocation={folder}/slurmctld
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdTimeout=8
InactiveLimit=0
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=2000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=2000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
COMMANDS = ("slurmctld", "slurmd", "sbatch", "munged")
SBIN = os.pathsep.join(["/usr/sbin", "/sbin"])


def missing():
    """Which of Slurm's programs are not here, and whether this is root."""
    lacking = [name for name in COMMANDS if not shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}{SBIN}")]
    return [*lacking, *([] if os.geteuid() == 0 else ["the rights of root"])]


class Slurm:
    """The daemons, each a child of this process.

    Args:
        folder: a short path, for the sockets in it.
        environment: of the daemons.
    """

    def __init__(self, folder, environment):
        self.folder = Path(folder)
        self.environment = {
            **environment,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{environment['PATH']}{os.pathsep}{SBIN}",
        }
        self.daemons = {}

    def start(self):
        for name in ("slurmctld", "slurmd.n1", "slurmd.n2"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        text = CONFIGURATION.format(host=host, folder=self.folder, ports=free_ports(3))
        (self.folder / "slurm.conf").write_text(text)
        files = [f"--{what}={self.folder}/munge.{ending}" for what, ending in MUNGE.items()]
        self._begin("munged", "--foreground", "--force", *files)
        wait_until((self.folder / "munge.socket").exists)
        self._begin("slurmctld", "-D")
        self.begin_node("n1")
        self.begin_node("n2")
        wait_until(lambda: self.ask("sinfo", "-h", "-o", "%T %D") == "idle 2", seconds=60)

    def begin_node(self, name):
        self._begin(f"slurmd.{name}", "-D", "-N", name, program="slurmd")

    def _begin(self, name, *options, program=None):
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(program or name, path=self.environment["PATH"]), *options],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def ask(self, *command):
        done = subprocess.run(command, check=False, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def is_idle(self):
        return self.ask("squeue", "-h") == ""

    def kill(self, name):
        self.daemons[name].kill()
        self.daemons[name].wait()

    def stop(self):
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            self.ask("scancel", "--signal=KILL", "--full", "--user=root")
            self.ask("scancel", "--user=root")
        for name, daemon in reversed(self.daemons.items()):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                self.kill(name)


MUNGE = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)
