"""A PostgreSQL of the benchmark's own, with the settings of the hub's embedded one."""

import os
import pathlib
import shutil
import signal
import subprocess

from . import process

# What the hub gives to its embedded cluster, so that both sides of a comparison have it.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "wal_buffers": "16MB",
    "wal_compression": "lz4",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "30s",
    "jit": "off",
}


def binary(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found:
        return str(found[-1])
    on_path = shutil.which(name)
    if on_path is None:
        raise process.Failed(f"no {name} here: apt-get install postgresql")
    return on_path


class Cluster:
    user = "postgres"  # the servers refuse to run as root

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.directory, self.user, self.user)
        made = process.Process(
            [binary("initdb"), "-D", self.directory / "data", "-U", "postgres", "-A", "trust",
             "--locale=C.UTF-8", "--no-sync"],
            self.directory / "initdb.log" if os.geteuid() else f"{directory}.initdb.log",
            user=self.user)
        if made.wait() != 0:
            raise process.Failed("initdb failed:\n" + made.tail())
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._server = process.Process(
            [binary("postgres"), "-D", self.directory / "data", "-k", self.directory, *options],
            f"{directory}.log", user=self.user)
        self.pid = self._server.pid
        self._server.wait_until(self._answers, "answered")

    def _answers(self):
        return subprocess.run([binary("pg_isready"), "-q", "-h", self.directory]).returncode == 0

    def url(self, database="postgres"):
        return f"postgresql:///{database}?host={self.directory}&user=postgres"

    def sql(self, text, database="postgres"):
        """Runs SQL; the rows of the last statement, as lists of strings."""
        done = subprocess.run(
            [binary("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
             self.url(database)], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise process.Failed(f"psql: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self):
        self._server.stop(signal.SIGINT)
