"""What a call costs in memory while it waits."""

from bench import with_own
from gate import Crew
from jobs import same


def measure(start, bench):
    pool = start(bench.workers)
    n = bench.size(50_000, 500)
    pool.submit(same, 7).wait()
    crew = Crew(pool, bench.workers)
    pids = with_own(crew.pids)
    before, _ = bench.memory(pids)
    calls = [pool.submit(same, n) for n in range(n)]
    after, _ = bench.memory(pids)
    bench.figure("per_call", (after - before) / n)
    crew.dismiss()
    for call in calls:
        call.wait()
    pool.stop()
