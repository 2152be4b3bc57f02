"""multiprocessing.Pool, with its own choice of how to start workers."""

from multiprocessing import Pool

from jobs import square


class MultiprocessingPool:
    def __init__(self, workers):
        self._pool = Pool(workers)

    def submit(self, job, argument):
        return Pending(self._pool.apply_async(job, (argument,)))

    def map(self, inputs):
        return self._pool.map(square, inputs)

    def map_one_by_one(self, inputs):
        return self._pool.map(square, inputs, chunksize=1)

    def stop(self):
        self._pool.close()
        self._pool.join()


class Pending:
    def __init__(self, result):
        self._result = result

    def wait(self):
        return self._result.get()


start = MultiprocessingPool
