"""Dask as the distributed engine; needs the extra ``cluster``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from importlib import import_module
from typing import Any

from ecosystem.errors import FaultList

PATIENCE = 30
"""Seconds to wait for a scheduler and its first worker."""


def connect(
    address: str | None, workers: int
) -> tuple[Executor, int, Callable[[], None], tuple[type[BaseException], ...]]:
    """Return an executor on a Dask cluster, its workers, how to close it, and what means death.

    Parameters
    ----------
    address
        Of the scheduler; None starts workers on this machine, which listen on loopback alone.
    workers
        Number of workers to start.

    Raises
    ------
    InputError
        Dask is not installed, or the scheduler or its workers do not answer.
    """
    faults = FaultList()
    try:
        dask: Any = import_module("distributed")  # without types, and without need of it here
    except ImportError:
        allowed = "processes or serial, or dask once compute-ecosystem[cluster] is installed"
        faults.add("executor", "dask", allowed)
        faults.raise_if_any()
        raise
    own = None
    try:
        if address is None:
            own = dask.LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
            )
        client = dask.Client(own or address, timeout=PATIENCE, set_as_default=False)
        client.wait_for_workers(1, timeout=PATIENCE)
    except (OSError, TimeoutError) as error:
        faults.add("cluster", address, f"a Dask scheduler with a worker that answers ({error})")
        faults.raise_if_any()
        raise
    threads = sum(client.nthreads().values())

    def close() -> None:
        client.close()
        if own is not None:
            own.close()

    return client.get_executor(pure=False), threads, close, (dask.KilledWorker, CancelledError)
