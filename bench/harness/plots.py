"""Pictures of the results, drawn by gnuplot as SVG."""

import math
import shutil
import subprocess

from . import comparison, workloads

COLOURS = {"iothub": "#0b7285", "mosquitto": "#868e96", "nats-server": "#c2a633",
           "rabbitmq": "#e8590c", "raw COPY": "#495057", "glue": "#a61e4d"}
FALLBACK_COLOUR = "#5f3dc4"
STYLE = """set terminal svg size 860,430 dynamic enhanced font "sans-serif,13" background "#ffffff"
set border 3 lc rgb "#495057"
set tics nomirror
set grid ytics lc rgb "#e9ecef" lt 1
set key outside right top noenhanced spacing 1.3
"""


def available():
    return shutil.which("gnuplot") is not None


def _draw(path, script):
    done = subprocess.run(["gnuplot"], input=f"{STYLE}set output '{path}'\n{script}\n", text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"gnuplot: {done.stderr}")


def _colour(name):
    return COLOURS.get(name, FALLBACK_COLOUR)


def _block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def _label(title):
    """A title as the label of a bar, a line for each of its parts."""
    return title.replace(" in flight", "").replace(", ", "\\n")


def throughput(compared, path):
    """Messages per second of each broker and workload, on a logarithmic scale."""
    names = [broker.name for broker in compared.brokers]
    lines = []
    for workload in workloads.MESSAGES:
        values = [compared.values(workload.name, name, comparison.rate) for name in names]
        if any(values):
            figures = " ".join(f"{value['median']:.1f}" if value else "?" for value in values)
            lines.append(f"\"{_label(workload.title)}\" {figures}")
    if not lines:
        return
    bars = ", ".join(f"$data using {column}:xtic(1) title '{name}' lc rgb '{_colour(name)}'"
                     for column, name in enumerate(names, start=2))
    _draw(path, _block("data", lines) + f"""set datafile missing "?"
set title "Messages per second, more is better"
set style data histogram
set style histogram clustered gap 1
set style fill solid border -1
set logscale y
set format y "10^{{%T}}"
set xtics scale 0 font ",9" noenhanced
set yrange [100:*]
set bmargin 4
set key outside center top horizontal
plot {bars}""")


def latency(compared, path):
    """Latency over the percentile, drawn so that each step to the right has a tenth left over."""
    blocks, plots = "", []
    for index, broker in enumerate(compared.brokers):
        reports = compared.runs.get("latency", {}).get(broker.name, [])
        if not reports:
            continue
        middle = sorted(reports, key=lambda report: report["latency_us"]["p99"])[len(reports) // 2]
        lines = [f"{-math.log10(1 - percent / 100):.4f} {value}"
                 for percent, value in middle["latency_us"]["curve"] if percent < 99.9995]
        blocks += _block(f"broker{index}", lines)
        plots.append(f"$broker{index} using 1:2 with lines lw 3 lc rgb '{_colour(broker.name)}' "
                     f"title '{broker.name}'")
    if not plots:
        return
    _draw(path, blocks + f"""set title "Latency of QoS 1 at {workloads.LATENCY_RATE:,} messages/s, open loop"
set logscale y
set ylabel "µs"
set xlabel "percentile"
set xrange [0:4.5]
set xtics ("0" 0, "50" 0.30103, "90" 1, "99" 2, "99.9" 3, "99.99" 4)
plot {', '.join(plots)}""")


def scale(compared, path):
    """Processor time per message over the number of connections."""
    blocks, plots = "", []
    for index, broker in enumerate(compared.brokers):
        lines = []
        for count in workloads.SCALE_CONNECTIONS:
            value = compared.values(f"scale_{count}", broker.name, comparison.broker_us)
            if value:
                lines.append(f"{count} {value['median']} {value['min']} {value['max']}")
        if lines:
            blocks += _block(f"broker{index}", lines)
            plots.append(f"$broker{index} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 "
                         f"lc rgb '{_colour(broker.name)}' title '{broker.name}'")
    if not plots:
        return
    _draw(path, blocks + f"""set title "Processor time per message at {workloads.SCALE_RATE:,} messages/s"
set logscale x
set xlabel "connections"
set ylabel "µs"
set yrange [0:*]
plot {', '.join(plots)}""")


def committed(bars, path):
    """Rows per second that are committed: (label, rate, name of the colour) for each bar."""
    lines = [f"\"{_label(label)}\" {rate:.0f} {int(_colour(name)[1:], 16)}"
             for label, rate, name in bars]
    _draw(path, _block("data", lines) + """set title "Committed rows per second, more is better"
set style fill solid border -1
set boxwidth 0.6
set yrange [0:*]
set format y "%'.0f"
set xtics scale 0 noenhanced
set bmargin 4
unset key
plot $data using 0:2:3:xtic(1) with boxes lc rgb variable""")
