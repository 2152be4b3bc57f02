"""A map over a million numbers, nothing tuned."""

import time


def measure(start, bench):
    pool = start(bench.workers)
    bench.figure("rate", map_rate(bench, pool.map))
    pool.stop()


def map_rate(bench, map_squares):
    def run(n):
        inputs = list(range(n))
        begin = time.perf_counter()
        squares = map_squares(inputs)
        seconds = time.perf_counter() - begin
        assert squares == [n * n for n in inputs]
        return seconds

    return bench.rate(bench.size(1_000_000, 1000), run)
