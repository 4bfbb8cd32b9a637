"""The glue that users build today: mosquitto, a subscriber in Node, COPY into the same table."""

import json
import pathlib
import shutil
import subprocess
import time

from . import brokers, commit, process, summary

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "peers" / "glue"
TOPIC = "bench/commit/{i}"
FILTER = "bench/commit/+"
QUIET_SECONDS = 2
DRAIN_BOUND_SECONDS = 120


def missing():
    """What keeps the glue from running here; None when nothing does."""
    if brokers.Mosquitto.version() is None:
        return "mosquitto is not installed"
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules" / "mqtt").exists():
        return "its packages are not installed: npm ci in bench/peers/glue"
    return None


def install():
    """Fetches the packages of package-lock.json, if npm is there."""
    if (FOLDER / "node_modules" / "mqtt").exists() or shutil.which("npm") is None:
        return
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER)


class Glue:
    """The broker and the subscriber, beside a CommitBench whose table they fill."""

    def __init__(self, bench):
        self.bench = bench
        self.broker = brokers.Mosquitto(bench.directory / "glue")
        self.broker.start()
        self.subscriber = None
        self.start_subscriber()

    def start_subscriber(self):
        log = self.bench.directory / "glue" / "subscriber.log"
        log.unlink(missing_ok=True)
        self.subscriber = process.Process(
            ["node", FOLDER / "glue.js", f"mqtt://127.0.0.1:{self.broker.port}",
             self.bench.cluster.url(), "climate", FILTER], log)
        self.subscriber.wait_until(lambda: "ready" in log.read_text(), "subscribed")

    def publish(self, messages):
        return self.bench.generator.run(
            self.broker.port,
            ["pub", "--qos", "1", "--clients", "20", "--window", "200", "--topic", TOPIC,
             "--payload", commit.PAYLOAD, "--messages", str(messages)],
            [self.broker.process.pid])

    def rows(self):
        return int(self.bench.cluster.sql("SELECT count(*) FROM climate")[0][0])

    def rows_when_quiet(self, expected):
        """The rows once all are there, or once there have been no new ones for a while."""
        last, since = -1, time.monotonic()
        until = time.monotonic() + DRAIN_BOUND_SECONDS
        while time.monotonic() < until:
            now = self.rows()
            if now != last:
                last, since = now, time.monotonic()
            if now >= expected or time.monotonic() - since > QUIET_SECONDS:
                return now
            time.sleep(0.02)
        return last

    def close(self):
        self.subscriber.stop()
        self.broker.stop()


def throughput(bench, messages):
    """From the first message until the last row has committed."""
    bench.empty_tables()
    glue = Glue(bench)
    try:
        pids = [glue.broker.process.pid, glue.subscriber.pid, bench.cluster.pid]
        cpu_before = process.cpu_seconds(pids)
        start = time.monotonic()
        report = glue.publish(messages)
        rows = glue.rows_when_quiet(messages)
        seconds = time.monotonic() - start
        used = process.cpu_seconds(pids) - cpu_before
    finally:
        glue.close()
    if not report["ok"] or rows != messages:
        raise commit.WrongRows(f"the glue has {rows} rows of {messages} messages")
    return {"rate": messages / seconds, "acknowledged_rate": report["rate"], "rows": rows,
            "us_per_row": used * 1e6 / rows}


def killed(bench, messages):
    """The subscriber is killed in the middle and started again: what is missing at the end?"""
    bench.empty_tables()
    glue = Glue(bench)
    try:
        command = subprocess.Popen(
            [*bench.generator.prefix, bench.generator.program, "pub", "--clients", "20",
             "--window", "200", "--topic", TOPIC, "--payload", commit.PAYLOAD, "--messages",
             str(messages), "--port", str(glue.broker.port)], stdout=subprocess.DEVNULL)
        while glue.rows() < messages // 4:
            time.sleep(0.01)
        glue.subscriber.kill()
        glue.start_subscriber()
        if command.wait() != 0:
            raise process.Failed("the load generator reports wrong answers of mosquitto")
        rows = glue.rows_when_quiet(messages)
        distinct = int(bench.cluster.sql("SELECT count(*) FROM (SELECT DISTINCT device, seq "
                                         "FROM climate) AS one")[0][0])
    finally:
        glue.close()
    return {"acknowledged": messages, "lost": messages - distinct, "twice": rows - distinct}


def hub_killed(bench, messages):
    """The same with the hub, which is killed and started again; its publishers connect anew."""
    bench.empty_tables()
    hub = brokers.Hub(bench.directory / "hub", rules=commit.FOLDER / "rules.toml",
                      database_url=bench.cluster.url())
    hub.start()
    try:
        report_file = bench.directory / "killed.json"
        command = subprocess.Popen(
            [*bench.generator.prefix, bench.generator.program, "pub", "--clients", "20",
             "--window", "200", "--topic", TOPIC, "--payload", commit.PAYLOAD, "--messages",
             str(messages), "--port", str(hub.port), "--json", report_file],
            stdout=subprocess.DEVNULL)
        while int(bench.cluster.sql("SELECT count(*) FROM climate")[0][0]) < messages // 4:
            time.sleep(0.01)
        hub.process.kill()
        command.wait()
        hub.start()  # takes over what the one before has begun
    finally:
        hub.stop()
    acked = json.loads(report_file.read_text())["acked"]
    distinct = int(bench.cluster.sql("SELECT count(*) FROM (SELECT DISTINCT device, seq "
                                     "FROM climate) AS one")[0][0])
    # Rows beyond what was acknowledged are messages whose acknowledgement was cut off.
    return {"acknowledged": acked, "lost": max(0, acked - distinct)}


def measure(bench, repeats, with_hub, messages=200_000, say=print):
    """Rates and losses of the glue, and the losses of the hub when it is killed likewise."""
    rates = [throughput(bench, messages) for _ in range(repeats)]
    lost = [killed(bench, messages)["lost"] for _ in range(min(repeats, 3))]
    result = {"messages": messages,
              "rate": summary.spread([run["rate"] for run in rates]),
              "us_per_row": summary.spread([run["us_per_row"] for run in rates]),
              "lost": summary.spread(lost)}
    if with_hub:
        hub = [hub_killed(bench, 4 * messages) for _ in range(min(repeats, 3))]
        result["hub_lost"] = summary.spread([run["lost"] for run in hub])
        result["hub_messages"] = min(run["acknowledged"] for run in hub)
    say(f"  glue: {result['rate']['median']:,.0f} rows/s, {result['lost']['median']:,.0f} lost")
    return result
