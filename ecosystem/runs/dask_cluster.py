"""Dask as the distributed engine; needs the extra ``cluster``."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from typing import Any

from ecosystem.inputs.faults import FaultList

PATIENCE = 30
"""Seconds to wait for a scheduler and its first worker, and for our own workers to be gone."""
LOGGERS = ("asyncio", "distributed", "tornado")
"""What reports, by whole tracebacks, that workers are gone."""
MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": 1 << 29,
    "MALLOC_MMAP_THRESHOLD_": 1 << 25,
    "MALLOC_ARENA_MAX": 1,
}
"""How workers of this machine keep freed memory, see `ecosystem.runs.core.keep_memory`: Dask runs
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
        Lets the cluster go; ends the workers that were started here, whatever they do.
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
    opened = ExitStack()
    try:
        place = address or opened.enter_context(local_workers(dask, workers))
        client = dask.Client(place, timeout=PATIENCE, set_as_default=False)
        opened.callback(client.close)
        client.wait_for_workers(1, timeout=PATIENCE)
    except BaseException as error:  # Ctrl-C, too
        close_quietly(opened)
        if isinstance(error, OSError | TimeoutError | ValueError):
            allowed = "a Dask scheduler with a worker that answers, such as tcp://127.0.0.1:8786"
            if address is None:
                allowed = "processes or serial: Dask's own workers do not start here"
            place, value = ("cluster", address) if address else ("executor", "dask")
            faults.add(place, value, f"{allowed} ({error})")
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
        close=partial(close_quietly, opened),
        broken=(dask.KilledWorker, CancelledError),
    )


def close_quietly(opened: ExitStack) -> None:
    """Close what was opened, the last first, without a word on what was lost by it."""
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in LOGGERS]
    heard = [logger for name in known if not (logger := logging.getLogger(name)).disabled]
    for logger in heard:
        logger.disabled = True
    try:
        with suppress(Exception):  # a scheduler or a worker that is gone cannot be closed
            opened.close()
    finally:
        for logger in heard:
            logger.disabled = False


@contextmanager
def local_workers(dask: Any, workers: int) -> Iterator[str]:
    """Give the address of a scheduler on this machine that has so many workers."""
    nannies: list[Any] = []
    with deaf_loop() as loop:
        cluster = asyncio.run_coroutine_threadsafe(made(dask, workers, nannies), loop).result()
        begun = asyncio.run_coroutine_threadsafe(begin(cluster), loop)
        try:
            yield begun.result()
        finally:
            ended = end(cluster, nannies, begun.done)
            asyncio.run_coroutine_threadsafe(ended, loop).result(PATIENCE)


@contextmanager
def deaf_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give an event loop in a thread of its own, whose child processes do not hear Ctrl-C.

    They have the signals blocked that are blocked where they are started: from their first moment
    on, while what is imported or sent to them would come late.
    """
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(over.wait())

    thread = threading.Thread(target=run, daemon=True)
    if sys.platform == "win32":
        thread.start()
    else:
        resource_tracker.ensure_running()  # who starts it has its signals unblocked
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)


async def made(dask: Any, workers: int, nannies: list[Any]) -> Any:
    """Return a cluster that is not begun; `nannies` takes in what watches over each worker."""
    config: Any = import_module("dask.config")
    place = "distributed.nanny.pre-spawn-environ."

    def nanny(*args: Any, **options: Any) -> Any:
        with config.set({place + name: str(value) for name, value in MEMORY.items()}):
            nannies.append(dask.Nanny(*args, **options))
        return nannies[-1]

    cluster = dask.LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", processes=True,
        dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},  # any free port
        worker_class=nanny, asynchronous=True,
    )  # fmt: skip
    cluster.shutdown_on_close = False  # Dask, as Python ends, trips over one that is starting
    return cluster


async def begin(cluster: Any) -> str:
    """Start scheduler and workers; return the scheduler's address."""
    return str((await cluster).scheduler_address)


async def end(cluster: Any, nannies: list[Any], begun: Callable[[], bool]) -> None:
    """End workers at once, whatever they do and even while they start, then their scheduler."""
    while not begun() or any(one.is_alive() for one in nannies):
        for one in nannies:
            one.close_gracefully()  # it starts no other worker
            if one.pid:
                with suppress(OSError):  # it has just ended
                    os.kill(one.pid, signal.SIGTERM)
        await asyncio.sleep(0.01)
    await cluster.close()
