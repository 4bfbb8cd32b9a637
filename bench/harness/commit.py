"""Acknowledged and committed messages per second beside raw COPY of the same rows."""

import dataclasses
import json
import pathlib
import subprocess
import time

from . import brokers, postgres, process, summary
from .load import wrong_answers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "commit_ratio"
PAYLOAD = ('{"temperature":{temp},"humidity":{hum},"battery":{volt},"seq":{n},"ts":{ts},'
           '"fw":"1.4.2","status":"ok"}')


@dataclasses.dataclass(frozen=True)
class Load:
    """Publishers, the messages that each has in flight, and what is promised of a message."""
    publishers: int
    window: int
    qos: int = 1
    keyed: bool = False

    @property
    def table(self):
        return "climate_keyed" if self.keyed else "climate"

    @property
    def rules(self):
        return FOLDER / ("keyed.toml" if self.keyed else "rules.toml")


# "20 × 4,000" has batches as large as raw COPY's transactions.
LOADS = {"20 × 200": Load(20, 200), "2,000 × 5": Load(2000, 5), "20 × 4,000": Load(20, 4000),
         "20 × 200, QoS 2": Load(20, 200, qos=2),
         "20 × 200, with a key": Load(20, 200, keyed=True)}
SMOKE_LOADS = {"20 × 200": Load(20, 200), "200 × 5": Load(200, 5),
               "20 × 200, QoS 2": Load(20, 200, qos=2),
               "20 × 200, with a key": Load(20, 200, keyed=True)}
OPEN_RATE = 20_000


class WrongRows(process.Failed):
    """The table does not have what was acknowledged."""


class CommitBench:
    """A database with the benchmark's table, and the ways to fill it that are compared."""

    def __init__(self, directory, hub_program, raw_program, generator):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.raw_program = raw_program
        self.generator = generator
        brokers.Hub.program = hub_program
        self.cluster = postgres.Cluster(self.directory / "pg")
        done = subprocess.run([hub_program, "db", "init", "--database", self.cluster.url()],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise process.Failed(f"iothub db init: {done.stdout}{done.stderr}")
        self.cluster.sql((FOLDER / "table.sql").read_text())

    def close(self):
        self.cluster.stop()

    def empty_tables(self):
        self.cluster.sql("TRUNCATE climate, climate_keyed; CHECKPOINT;")

    def raw_copy(self, seconds):
        self.empty_tables()
        report = self._raw("--seconds", str(seconds))
        rows = int(self.cluster.sql("SELECT count(*) FROM climate")[0][0])
        if rows != report["rows"]:
            raise WrongRows(f"raw COPY wrote {report['rows']} rows, the table has {rows}")
        return {"rate": report["rate"], "rows": rows,
                "us_per_row": report["own_us_per_row"] + report["server_us_per_row"]}

    def single_commits(self, count):
        self.empty_tables()
        return self._raw("--single-commits", str(count))["latency_us"]

    def _raw(self, *arguments):
        before = process.cpu_seconds([self.cluster.pid])
        done = subprocess.run(
            [*self.generator.prefix, self.raw_program, "--database", self.cluster.url(), "--table",
             "climate", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise process.Failed(f"iothub-raw-copy: {done.stderr}")
        report = json.loads(done.stdout)
        if "rows" in report:
            used = process.cpu_seconds([self.cluster.pid]) - before
            report["server_us_per_row"] = used * 1e6 / report["rows"]
        return report

    def through_hub(self, load, *pace):
        """One run through a fresh hub; the table must then have what was sent, and nothing else."""
        self.empty_tables()
        hub = brokers.Hub(self.directory / "hub", rules=load.rules,
                          database_url=self.cluster.url())
        hub.start()
        try:
            report = self.generator.run(
                hub.port, ["pub", "--qos", str(load.qos), "--clients", str(load.publishers),
                           "--window", str(load.window), "--topic", "bench/commit/{i}", "--payload", PAYLOAD, *pace],
                [hub.process.pid, self.cluster.pid])
            rows = self.check_rows(report, load.table)
        finally:
            hub.stop()
        return {"rate": report["rate"], "rows": rows,
                "us_per_row": report["broker"]["us_per_message"],
                "generator_us": report["own_cpu"]["us_per_message"],
                "latency_us": report["latency_us"], "send_lag_us": report["send_lag_us"]}

    def check_rows(self, report, table):
        if not report["ok"]:
            raise WrongRows(f"wrong answers: {wrong_answers(report)}")
        columns = ("count(*), coalesce(sum(seq), 0), "
                   "coalesce(sum((temperature * 100)::numeric::int8), 0), "
                   "coalesce(sum((humidity * 100)::numeric::int8), 0)")
        found = [int(value) for value in self.cluster.sql(f"SELECT {columns} FROM {table}")[0]]
        sums = report["payload_sums"]
        sent = [report["acked"], sums["n"], sums["temp_hundredths"], sums["hum_hundredths"]]
        if found != sent:
            raise WrongRows(f"rows and sums of seq, temperature and humidity should be {sent}, "
                            f"and are {found}")
        return found[0]


def smoke(bench):
    """Every way into the table once, with a few rows, for the checks and not for the figures."""
    bench.raw_copy(0.1)
    bench.single_commits(5)
    for name, load in SMOKE_LOADS.items():
        run = bench.through_hub(load, "--messages", "5000")
        print(f"  {name}: {run['rows']} acknowledged, and as many rows")


def measure(bench, repeats, seconds, say=print):
    """All the runs, interleaved; what each gave, and the medians."""
    runs = {"raw COPY": [], **{name: [] for name in LOADS}, "single commit": [], "open loop": []}
    for repeat in range(repeats):
        for name in runs:
            if name == "raw COPY":
                result = bench.raw_copy(seconds)
            elif name == "single commit":
                result = {"latency_us": bench.single_commits(2000)}
            elif name == "open loop":
                result = bench.through_hub(Load(20, 1000), "--open", "--rate", str(OPEN_RATE),
                                           "--duration", str(seconds), "--warm-up", "1")
            else:
                result = bench.through_hub(LOADS[name], "--duration", str(seconds),
                                           "--warm-up", "1")
            runs[name].append(result)
            rate = f"{result['rate']:,.0f} rows/s" if "rate" in result else (
                f"p50 {result['latency_us']['p50']:.0f} µs")
            say(f"  {repeat + 1}/{repeats} {name}: {rate}")
            time.sleep(0.2)
    return {"runs": runs, "summary": summarise(runs)}


def summarise(runs):
    raw_rate = summary.spread([run["rate"] for run in runs["raw COPY"]])
    raw_cpu = summary.spread([run["us_per_row"] for run in runs["raw COPY"]])
    result = {"raw COPY": {"rate": raw_rate, "us_per_row": raw_cpu}}
    for name in LOADS:
        rate = summary.spread([run["rate"] for run in runs[name]])
        cpu = summary.spread([run["us_per_row"] for run in runs[name]])
        result[name] = {"rate": rate, "us_per_row": cpu,
                        "generator_us": summary.spread([run["generator_us"] for run in runs[name]]),
                        "rate_ratio": rate["median"] / raw_rate["median"],
                        "cpu_ratio": cpu["median"] / raw_cpu["median"]}
    single = {quantile: summary.spread([run["latency_us"][quantile]
                                        for run in runs["single commit"]])
              for quantile in ("p50", "p99")}
    opened = {quantile: summary.spread([run["latency_us"][quantile] for run in runs["open loop"]])
              for quantile in ("p50", "p99", "p99_9", "max")}
    result["latency"] = {"single_commit_us": single, "open_loop_us": opened,
                         "p99_to_p50": opened["p99"]["median"] / single["p50"]["median"],
                         "p99_to_p99": opened["p99"]["median"] / single["p99"]["median"]}
    return result


def markdown(result):
    """The table of a result of measure()."""
    summarised = result["summary"]
    raw = summarised["raw COPY"]
    rows = [["raw binary COPY, 10,000 rows a transaction", summary.with_spread(raw["rate"]), "1",
             summary.with_spread(raw["us_per_row"]), "1"]]
    for name in LOADS:
        shape = summarised[name]
        rows.append([f"through the hub, {name}", summary.with_spread(shape["rate"]),
                     summary.figure(shape["rate_ratio"]), summary.with_spread(shape["us_per_row"]),
                     summary.figure(shape["cpu_ratio"])])
    latency = summarised["latency"]
    opened = latency["open_loop_us"]
    single = latency["single_commit_us"]
    text = summary.table(["way into the table (publishers × in flight)", "committed rows/s", "ratio",
                          "CPU µs per row, with the database", "ratio"], rows)
    text += (f"\nAt {OPEN_RATE:,} messages/s (open loop) an acknowledgement, commit included, takes "
             f"p50 {summary.with_spread(opened['p50'])} µs and p99 "
             f"{summary.with_spread(opened['p99'])} µs; one commit of a single row alone takes p50 "
             f"{summary.with_spread(single['p50'])} µs and p99 "
             f"{summary.with_spread(single['p99'])} µs. The p99 of an acknowledgement is "
             f"{summary.figure(latency['p99_to_p99'])} times the p99 of a commit, and "
             f"{summary.figure(latency['p99_to_p50'])} times its p50.\n")
    return text
