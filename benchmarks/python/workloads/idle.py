"""What an idle pool does."""

import time

from bench import with_own
from gate import Crew
from jobs import same


def measure(start, bench):
    pool = start(bench.workers)
    workers = Crew(pool, bench.workers).dismiss()
    for n in range(bench.size(1000, 20)):
        pool.submit(same, n).wait()
    time.sleep(bench.size(0.3, 0.02))
    seconds = bench.size(1.0, 0.05)
    cpu, switches = bench.activity(seconds, with_own(workers))
    bench.figure("wake_ups", switches / seconds)
    bench.figure("cpu", cpu / seconds)
    pool.stop()
