"""Two worker processes against one, on the same sweep: a process pool, and a Dask cluster on this machine.

Every worker has been started and has done some work before the clock runs. How much two processes gain depends on the
machine too, which may lend fewer than two cores: so pure arithmetic is measured in between, and only what falls far
behind it counts as a failure.
"""

import logging
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

# Workers inherit it: two of them with two BLAS threads each would want four cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from side_by_side import NOISE, Ratio, seconds

from bn_teach.data import load_digits
from bn_teach.sweep import sweep
from bn_teach.training import TrainingConfig

MOMENTA = (0.0, 0.5, 0.9, 0.99, 0.999)
CONFIGS = [TrainingConfig(batch_size=16, steps=200, seed=seed) for seed in range(8)]
REPETITIONS = 5


@dataclass(frozen=True)
class Gain(Ratio):
    """How many times faster two workers are than one, where the machine lends `cores` of its two cores."""

    cores: float

    @property
    def missed_by_far(self):
        """Beyond what noise, and a busy machine, explain."""
        return self.median < self.target * min(self.cores / 2, 1) / NOISE


def arithmetic(count):
    """Keep one core busy, sharing nothing with anybody."""
    return sum(i * i for i in range(count))


def process_pool(stack, workers):
    """Return a pool that is shut down with the stack."""
    return stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))


def dask_cluster(stack):
    """Return the executor of a local Dask cluster with two worker processes, closed with the stack."""
    import dask
    from dask.distributed import Client, LocalCluster

    # Dask tells its workers to give memory back at every chance. Asking for it again takes a training run as long as
    # the training itself; with these they keep what arrays of up to 32 MB used.
    malloc = {"MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_TRIM_THRESHOLD_": 2**27}
    settings = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in malloc.items()}
    settings |= {  # it also watches itself and them, many times a second, on the two cores that train
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "5s",
    }
    stack.enter_context(dask.config.set(settings))
    environment = dict(os.environ)  # a cluster on this machine leaves its variables here, too
    stack.callback(lambda: (os.environ.clear(), os.environ.update(environment)))
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    cluster = stack.enter_context(LocalCluster(n_workers=2, processes=True, **options))
    client = stack.enter_context(Client(cluster))
    client.wait_for_workers(2)
    return client.get_executor(pure=False)  # pure tasks would not be done again


def measure():
    """Return how many times faster two workers are than one."""
    digits = load_digits()

    def sweeping(executor):
        return lambda: sweep(digits, CONFIGS, MOMENTA, estimators=("ema", "algorithm2"), executor=executor)

    def calculating(pool):
        return lambda: list(pool.map(arithmetic, [600_000] * len(CONFIGS)))

    with ExitStack() as stack:
        one, two = (process_pool(stack, workers) for workers in (1, 2))
        runs = {
            "here": sweeping(None),
            "one": sweeping(one),
            "two": sweeping(two),
            "dask": sweeping(dask_cluster(stack)),
            "arithmetic, one": calculating(one),
            "arithmetic, two": calculating(two),
        }
        for run in runs.values():
            run()
        times = [{name: seconds(run, time.perf_counter) for name, run in runs.items()} for _ in range(REPETITIONS)]

    def gain(name, slow, fast):
        return Gain(name, tuple(t[slow] / t[fast] for t in times), 1.7, at_least=True, cores=cores)

    cores = median(t["arithmetic, one"] / t["arithmetic, two"] for t in times)
    return [
        gain("sweep: one process / two processes", "one", "two"),
        gain("sweep: in this process / two processes", "here", "two"),
        gain("sweep: one process / Dask with two workers", "one", "dask"),
        gain("(what the machine lends: arithmetic, one process / two)", "arithmetic, one", "arithmetic, two"),
    ]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
