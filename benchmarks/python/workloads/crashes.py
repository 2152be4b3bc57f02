"""Calls that kill their worker, among others that don't."""

import time

from gate import Crew
from jobs import crash_at_times


def measure(start, bench):
    pool = start(bench.workers)
    Crew(pool, bench.workers).dismiss()
    begin = time.perf_counter()
    errors = []
    calls = []
    for n in range(100):
        try:
            calls.append(pool.submit(crash_at_times, n))
        except Exception as error:
            errors.append(error)
    for call in calls:
        try:
            call.wait()
        except Exception as error:
            errors.append(error)
    settled = time.perf_counter() - begin
    named = errors and all(names_the_signal(error) for error in errors)
    bench.figure("failed", len(errors))
    bench.figure("settled", settled)
    bench.figure("named", 1 if named else 0)
    pool.stop()


def names_the_signal(error):
    """In its text or in that of its cause."""
    text = f"{error} {error.__cause__}"
    return any(name in text for name in ("SIGKILL", "signal 9", "signal: 9"))
