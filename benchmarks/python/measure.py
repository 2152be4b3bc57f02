"""Takes one sample of a pool of Python: `measure.py WORKLOAD CONTENDER WORKERS full|quick`.

The counterpart of src/bin/measure.rs, with the same words between it and the driver; see src/bench.rs.
"""

import importlib
import sys

from bench import Bench


def main():
    workload, contender, workers, size = sys.argv[1:]
    start = importlib.import_module(f"contenders.{contender}").start
    measure = importlib.import_module(f"workloads.{workload}").measure
    measure(start, Bench(int(workers), size == "quick"))
    print("end", flush=True)


if __name__ == "__main__":
    main()
