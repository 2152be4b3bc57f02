"""loky's ProcessPoolExecutor, the one below joblib."""

from loky import ProcessPoolExecutor

from contenders.executor import Executor


def start(workers):
    return Executor(ProcessPoolExecutor(workers))
