"""Dask as the distributed engine; needs the extra ``cluster``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ecosystem.errors import FaultList

PATIENCE = 30
"""Seconds to wait for a scheduler and its first worker."""
MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": 1 << 29,
    "MALLOC_MMAP_THRESHOLD_": 1 << 25,
    "MALLOC_ARENA_MAX": 1,
}
"""How workers of this machine keep freed memory, see `ecosystem.simulation.keep_memory`: Dask runs
tasks beside a worker's main thread and has it hand memory back at once, which costs a tenth."""


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster that is connected.

    Parameters
    ----------
    executor
        Runs what is submitted on the cluster.
    count
        Returns the number of threads that its workers have now.
    close
        Lets the cluster go; ends the workers that were started here.
    broken
        Errors that mean that a worker or the scheduler has died.
    """

    executor: Executor
    count: Callable[[], int]
    close: Callable[[], None]
    broken: tuple[type[BaseException], ...]


def connect(address: str | None, workers: int) -> Cluster:
    """Connect to a Dask cluster.

    Parameters
    ----------
    address
        Of the scheduler; None starts workers on this machine, which listen on loopback alone.
    workers
        Number of workers to start.

    Raises
    ------
    InputError
        Dask is not installed, the address is none, or the scheduler or its workers do not answer.
    """
    faults = FaultList()
    try:
        dask: Any = import_module("distributed")  # without types, and without need of it here
    except ImportError:
        allowed = "processes or serial, or dask once compute-ecosystem[cluster] is installed"
        faults.add("executor", "dask", allowed)
        faults.raise_if_any()
        raise
    opened: list[Any] = []
    try:
        if address is None:
            opened.append(local_workers(dask, workers))
        place = opened[0] if opened else address
        client = dask.Client(place, timeout=PATIENCE, set_as_default=False)
        opened.append(client)
        client.wait_for_workers(1, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        close_all(opened)
        allowed = "a Dask scheduler with a worker that answers, such as tcp://127.0.0.1:8786"
        faults.add("cluster", address, f"{allowed} ({error})")
        faults.raise_if_any()
        raise

    def count() -> int:
        try:
            return sum(client.nthreads().values())
        except (OSError, TimeoutError, RuntimeError, ValueError):  # the scheduler is gone
            return 0

    return Cluster(
        executor=client.get_executor(pure=False),
        count=count,
        close=lambda: close_all(opened),
        broken=(dask.KilledWorker, CancelledError),
    )


def local_workers(dask: Any, workers: int) -> Any:
    """Return a cluster of workers on this machine."""
    config: Any = import_module("dask.config")
    place = "distributed.nanny.pre-spawn-environ."
    with config.set({place + name: str(value) for name, value in MEMORY.items()}):
        return dask.LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        )


def close_all(opened: list[Any]) -> None:
    """Close what was opened, the last first."""
    for one in reversed(opened):
        one.close()
