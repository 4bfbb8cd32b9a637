"""Medians, spreads, and tables of them."""

import statistics


def spread(values):
    """Median, least and greatest, as they are reported for every figure."""
    values = sorted(values)
    return {"median": statistics.median(values), "min": values[0], "max": values[-1],
            "runs": len(values)}


def figure(value):
    """A number as a person reads it: three digits that count."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def with_spread(values):
    if values is None:
        return "–"
    if values["runs"] == 1:
        return figure(values["median"])
    return f"{figure(values['median'])} ({figure(values['min'])}–{figure(values['max'])})"


def table(header, rows):
    """A Markdown table; columns after the first are aligned to the right."""
    lines = ["| " + " | ".join(header) + " |",
             "| --- |" + " ---: |" * (len(header) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
