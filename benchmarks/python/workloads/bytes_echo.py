"""Large arguments and large results: 64 MiB there and back; both ways count."""

import time

from jobs import echo_bytes
from workloads.bytes_argument import payload


def measure(start, bench):
    pool = start(bench.workers)
    data = payload(bench)

    def run():
        begin = time.perf_counter()
        back = pool.submit(echo_bytes, data).wait()
        seconds = time.perf_counter() - begin
        assert back == data
        return seconds

    bench.figure("rate", 2 * len(data) / bench.median_time(30, run))
    pool.stop()
