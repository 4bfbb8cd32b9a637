"""The load generator, run once per measurement."""

import json
import subprocess
import time

from . import process

RUN_BOUND_SECONDS = 900


class LoadGenerator:
    def __init__(self, program, prefix=()):
        self.program = str(program)
        self.prefix = list(prefix)

    def run(self, port, arguments, broker_pids=()):
        """One run; its report, in which "ok" is false when any answer was wrong."""
        command = [*self.prefix, self.program, *arguments, "--port", str(port), "--json", "-"]
        for pid in broker_pids:
            command += ["--broker-pid", str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_BOUND_SECONDS)
        if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
            raise process.Failed(f"{' '.join(command)}\n{done.stderr.strip()}")
        report = json.loads(done.stdout)
        report["ok"] = report["ok"] and done.returncode == 0
        return report


def wrong_answers(report):
    """What was wrong with a run, in words; empty when nothing was."""
    found = {**report["wrong"], **report["errors"]}
    return ", ".join(f"{count} {name}" for name, count in found.items() if count)
