"""The start of a larger pool: until each of its workers runs a call."""

import time

from gate import Crew


def measure(start, bench):
    workers = bench.size(32, 3)

    def run():
        begin = time.perf_counter()
        pool = start(workers)
        crew = Crew(pool, workers)
        seconds = time.perf_counter() - begin
        crew.dismiss()
        pool.stop()
        return seconds

    bench.figure("per_worker", bench.median_time(5, run) / workers)
