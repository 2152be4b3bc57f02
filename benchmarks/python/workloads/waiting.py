"""What a pool does while it waits for one long call."""

import threading
import time

from bench import with_own
from gate import Crew, Gate
from jobs import hold


def measure(start, bench):
    pool = start(bench.workers)
    workers = Crew(pool, bench.workers).dismiss()
    gate = Gate()
    call = pool.submit(hold, gate.name)
    gate.wait_for(1)
    waiter = threading.Thread(target=call.wait)
    waiter.start()
    time.sleep(bench.size(0.3, 0.02))
    seconds = bench.size(1.0, 0.05)
    cpu, switches = bench.activity(seconds, with_own(workers))
    gate.open()
    waiter.join()
    bench.figure("wake_ups", switches / seconds)
    bench.figure("cpu", cpu / seconds)
    pool.stop()
