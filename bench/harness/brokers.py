"""The brokers, each with the settings that let it show what it can, started afresh for each run."""

import os
import pathlib
import re
import shutil
import subprocess

from . import machine, process


class Broker:
    name = ""
    package = None  # of Debian

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = process.free_port()
        self.process = None

    @classmethod
    def version(cls):
        """The version here, or None when the broker is not installed."""
        return machine.package_version(cls.package)

    @classmethod
    def cannot(cls, workload):
        """Why this broker has no part in a workload; None when it has."""
        return None

    def pids(self):
        return [self.process.pid]

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None


class Mosquitto(Broker):
    name = package = "mosquitto"

    def start(self):
        config = self.directory / "mosquitto.conf"
        config.write_text(f"""listener {self.port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
max_connections -1
log_dest none
connection_messages false
""")
        if os.geteuid() == 0:
            self.directory.chmod(0o755)
        self.process = process.Process(["/usr/sbin/mosquitto", "-c", config],
                                       self.directory / "log")
        self.process.wait_for_port(self.port)


class Nats(Broker):
    name = "nats-server"
    package = "nats-server"

    @classmethod
    def cannot(cls, workload):
        return "no QoS 2" if workload.qos == 2 else None

    def start(self):
        config = self.directory / "nats.conf"
        shutil.rmtree(self.directory / "store", ignore_errors=True)
        config.write_text(f"""listen: "127.0.0.1:{process.free_port()}"
server_name: bench
jetstream {{ store_dir: "{self.directory}/store" }}
mqtt {{ listen: "127.0.0.1:{self.port}", max_ack_pending: 65535 }}
""")
        self.process = process.Process(["nats-server", "-c", config], self.directory / "log")
        self.process.wait_for_port(self.port)


class RabbitMq(Broker):
    name = "rabbitmq"
    package = "rabbitmq-server"
    home = pathlib.Path("/usr/lib/rabbitmq/lib")

    @classmethod
    def cannot(cls, workload):
        return "no QoS 2" if workload.qos == 2 else None

    def start(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        (self.directory / "plugins").write_text("[rabbitmq_mqtt].\n")
        (self.directory / "rabbitmq.conf").write_text(f"""listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{self.port}
mqtt.allow_anonymous = true
mqtt.prefetch = 1000
log.file.level = error
""")
        for path in (self.directory, *self.directory.iterdir()):
            if os.geteuid() == 0:
                shutil.chown(path, "rabbitmq", "rabbitmq")
        epmd_port = str(process.free_port())
        env = {"HOME": str(self.directory), "ERL_EPMD_PORT": epmd_port,
               "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self._names = process.Process(["epmd"], f"{self.directory}.epmd.log", env=env)
        self._names.wait_for_port(int(epmd_port))
        program = sorted(self.home.glob("rabbitmq_server-*/sbin/rabbitmq-server"))[-1]
        self.process = process.Process(
            [program], f"{self.directory}.log", user="rabbitmq",
            env={**env,
                 "RABBITMQ_NODENAME": f"bench{self.port}@localhost",
                 "RABBITMQ_DIST_PORT": str(process.free_port()),
                 "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
                 "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
                 "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
                 "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
                 "RABBITMQ_PID_FILE": str(self.directory / "pid")})
        self.process.wait_for_port(self.port)

    def stop(self):
        super().stop()
        self._names.stop()


class Hub(Broker):
    """The program itself. Its rules take nothing of what the broker-only workloads publish."""

    name = "iothub"
    program = None  # set by the run
    database_url = None

    def __init__(self, directory, rules=None, database_url=None):
        super().__init__(directory)
        self.rules = rules
        self.url = database_url or Hub.database_url

    @classmethod
    def version(cls):
        if cls.program is None or not pathlib.Path(cls.program).exists():
            return None
        done = subprocess.run([cls.program, "--version"], capture_output=True, text=True)
        return done.stdout.strip().removeprefix("iothub ") or "unknown"

    def start(self):
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        command = [self.program, "serve", "--bind", "127.0.0.1", "--mqtt-port", "0",
                   "--data-dir", self.directory / "data", "--database", self.url,
                   "--log-level", "warning"]
        if self.rules:
            command += ["--rules", self.rules]
        self.process = process.Process(command, log)
        self.process.wait_until(lambda: self._ready_line() is not None, "printed its ready line")
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self._ready_line()).group(1))

    def _ready_line(self):
        for line in (self.directory / "log").read_text(errors="replace").splitlines():
            if line.startswith("ready"):
                return line
        return None


PEERS = [Mosquitto, Nats, RabbitMq]
