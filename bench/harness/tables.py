"""The tables of a comparison, in Markdown."""

from . import comparison, summary, workloads

REFERENCE = "mosquitto"
HUB = "iothub"


def _ratio(ours, theirs):
    return ours["median"] / theirs["median"] if ours and theirs and theirs["median"] else None


def target_rows(compared):
    """What the hub is to reach beside mosquitto, and what it reached in this run."""
    rows = []
    for workload in workloads.MESSAGES:
        rates = [compared.values(workload.name, name, comparison.rate) for name in (HUB, REFERENCE)]
        rows.append({"what": f"{workload.title}: per second", "ours": rates[0], "theirs": rates[1],
                     "ratio": _ratio(*rates), "target": workload.target, "more_is_better": True})
    memory = [compared.values("idle", name, comparison.bytes_per_connection)
              for name in (HUB, REFERENCE)]
    rows.append({"what": "idle connection with one subscription: bytes", "ours": memory[0],
                 "theirs": memory[1], "ratio": _ratio(*memory), "target": workloads.IDLE_TARGET,
                 "more_is_better": False})
    few, many = workloads.SCALE_CONNECTIONS[0], workloads.SCALE_CONNECTIONS[-1]
    cost = [compared.values(f"scale_{count}", HUB, comparison.broker_us) for count in (many, few)]
    rows.append({"what": f"CPU µs per message, {many:,} connections beside {few:,}",
                 "ours": cost[0], "theirs": cost[1], "ratio": _ratio(*cost),
                 "target": workloads.SCALE_TARGET, "more_is_better": False})
    return [row for row in rows if row["ratio"] is not None]


def reached(row):
    if row["more_is_better"]:
        return row["ratio"] >= row["target"]
    return row["ratio"] <= row["target"]


def targets(rows):
    lines = []
    for row in rows:
        bound = "at least" if row["more_is_better"] else "at most"
        lines.append([row["what"], summary.with_spread(row["ours"]),
                      summary.with_spread(row["theirs"]), summary.figure(row["ratio"]),
                      f"{bound} {row['target']:g}", "yes" if reached(row) else "no"])
    return summary.table(["what", HUB, f"{REFERENCE}, or fewest", "ratio", "target", "reached"],
                         lines)


def rates(compared):
    return _by_broker(compared, workloads.MESSAGES, comparison.rate)


def processor(compared):
    return _by_broker(compared, workloads.MESSAGES, comparison.broker_us)


def _by_broker(compared, listed, of):
    names = [broker.name for broker in compared.brokers]
    lines = []
    for workload in listed:
        values = [compared.values(workload.name, name, of) for name in names]
        if any(values):
            lines.append([workload.title, *map(summary.with_spread, values)])
    return summary.table(["", *names], lines)


def latency(compared):
    lines = []
    for broker in compared.brokers:
        values = {quantile: compared.values("latency", broker.name,
                                            lambda report: report["latency_us"][quantile])
                  for quantile in ("p50", "p90", "p99", "p99_9", "max")}
        if values["p50"]:
            lines.append([broker.name, *map(summary.with_spread, values.values())])
    return summary.table(["µs", "p50", "p90", "p99", "p99.9", "max"], lines)


def memory(compared):
    lines = []
    for broker in compared.brokers:
        value = compared.values("idle", broker.name, comparison.bytes_per_connection)
        if value:
            lines.append([broker.name, summary.with_spread(value)])
    return summary.table(["", "bytes per idle connection"], lines)


def scale(compared):
    lines = []
    for broker in compared.brokers:
        values = [compared.values(f"scale_{count}", broker.name, comparison.broker_us)
                  for count in workloads.SCALE_CONNECTIONS]
        if any(values):
            lines.append([broker.name, *map(summary.with_spread, values)])
    return summary.table(["CPU µs per message", *(f"{count:,}" for count in
                                                  workloads.SCALE_CONNECTIONS)], lines)


def generator_cost(compared):
    """What the load generator itself used, beside the hub: the least and the most."""
    costs = [compared.values(workload.name, HUB, comparison.own_us)
             for workload in workloads.MESSAGES if workload.name != "connect"]
    medians = [cost["median"] for cost in costs if cost]
    if not medians:
        return ""
    in_qos1 = compared.values("qos1_in", HUB, comparison.own_us)
    return (f"The load generator itself used {summary.figure(min(medians))} to "
            f"{summary.figure(max(medians))} µs per message against {HUB}"
            + (f", {summary.figure(in_qos1['median'])} µs at QoS 1 in (20 × 50).\n"
               if in_qos1 else ".\n"))
