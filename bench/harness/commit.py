"""Acknowledged and committed messages per second beside raw COPY of the same rows."""

import json
import pathlib
import subprocess
import time

from . import brokers, load, postgres, process, summary

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "commit_ratio"
PAYLOAD = ('{"temperature":{temp},"humidity":{hum},"battery":{volt},"seq":{n},"ts":{ts},'
           '"fw":"1.4.2","status":"ok"}')
SHAPES = {"20 × 200": (20, 200), "2,000 × 5": (2000, 5)}
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

    def empty_table(self):
        self.cluster.sql("TRUNCATE climate; CHECKPOINT;")

    def raw_copy(self, seconds):
        self.empty_table()
        report = self._raw("--seconds", str(seconds))
        rows = int(self.cluster.sql("SELECT count(*) FROM climate")[0][0])
        if rows != report["rows"]:
            raise WrongRows(f"raw COPY wrote {report['rows']} rows, the table has {rows}")
        return {"rate": report["rate"], "rows": rows,
                "us_per_row": report["own_us_per_row"] + report["server_us_per_row"]}

    def single_commits(self, count):
        self.empty_table()
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

    def through_hub(self, publishers, window, *pace):
        """One run through a fresh hub; the table must then have what was sent, and nothing else."""
        self.empty_table()
        hub = brokers.Hub(self.directory / "hub", rules=FOLDER / "rules.toml",
                          database_url=self.cluster.url())
        hub.start()
        try:
            report = self.generator.run(
                hub.port, ["pub", "--qos", "1", "--clients", str(publishers), "--window",
                           str(window), "--topic", "bench/commit/{i}", "--payload", PAYLOAD, *pace],
                [hub.process.pid, self.cluster.pid])
            rows = self.check_rows(report)
        finally:
            hub.stop()
        return {"rate": report["rate"], "rows": rows,
                "us_per_row": report["broker"]["us_per_message"],
                "generator_us": report["own_cpu"]["us_per_message"],
                "latency_us": report["latency_us"], "send_lag_us": report["send_lag_us"]}

    def check_rows(self, report):
        if not report["ok"]:
            raise WrongRows(f"wrong answers: {load.wrong_answers(report)}")
        columns = ("count(*), coalesce(sum(seq), 0), "
                   "coalesce(sum((temperature * 100)::numeric::int8), 0), "
                   "coalesce(sum((humidity * 100)::numeric::int8), 0)")
        found = [int(value) for value in self.cluster.sql(f"SELECT {columns} FROM climate")[0]]
        sums = report["payload_sums"]
        sent = [report["acked"], sums["n"], sums["temp_hundredths"], sums["hum_hundredths"]]
        if found != sent:
            raise WrongRows(f"rows and sums of seq, temperature and humidity should be {sent}, "
                            f"and are {found}")
        return found[0]


def measure(bench, repeats, seconds, say=print):
    """All the runs, interleaved; what each gave, and the medians."""
    runs = {"raw COPY": [], **{name: [] for name in SHAPES}, "single commit": [], "open loop": []}
    for repeat in range(repeats):
        for name in runs:
            if name == "raw COPY":
                result = bench.raw_copy(seconds)
            elif name == "single commit":
                result = {"latency_us": bench.single_commits(2000)}
            elif name == "open loop":
                result = bench.through_hub(20, 1000, "--open", "--rate", str(OPEN_RATE),
                                           "--duration", str(seconds), "--warm-up", "1")
            else:
                publishers, window = SHAPES[name]
                result = bench.through_hub(publishers, window, "--duration", str(seconds),
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
    for name in SHAPES:
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
    for name in SHAPES:
        shape = summarised[name]
        rows.append([f"through the hub, {name} in flight", summary.with_spread(shape["rate"]),
                     summary.figure(shape["rate_ratio"]), summary.with_spread(shape["us_per_row"]),
                     summary.figure(shape["cpu_ratio"])])
    latency = summarised["latency"]
    opened = latency["open_loop_us"]
    single = latency["single_commit_us"]
    text = summary.table(["way into the table", "committed rows/s", "ratio",
                          "CPU µs per row, with the database", "ratio"], rows)
    text += (f"\nAt {OPEN_RATE:,} messages/s (open loop) an acknowledgement, commit included, takes "
             f"p50 {summary.with_spread(opened['p50'])} µs and p99 "
             f"{summary.with_spread(opened['p99'])} µs; one commit of a single row alone takes p50 "
             f"{summary.with_spread(single['p50'])} µs and p99 "
             f"{summary.with_spread(single['p99'])} µs. The p99 of an acknowledgement is "
             f"{summary.figure(latency['p99_to_p99'])} times the p99 of a commit, and "
             f"{summary.figure(latency['p99_to_p50'])} times its p50.\n")
    return text
