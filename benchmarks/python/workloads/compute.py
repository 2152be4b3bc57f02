"""Pure computing: how much of the CPUs the pool leaves to the calls."""

import time

from gate import Crew
from jobs import compute


def measure(start, bench):
    pool = start(bench.workers)
    Crew(pool, bench.workers).dismiss()
    calls, micros = bench.size(64, 4), bench.size(20_000, 500)
    ideal = calls * micros / 1e6 / bench.workers
    begin = time.perf_counter()
    for call in [pool.submit(compute, micros) for _ in range(calls)]:
        call.wait()
    bench.figure("share", ideal / (time.perf_counter() - begin))
    pool.stop()
