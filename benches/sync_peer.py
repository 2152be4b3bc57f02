"""What benches/sync.rs measures, done by multiprocessing.

Reads lines "NAME ITERATIONS" and answers each with the seconds that it took.
"""

import multiprocessing
import sys
import time


def lock(times):
    lock = multiprocessing.Lock()
    start = time.perf_counter()
    for _ in range(times):
        with lock:
            pass
    return time.perf_counter() - start


def event(times):
    event = multiprocessing.Event()
    start = time.perf_counter()
    for _ in range(times):
        event.set()
        event.clear()
    return time.perf_counter() - start


def answer_events(there, back, times):
    for _ in range(times):
        there.wait()
        there.clear()
        back.set()


def event_round_trip(times):
    there, back = multiprocessing.Event(), multiprocessing.Event()
    process = multiprocessing.Process(target=answer_events, args=(there, back, times + 1))
    process.start()
    there.set()
    back.wait()
    back.clear()
    start = time.perf_counter()
    for _ in range(times):
        there.set()
        back.wait()
        back.clear()
    seconds = time.perf_counter() - start
    process.join()
    return seconds


def produce(queue, times):
    for n in range(times):
        queue.put(n)


def queue(times):
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=produce, args=(queue, times + 1))
    process.start()
    queue.get()
    start = time.perf_counter()
    for _ in range(times):
        queue.get()
    seconds = time.perf_counter() - start
    process.join()
    return seconds


def echo(there, back, times):
    for _ in range(times):
        back.put(there.get())


def queue_round_trip(times):
    there, back = multiprocessing.Queue(), multiprocessing.Queue()
    process = multiprocessing.Process(target=echo, args=(there, back, times + 1))
    process.start()
    there.put(0)
    back.get()
    start = time.perf_counter()
    for n in range(times):
        there.put(n)
        back.get()
    seconds = time.perf_counter() - start
    process.join()
    return seconds


def echo_pipe(end, times):
    for _ in range(times):
        end.send(end.recv())


def pipe_round_trip(times):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=echo_pipe, args=(there, times + 1))
    process.start()
    here.send(0)
    here.recv()
    start = time.perf_counter()
    for n in range(times):
        here.send(n)
        here.recv()
    seconds = time.perf_counter() - start
    process.join()
    return seconds


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    for line in sys.stdin:
        name, times = line.split()
        print(globals()[name](int(times)), flush=True)
