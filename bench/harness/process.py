"""Child processes: started in their own session, watched, and ended for certain."""

import atexit
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

START_BOUND_SECONDS = 60
STOP_BOUND_SECONDS = 30


class Failed(Exception):
    """A run that cannot go on; the message is for a person."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_running = []


@atexit.register
def _end_all():
    for process in reversed(_running[:]):
        process.stop()


def end_all_when_stopped():
    """SIGTERM ends this program as Ctrl-C does, and with it all that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


class Process:
    def __init__(self, command, log, env=None, user=None, cwd=None):
        self.name = pathlib.Path(str(command[0])).name
        self.log = pathlib.Path(log)
        if user and os.geteuid() == 0:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen([str(part) for part in command], stdout=output,
                                           stderr=output, stdin=subprocess.DEVNULL, cwd=cwd,
                                           env={**os.environ, **(env or {})},
                                           start_new_session=True)
        self.pid = self._child.pid
        _running.append(self)

    def running(self):
        return self._child.poll() is None

    def wait_until(self, ready, what):
        """Waits until ready() is true; fails when the process ends or takes too long."""
        until = time.monotonic() + START_BOUND_SECONDS
        while not ready():
            if not self.running():
                raise Failed(f"{self.name} ended while it should have {what}:\n{self.tail()}")
            if time.monotonic() > until:
                self.stop()
                raise Failed(f"{self.name} has not {what} in {START_BOUND_SECONDS} s:\n{self.tail()}")
            time.sleep(0.02)

    def wait_for_port(self, port):
        def open_for_connections():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        self.wait_until(open_for_connections, f"opened port {port}")

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, how=signal.SIGTERM):
        if self.running():
            self._child.send_signal(how)
            try:
                self._child.wait(STOP_BOUND_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """Ends the process and all that it started, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()
        if self in _running:
            _running.remove(self)

    def wait(self):
        """The exit status of a process that ends by itself."""
        status = self._child.wait()
        self.kill()
        return status


def cpu_seconds(pids):
    """User and system time of processes and all that descend from them, to a hundredth."""
    stats = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(entry)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    family = set(pids)
    while True:
        more = {pid for pid, (parent, _) in stats.items() if parent in family} - family
        if not more:
            break
        family |= more
    return sum(stats[pid][1] for pid in family if pid in stats) / os.sysconf("SC_CLK_TCK")
