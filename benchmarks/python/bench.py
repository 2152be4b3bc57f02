"""A sample from the inside: sizes, the clock, and the conversation with the driver."""

import os
import time
from statistics import median


class Bench:
    def __init__(self, workers, quick):
        self.workers = workers
        self.quick = quick
        self.budget = 0.005 if quick else 0.5

    def size(self, full, quick):
        return quick if self.quick else full

    def figure(self, name, value):
        print(f"figure {name} {value:e}", flush=True)

    def note(self, text):
        print(f"note {text}", flush=True)

    def memory(self, pids):
        """The memory of these processes: PSS and private bytes, each added up."""
        print("memory", *pids, flush=True)
        return [float(number) for number in input().split()]

    def activity(self, seconds, pids):
        """What these processes do in the next while: CPU seconds and context switches."""
        print("activity", seconds, *pids, flush=True)
        return [float(number) for number in input().split()]

    def median_time(self, most, run):
        """The median of what `run` takes; its first run is to warm up."""
        start = time.perf_counter()
        run()
        times = []
        while len(times) < most and (not times or time.perf_counter() - start < self.budget):
            times.append(run())
        return median(times)

    def rate(self, most, run):
        """How much `run(n)` does in a second, with an n that takes as long as the budget allows."""
        n = min(self.size(1000, 10), most)
        while True:
            seconds = run(n)
            if seconds >= self.budget / 2 or n == most:
                break
            n = min(int(n * min(max(self.budget / seconds, 2), 10)), most)
        return n / self.median_time(15, lambda: run(n))


def with_own(workers):
    return sorted({*workers, os.getpid()})
