"""A million calls that all wait before the first one runs; fewer where that would take too long."""

import time

from gate import Crew
from jobs import same

LIMIT = 4.0
"""How long it may take, in seconds."""


def measure(start, bench):
    pool = start(bench.workers)

    def queue_then_run(n):
        crew = Crew(pool, bench.workers)
        begin = time.perf_counter()
        calls = [pool.submit(same, n) for n in range(n)]
        crew.dismiss()
        for call in calls:
            call.wait()
        return time.perf_counter() - begin

    trial = bench.size(2000, 50)
    fits = int(trial * LIMIT / queue_then_run(trial))
    n = max(min(bench.size(1_000_000, 200), fits), trial)
    if n < 1_000_000:
        bench.note("measured with fewer calls: a million would take too long")
    bench.figure("rate", n / queue_then_run(n))
    pool.stop()
