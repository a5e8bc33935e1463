"""Where chunks are run: in this process, in others beside it, or on a Dask cluster.

All are a `concurrent.futures.Executor`. Processes are loky's: they need no main guard in a user's
script, and functions typed into a script or a notebook travel with cloudpickle.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from typing import Any

from loky import ProcessPoolExecutor
from loky.backend import resource_tracker as loky_tracker

from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import SCHEDULER, Options
from ecosystem.runs.chunk import given_up, run_part, run_tasks
from ecosystem.runs.task import Piece, Task, joined

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE = 30
"""Seconds to wait for a Dask scheduler, and for workers where it has none left."""
DEATHS = 3
"""A run that kills its worker so often, alone, is a failed run: one or two deaths may be of
somebody else's making, such as the system's when memory is short."""
HOPELESS = 3, 20
"""So many runs in a row that kill their workers are the workers' fault: before any chunk has ended
well, and after that."""


Make = Callable[[Task, Piece], Any]
"""What becomes of a chunk's piece in the process that ran it."""


def bare(task: Task, piece: Piece) -> Piece:
    """Return the piece itself."""
    return piece


def run_listed(tasks: Sequence[Task], make: Make) -> list[Any]:
    """Run chunks of a common past and return what `make` makes of each: `run_tasks` at once."""
    return list(run_tasks(tasks, make))


class SerialExecutor(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def begin_worker(parent: int) -> None:
    """Prepare a worker process: Ctrl-C is the parent's, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.name == "nt" or os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, from their first moment on; it is heard afterwards.

    A signal that this thread blocks may reach another one, and Python then interrupts this one all
    the same: a worker that is half started would say so.
    """
    with heard_afterwards(), blocked():
        yield


@contextmanager
def heard_afterwards() -> Iterator[None]:
    """Put Ctrl-C off until the block ends."""
    before, heard = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, lambda *signal_and_frame: heard.append(signal_and_frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(*heard[0])


@contextmanager
def blocked() -> Iterator[None]:
    """Block Ctrl-C in this thread, and so in the processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # who starts one has its signals unblocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pool:
    """An executor with the number of its workers, which can be put up again after they died.

    Parameters
    ----------
    kind
        ``processes``, ``serial``, ``dask``, or an executor of the user, which is left open.
    asked
        Number of worker processes, one a core by default, and the address of a Dask scheduler.
    """

    broken: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, kind: str | Executor, asked: Options) -> None:
        if kind == "processes" and multiprocessing.current_process().daemon:
            kind = "serial"  # a worker of somebody else's pool that may have no children
        self.kind, self.cluster = kind, asked.cluster
        self.workers = asked.jobs or os.cpu_count() or 1
        self.executor: Executor | None = None
        self.client: Any = None

    @property
    def depth(self) -> int:
        """Number of jobs that are submitted at once: a worker has its next one at hand."""
        return 1 if self.kind == "serial" else 2 * self.workers

    @property
    def ahead(self) -> int:
        """Number of jobs that may be run before the first of them: this bounds memory."""
        return 4 * self.workers

    @property
    def call(self) -> Callable[[Sequence[Task], Make], Iterable[Any]]:
        """What runs a job: in this process chunk by chunk as they are asked for."""
        return run_tasks if self.kind == "serial" else run_listed

    @property
    def width(self) -> int:
        """Number of workers: a cluster, or an executor of the user's, tells it once it is open."""
        if self.executor is None and self.kind not in ("serial", "processes"):
            self.executor = self.open()
        return 1 if self.kind == "serial" else self.workers

    def limit(self, chunks: int) -> None:
        """Have no more processes than chunks; a design of a single one is run in this process."""
        if self.kind == "processes":
            self.workers = min(self.workers, max(chunks, 1))
            self.kind = "serial" if self.workers == 1 else self.kind

    def submit(self, *call: Any) -> Future[Any]:
        """Submit a call, putting the workers up first if they are not."""
        with deaf() if self.kind == "processes" else nullcontext():
            if self.executor is None:
                self.executor = self.open()
            return self.executor.submit(*call)

    def open(self) -> Executor:
        """Put the workers up."""
        if isinstance(self.kind, Executor):
            self.workers = getattr(self.kind, "_max_workers", self.workers)
            return self.kind
        if self.kind == "serial":
            self.workers = 1
            return SerialExecutor()
        if self.kind == "processes":
            return processes(self.workers)
        self.client, self.broken = connected(str(self.cluster))
        self.workers = max(self.count(), 1)
        return self.client.get_executor(pure=False)

    def count(self) -> int:
        """Return the number of threads that the workers of a cluster have now."""
        try:
            return sum(self.client.nthreads().values())
        except (OSError, TimeoutError, RuntimeError, ValueError):  # the scheduler is gone
            return 0

    def done(self, waiting: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Wait until something is done and return it.

        Raises
        ------
        ChildProcessError
            A cluster has no worker left, and none has come for `PATIENCE` seconds.
        """
        while True:
            limit = PATIENCE if self.client else None
            found = wait_for(waiting, timeout=limit, return_when=FIRST_COMPLETED).done
            if self.client:
                self.workers = max(self.count(), 1)
            if found:
                return found
            if not self.count():
                raise ChildProcessError(f"no worker of {self.cluster} is left")

    def mourn(self, error: BaseException) -> None:
        """Take down what is left of dead workers.

        Raises
        ------
        ChildProcessError
            They are not ours to put up again.
        """
        if isinstance(self.kind, Executor):
            raise ChildProcessError(f"the executor that was given is broken ({error})") from error
        self.close()

    def close(self) -> None:
        """Take the workers down without waiting for what they do; a user's own stay."""
        executor, self.executor = self.executor, None
        client, self.client = self.client, None
        if isinstance(executor, ProcessPoolExecutor):
            executor.shutdown(wait=True, kill_workers=True)
        if client:
            with silent(), suppress(Exception):  # of a scheduler that is gone
                client.close()


def processes(workers: int) -> Executor:
    """Return worker processes with one thread of linear algebra each."""
    threads = {name: os.environ.get(name, "1") for name in ONE_THREAD}
    return ProcessPoolExecutor(
        workers, env=threads, initializer=begin_worker, initargs=(os.getpid(),)
    )


def connected(address: str) -> tuple[Any, tuple[type[BaseException], ...]]:
    """Return a client of a Dask scheduler, and the errors that mean that a worker has died.

    Raises
    ------
    InputError
        Dask is not installed, the address is none, or the scheduler has no worker that answers.
    """
    faults = FaultList()
    try:
        dask: Any = import_module("distributed")  # an extra
    except ImportError:
        allowed = "processes or serial, or dask once compute-ecosystem[cluster] is installed"
        faults.add("executor", "dask", allowed)
        faults.raise_if_any()
        raise
    client: Any = None
    try:
        client = dask.Client(address, timeout=PATIENCE, set_as_default=False)
        client.wait_for_workers(1, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        if client:
            with silent():
                client.close()
        allowed = (
            f"the address of a Dask scheduler with a worker that answers ({error}): {SCHEDULER}"
        )
        faults.add("cluster", address, allowed)
    if client is None:  # half made: whenever it is collected it ends a loop, and were another
        gc.collect()  # client at its start then, both would wait for each other
    faults.raise_if_any()
    return client, (dask.KilledWorker, CancelledError)


@contextmanager
def silent() -> Iterator[None]:
    """Let Dask go without its reports that connections are lost."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loggers = [logging.getLogger(name) for name in names]
    heard = [logger for logger in loggers if not logger.disabled]
    for logger in heard:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in heard:
            logger.disabled = False


def in_order(
    pool: Pool,
    tasks: Sequence[Task],
    make: Make,
    jobs: Sequence[Sequence[int]],
    keep: Callable[[int, Any], Any],
) -> Iterator[tuple[int, Any]]:
    """Run tasks on a pool and give in order what `keep` made of each as soon as it was done.

    When workers die, what they had is tried alone, see `Suspects`.

    Parameters
    ----------
    pool, tasks
        Where, and what.
    make
        What becomes of the piece of a task where it was run.
    jobs
        Numbers of the tasks that are run one after the other, as they have a past in common.
    keep
        What becomes of that here.

    Raises
    ------
    ChildProcessError
        Workers died whatever they were given, or none is left.
    """
    todo = deque(jobs)
    waiting: dict[Future[Any], Sequence[int]] = {}
    ready: dict[int, Any] = {}
    suspects = Suspects(pool)
    longest = max(map(len, jobs), default=1)

    def fill() -> None:
        while todo and (
            not waiting  # a pool that has shrunk may be ahead of itself
            or (len(waiting) < pool.depth and len(waiting) + len(ready) / longest < pool.ahead)
        ):
            future = pool.submit(pool.call, [tasks[number] for number in todo[0]], make)
            waiting[future] = todo.popleft()

    def take() -> None:
        for future in sorted(pool.done(waiting), key=ended_badly):  # what ended well comes first
            results = future.result()
            job = waiting.pop(future)
            for number, result in zip(job, results, strict=True):
                suspects.ended_well()
                ready[number] = keep(number, result)

    def bury(error: BaseException) -> None:
        lost = [number for future, job in waiting.items() if ended_badly(future) for number in job]
        others = [list(job) for future, job in waiting.items() if not ended_badly(future)]
        todo.extendleft(sorted(others, reverse=True))
        for future in waiting:
            future.cancel()
        waiting.clear()
        pool.mourn(error)
        for number in sorted(lost):
            ready[number] = keep(number, suspects.tried(make, tasks[number]))

    try:
        for wanted in (number for job in jobs for number in job):
            while wanted not in ready:
                try:
                    fill()
                    take()
                except pool.broken as error:
                    bury(error)
            yield wanted, ready.pop(wanted)
    finally:
        for future in waiting:
            future.cancel()


def ended_badly(future: Future[Any]) -> bool:
    """Return whether a call that is done has no result."""
    return future.done() and (future.cancelled() or future.exception() is not None)


class Suspects:
    """Chunks whose worker died: run alone, one at a time, then run by run."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.alive = False
        self.in_a_row = 0

    def ended_well(self) -> None:
        """Note that workers live long enough to finish something."""
        self.alive, self.in_a_row = True, 0

    def tried(self, make: Make, task: Task) -> Any:
        """Return what comes of a chunk; runs of it that kill their worker have failed."""
        try:
            return list(self.alone(self.pool.call, [task], make))[0]
        except self.pool.broken as error:
            self.pool.mourn(error)
        return make(task, joined([self.single(one) for one in task.singles()]))

    def single(self, task: Task) -> Piece:
        """Return what comes of a single run, which has failed once it has killed its workers."""
        for _ in range(DEATHS):
            try:
                return self.alone(run_part, task)
            except self.pool.broken as error:
                self.pool.mourn(error)
                words = str(error).partition(". ")[0] or type(error).__name__
        self.in_a_row += 1
        if self.in_a_row >= HOPELESS[self.alive]:
            raise ChildProcessError(
                f"workers died of {self.in_a_row} runs in a row, the last of them {task.runs[0]} "
                f"({words})"
            )
        return given_up(task, f"its worker died {DEATHS} times with this run alone ({words})")

    def alone(self, *call: Any) -> Any:
        """Return the result of a call while the workers have nothing else to do."""
        future = self.pool.submit(*call)
        self.pool.done([future])
        found = future.result()
        self.ended_well()
        return found
