"""What ProcessPoolExecutor and loky have in common: the interface of concurrent.futures."""

from jobs import square


class Executor:
    def __init__(self, executor):
        self._executor = executor

    def submit(self, job, argument):
        return Pending(self._executor.submit(job, argument))

    def map(self, inputs):
        """Untuned: one input in each call, as both choose by themselves."""
        return list(self._executor.map(square, inputs))

    def map_one_by_one(self, inputs):
        return list(self._executor.map(square, inputs, chunksize=1))

    def stop(self):
        self._executor.shutdown(wait=True)


class Pending:
    def __init__(self, future):
        self._future = future

    def wait(self):
        return self._future.result()
