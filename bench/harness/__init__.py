"""What the benchmarks share: servers to start and stop, the load generator, results and pictures.

Python's standard library only; every external program is a Debian package.
"""
