"""What the figures were measured on."""

import os
import platform
import subprocess


def _first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else None


def _field(path, name):
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return None


def package_version(name):
    """The version of an installed Debian package, or None."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True,
                          text=True)
    return done.stdout if done.returncode == 0 and done.stdout else None


def describe(root):
    with open("/etc/os-release") as file:
        release = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return {
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_mib": int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "system": release.get("PRETTY_NAME", "").strip('"'),
        "revision": _first_line(["git", "-C", str(root), "describe", "--always", "--dirty"]),
        "load_before": os.getloadavg()[0],
    }


def sentence(machine):
    return (f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib'] // 1024} GiB, "
            f"{machine['system']}, Linux {machine['kernel']}; load generator, servers and database "
            f"share it. Load average before the run: {machine['load_before']:.2f}.")
