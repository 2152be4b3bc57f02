"""A gate at which calls wait; see src/gate.rs."""

import itertools
import os
import socket
import struct

from jobs import hold

_numbers = itertools.count()


class Gate:
    def __init__(self):
        self.name = f"ppool-benchmarks-{os.getpid()}-{next(_numbers)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind("\0" + self.name)
        self._listener.listen(128)
        self._held = []

    def wait_for(self, count):
        """Waits until so many calls wait here; gives the ids of the processes that run them."""
        pids = []
        for _ in range(count):
            stream, _ = self._listener.accept()
            pids += struct.unpack("<I", stream.recv(4, socket.MSG_WAITALL))
            self._held.append(stream)
        return pids

    def open(self):
        for stream in self._held:
            # Pools that fork may have given copies of the descriptor away; this reaches all of them.
            stream.shutdown(socket.SHUT_RDWR)
            stream.close()
        self._listener.close()


class Crew:
    """Holds every worker of a pool at a gate."""

    def __init__(self, pool, workers):
        self._gate = Gate()
        self._calls = [pool.submit(hold, self._gate.name) for _ in range(workers)]
        self.pids = sorted(set(self._gate.wait_for(workers)))

    def dismiss(self):
        self._gate.open()
        for call in self._calls:
            call.wait()
        return self.pids
