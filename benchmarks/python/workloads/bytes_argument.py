"""Large arguments: 64 MiB to a call that reads a byte of each page."""

import time

from jobs import take_bytes


def measure(start, bench):
    pool = start(bench.workers)
    data = payload(bench)
    expected = take_bytes(data)

    def run():
        begin = time.perf_counter()
        assert pool.submit(take_bytes, data).wait() == expected
        return time.perf_counter() - begin

    bench.figure("rate", len(data) / bench.median_time(30, run))
    pool.stop()


def payload(bench):
    """Bytes of which no two pages are equal."""
    pages = bench.size(64 << 20, 64 << 10) // 4096
    return b"".join(bytes((page * 7 + at) & 255 for at in range(256)) * 16 for page in range(pages))
