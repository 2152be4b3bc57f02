"""The life of a small pool: start, first result, stop."""

import time

from jobs import same


def measure(start, bench):
    def run():
        begin = time.perf_counter()
        pool = start(2)
        pool.submit(same, 7).wait()
        pool.stop()
        return time.perf_counter() - begin

    bench.figure("time", bench.median_time(50, run))
