"""The page of a whole run: what was compared, how, on what, and what came out."""

from . import commit, machine, summary, tables


def text(result, compared):
    parts = [
        "# Benchmarks\n",
        "Written by `bench/run`. Every figure is the median of "
        f"{result['repeat']} runs of {result['seconds']:g} s, with the least and the greatest in "
        "brackets; the brokers take turns, each started afresh for each run, with the same load "
        "generator (`iothub-bench`), which checks every answer: a run with a wrong one has no "
        "figure. Only ratios within this page mean anything.\n",
        f"{machine.sentence(result['machine'])} Revision {result['machine']['revision']}, "
        f"{result['started'][:10]}. "
        + ", ".join(f"{name} {version}" for name, version in result["versions"].items()) + ".\n",
    ]
    if "commit" in result:
        parts += ["## Into the database\n", commit.markdown(result["commit"])]
    if "glue" in result:
        parts += [_glue(result)]
    if any(name in compared.runs for name in ("qos1_in", "idle", "scale_100")):
        parts += ["## Beside mosquitto\n", tables.targets(tables.target_rows(compared))]
    if "qos1_in" in compared.runs:
        parts += ["## Messages per second\n", tables.rates(compared),
                  "## Processor time of the broker, µs per message or delivery\n",
                  tables.processor(compared), tables.generator_cost(compared)]
    if "latency" in compared.runs:
        parts += ["## Latency of an acknowledgement, broker only\n", tables.latency(compared)]
    if "idle" in compared.runs:
        parts += ["## Memory\n", tables.memory(compared)]
    if "scale_100" in compared.runs:
        parts += ["## More connections, the same total rate\n", tables.scale(compared)]
    if result["notes"]:
        parts += ["## What went wrong\n", "\n".join(f"- {note}" for note in result["notes"]) + "\n"]
    return "\n".join(parts)


def _glue(result):
    glue = result["glue"]
    lines = [["mosquitto, subscriber in Node, COPY", summary.with_spread(glue["rate"]),
              summary.with_spread(glue["us_per_row"]),
              f"{summary.with_spread(glue['lost'])} of {glue['messages']:,}"]]
    if "commit" in result:
        hub = result["commit"]["summary"]["20 × 200"]
        lost = "–"
        if glue.get("hub_lost"):
            lost = f"{summary.with_spread(glue['hub_lost'])} of {glue['hub_messages']:,}"
        lines.append(["the hub, 20 × 200", summary.with_spread(hub["rate"]),
                      summary.with_spread(hub["us_per_row"]), lost])
    return ("### Beside the usual glue\n\n" + summary.table(
        ["way into the table", "committed rows/s", "CPU µs per row, all servers",
         "acknowledged rows lost by kill -9"], lines))


def committed_bars(result):
    bars = []
    if "commit" in result:
        summarised = result["commit"]["summary"]
        bars.append(("raw COPY", summarised["raw COPY"]["rate"]["median"], "raw COPY"))
        bars += [(f"hub, {name}", summarised[name]["rate"]["median"], "iothub")
                 for name in commit.LOADS]
    if "glue" in result:
        bars.append(("glue", result["glue"]["rate"]["median"], "glue"))
    return bars
