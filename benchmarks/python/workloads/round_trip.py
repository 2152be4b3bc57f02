"""One no-op: submit, wait, again and again."""

import time
from statistics import median

from jobs import same


def measure(start, bench):
    pool = start(bench.workers)
    for n in range(bench.size(500, 5)):
        pool.submit(same, n).wait()
    times = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < bench.budget or not times:
        submitted = time.perf_counter()
        pool.submit(same, 7).wait()
        times.append(time.perf_counter() - submitted)
    bench.figure("p50", median(times))
    pool.stop()
