"""A map with one input in each call."""

from workloads.map import map_rate


def measure(start, bench):
    pool = start(bench.workers)
    bench.figure("rate", map_rate(bench, pool.map_one_by_one))
    pool.stop()
