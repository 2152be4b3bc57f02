"""The functions that the workloads call; see src/jobs.rs."""

import os
import signal
import socket
import struct
import time


def same(n):
    return n


def square(n):
    return n * n


def take_bytes(data):
    return sum(data[::4096])


def echo_bytes(data):
    return data


def hold(gate):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect("\0" + gate)
        stream.sendall(struct.pack("<I", os.getpid()))
        stream.recv(1)
    return os.getpid()


def compute(micros):
    end = time.thread_time() + micros / 1e6
    n = micros
    while time.thread_time() < end:
        for _ in range(1000):
            n = (n * 6364136223846793005 + 1) & 0xFFFFFFFFFFFFFFFF
    return micros


def crash_at_times(n):
    if n % 20 == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return n
