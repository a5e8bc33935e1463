"""Where chunks are run: in this process, in spawned ones, or on a Dask cluster.

All are a `concurrent.futures.Executor`. A `Pool` is one that can be put up again after its
workers died.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from functools import partial
from multiprocessing import connection, get_context, parent_process
from typing import Any

from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.runs.suspects import Suspects

EXECUTORS = ("serial", "processes", "dask")
ALONE = -1
"""Stands for the number of a chunk where suspects are run."""
PATIENCE = 30
"""Seconds after which a cluster that has finished nothing is asked whether it has workers left."""


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


def begin_worker() -> None:
    """Prepare a spawned process: Ctrl-C is the parent's, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def follow() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Pool:
    """An executor with the number of its workers, which can be put up again.

    Parameters
    ----------
    kind
        One of `EXECUTORS`, or an executor of the user, which is left open in the end.
    jobs
        Number of workers; None for one a core, or for those that a cluster has.
    cluster
        Address of a Dask scheduler; None for workers of Dask's own on this machine.
    """

    broken: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, kind: str | Executor, jobs: int | None, cluster: str | None) -> None:
        self.kind, self.cluster = kind, cluster
        self.asked = self.workers = jobs or os.cpu_count() or 1
        self.executor: Executor | None = None
        self._close: Callable[[], None] = lambda: None
        self._count: Callable[[], int] = lambda: self.workers
        self.deaths = 0

    @property
    def depth(self) -> int:
        """Number of chunks that are submitted at once: a worker has its next one at hand."""
        return 1 if self.kind == "serial" else 2 * self.workers

    @property
    def ahead(self) -> int:
        """Number of chunks that may be run before the first of them: this bounds memory."""
        return 4 * self.workers

    def limit(self, chunks: int) -> None:
        """Have no more processes than chunks; a design of a single one is run in this process."""
        if self.kind == "processes":
            self.workers = min(self.workers, max(chunks, 1))
            self.kind = "serial" if self.workers == 1 else self.kind

    def submit(self, *call: Any) -> Future[Any]:
        """Submit a call, putting the workers up first if they are not."""
        if self.executor is None:
            self.open()
        assert self.executor is not None
        return self.executor.submit(*call)

    def open(self) -> None:
        """Put the workers up."""
        if isinstance(self.kind, Executor):
            self.executor = self.kind
            self.workers = getattr(self.kind, "_max_workers", self.workers)
        elif self.kind == "serial":
            self.executor, self.workers = SerialExecutor(), 1
        elif self.kind == "processes":
            self.executor = one_thread_processes(self.workers)
            self._close = partial(end_processes, self.executor)
        else:
            from ecosystem.runs.dask_cluster import connect

            found = connect(self.cluster, self.asked)  # also after some have died
            self.executor, self.broken = found.executor, found.broken
            self._count, self._close = found.count, found.close
            self.workers = self._count()

    def done(self, waiting: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Wait until something is done and return it; workers that came or went are counted.

        Raises
        ------
        ChildProcessError
            No worker is left, and none has come for `PATIENCE` seconds.
        """
        while True:
            found = wait(waiting, timeout=PATIENCE, return_when=FIRST_COMPLETED).done
            count = self._count()
            if found or count:
                self.workers = max(count, 1)
            if found:
                return found
            if not count:
                raise ChildProcessError(f"no worker of {self.cluster or 'the cluster'} is left")

    def succeed(self) -> None:
        """Note that workers live long enough to finish a chunk, or a part of one."""
        self.deaths = 0

    def mourn(self, error: BaseException, hopeless: bool) -> None:
        """Take down what is left of dead workers, or give up where that is hopeless.

        Raises
        ------
        ChildProcessError
            Workers die whatever they are given, or they are not ours to put up again.
        """
        self.deaths += 1
        if isinstance(self.kind, Executor):
            raise ChildProcessError(f"the executor that was given is broken ({error})") from error
        if hopeless:
            words = f"workers died {self.deaths} times without finishing a chunk ({error})"
            raise ChildProcessError(words) from error
        self.close()

    def close(self) -> None:
        """Take the workers down without waiting for what they do."""
        close, self._close, self.executor = self._close, lambda: None, None
        self._count = lambda: self.workers
        close()


def end_processes(executor: ProcessPoolExecutor) -> None:
    """End worker processes at once, whatever they do: their chunks are run again if needed."""
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def one_thread_processes(workers: int) -> ProcessPoolExecutor:
    """Return spawned processes with one thread of linear algebra each."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_worker)


def check_executor(
    faults: FaultList, executor: str | Executor | None, cluster: str | None
) -> str | Executor:
    """Return the kind of executor, else note a fault."""
    kind = executor or ("dask" if cluster else "processes")
    if not isinstance(kind, Executor) and kind not in EXECUTORS:
        allowed = "one of " + ", ".join(EXECUTORS) + ", or an Executor"
        faults.add("executor", kind, allowed, nearest(kind, EXECUTORS))
    if cluster and kind != "dask":
        faults.add("cluster", cluster, "an address together with the executor dask")
    return kind


def ended_badly(future: Future[Any]) -> bool:
    """Return whether a call that is done has no result."""
    return future.cancelled() or future.exception() is not None


def in_order(
    pool: Pool,
    tasks: Sequence[Any],
    call: Callable[..., Any],
    numbers: Sequence[int],
    keep: Callable[[int, Any], Any],
) -> Iterator[tuple[int, Any]]:
    """Run tasks on a pool and give in order what `keep` made of each as soon as it was done.

    When workers die, the chunks that they had are run one at a time, and those that kill theirs in
    parts (`ecosystem.runs.suspects`): ``call(task, piece)`` gives what is kept of the pieces.

    Raises
    ------
    ChildProcessError
        Workers died whatever they were given, or none is left.
    """
    todo, suspects = deque(numbers), Suspects(tasks)
    waiting: dict[Future[Any], int] = {}
    ready: dict[int, Any] = {}

    def fill() -> None:
        """Submit what there is room for; a suspect alone."""
        if suspects:
            if not waiting:
                waiting[pool.submit(*suspects.call())] = ALONE
            return
        while todo and len(waiting) < pool.depth and len(waiting) + len(ready) < pool.ahead:
            future = pool.submit(call, tasks[todo[0]])
            waiting[future] = todo.popleft()

    def take() -> None:
        """Keep what is done, what ended well before what did not."""
        for future in sorted(pool.done(waiting), key=ended_badly):
            result = future.result()
            number = waiting.pop(future)
            pool.succeed()
            if not suspects:
                ready[number] = keep(number, result)
                suspects.vouch(number)
            elif found := suspects.survived(result):
                number, piece = found
                ready[number] = keep(number, call(tasks[number], piece))

    def bury(error: BaseException) -> None:
        """Suspect the chunks of dead workers, or the runs that the dead one had alone.

        What Dask's other workers had is run again later; of processes all are taken down.
        """
        hopeless = suspects.died(error) if suspects else False
        if not suspects:
            lost = [n for future, n in waiting.items() if future.done() and ended_badly(future)]
            suspects.add(lost)
            todo.extendleft(sorted(set(waiting.values()) - set(lost), reverse=True))
        waiting.clear()
        pool.mourn(error, hopeless)

    try:
        for wanted in numbers:
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
