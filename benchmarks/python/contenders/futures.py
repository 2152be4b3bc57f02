"""concurrent.futures.ProcessPoolExecutor."""

from concurrent.futures import ProcessPoolExecutor

from contenders.executor import Executor


def start(workers):
    return Executor(ProcessPoolExecutor(workers))
