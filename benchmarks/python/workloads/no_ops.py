"""Many no-ops: submitted one by one, their futures awaited at the end."""

import time

from jobs import same


def measure(start, bench):
    pool = start(bench.workers)

    def submit_all_then_wait(n):
        begin = time.perf_counter()
        calls = [pool.submit(same, n) for n in range(n)]
        for n, call in enumerate(calls):
            assert call.wait() == n
        return time.perf_counter() - begin

    bench.figure("rate", bench.rate(1_000_000, submit_all_then_wait))
    pool.stop()
