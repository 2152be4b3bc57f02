"""What an idle worker costs in memory."""

from gate import Crew


def measure(start, bench):
    pool = start(2)
    pids = Crew(pool, 2).dismiss()
    pss, private = bench.memory(pids)
    bench.figure("pss", pss / len(pids))
    bench.figure("private", private / len(pids))
    pool.stop()
