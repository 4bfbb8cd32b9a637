"""The brokers side by side: every workload for each of them in turn, several times over."""

import collections
import pathlib
import resource

from . import load, process, summary, workloads

SPARE_FILES = 300


class Comparison:
    """Runs workloads against brokers, each broker started afresh, and keeps what they gave."""

    def __init__(self, directory, brokers, generator, say=print):
        self.directory = pathlib.Path(directory)
        self.brokers = brokers
        self.generator = generator
        self.say = say
        self.runs = collections.defaultdict(lambda: collections.defaultdict(list))
        self.notes = []

    def once(self, workload_name, broker_class, command):
        """One run against a fresh broker. A wrong answer leaves a note instead of a figure."""
        broker = broker_class(self.directory / broker_class.name)
        try:
            broker.start()
            report = self.generator.run(broker.port, command, broker.pids())
        except process.Failed as failure:
            self.note(f"{workload_name}, {broker_class.name}: {failure}")
            return None
        finally:
            broker.stop()
        if not report["ok"]:
            self.note(f"{workload_name}, {broker_class.name}: {load.wrong_answers(report)}")
            return None
        self.runs[workload_name][broker_class.name].append(report)
        return report

    def note(self, text):
        self.notes.append(text)
        self.say(f"  ! {text}")

    def in_turn(self, workload_name, command_of, what, workload=None):
        for broker_class in self.brokers:
            if workload and broker_class.cannot(workload):
                continue
            report = self.once(workload_name, broker_class, command_of)
            if report:
                self.say(f"  {workload_name}, {broker_class.name}: {what(report)}")

    def messages(self, seconds, warm_up, smoke=False):
        for workload in workloads.MESSAGES:
            command = workload.smoke_command() if smoke else workload.command(seconds, warm_up)
            self.in_turn(workload.name, command, answers if smoke else rate_and_cost, workload)

    def idle(self, connections):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        connections = min(connections, files - SPARE_FILES)
        self.in_turn("idle", ["idle", "--clients", str(connections), "--hold", "0.1"],
                     lambda report: f"{bytes_per_connection(report):,.0f} bytes per connection")

    def latency(self, seconds):
        self.in_turn("latency", [*workloads.LATENCY, "--duration", str(seconds), "--warm-up", "1"],
                     lambda report: f"p99 {report['latency_us']['p99']:,.0f} µs")

    def scale(self, seconds, only):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for connections in workloads.SCALE_CONNECTIONS:
            if connections > files - SPARE_FILES:
                self.note(f"no {connections:,} connections: {files:,} open files are allowed")
                continue
            for broker_class in self.brokers:
                if broker_class.name not in only:
                    continue
                report = self.once(f"scale_{connections}", broker_class,
                                   workloads.scale_command(connections, seconds))
                if report:
                    self.say(f"  {connections:,} connections, {broker_class.name}: "
                             f"{report['broker']['us_per_message']:.2f} µs")

    def values(self, workload_name, broker_name, of):
        reports = self.runs.get(workload_name, {}).get(broker_name, [])
        return summary.spread([of(report) for report in reports]) if reports else None


def answers(report):
    return f"{report['answered']:,} {report['answer']}, every answer right"


def rate_and_cost(report):
    return f"{report['rate']:,.0f}/s, {report['broker']['us_per_message']:.2f} µs"


def bytes_per_connection(report):
    broker = report["broker"]
    grown = broker["during"]["pss_bytes"] - broker["before"]["pss_bytes"]
    return grown / report["connected"]


def rate(report):
    return report["rate"]


def broker_us(report):
    return report["broker"]["us_per_message"]


def own_us(report):
    return report["own_cpu"]["us_per_message"]
