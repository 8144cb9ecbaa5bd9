"""Points solved in processes of this machine; goes on when one of them dies. Writes no file."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from splitopt.runtime.bound_process import Lifeline
from splitopt.workflows.sweep.task import Answer, Models, Task, dead, solve

_MOST_DEATHS = 2

_models: dict[str, bytes] = {}


def run_local(tasks: Sequence[Task], models: Models, workers: int | None) -> Iterator[Answer]:
    """Answers as they come; a point at which worker processes die twice has that as its error.

    Points under way when a worker died are solved again, one at a time, after all others.
    """
    waiting, deaths = {task.id: task for task in tasks}, Counter[str]()
    while waiting:
        untried = [task for task in waiting.values() if not deaths[task.id]]
        batch = untried or list(waiting.values())
        most = min(workers or len(os.sched_getaffinity(0)), len(batch)) if untried else 1
        for answer in _until_a_worker_dies(batch, models, most):
            if isinstance(answer, Answer):
                del waiting[answer.id]
                yield answer
                continue
            deaths[answer.id] += 1
            if deaths[answer.id] >= _MOST_DEATHS:
                yield dead(waiting.pop(answer.id))


def _until_a_worker_dies(
    tasks: Sequence[Task], models: Models, workers: int
) -> Iterator[Answer | Task]:
    """Answers; then, if a worker died, the tasks that were under way."""
    lifeline = Lifeline()
    # Forking saves a second of imports in each worker; no solver has run in this process yet.
    pool = ProcessPoolExecutor(workers, get_context("fork"), _begin, (dict(models), lifeline))
    todo = list(reversed(tasks))
    running: dict[Future[Answer], Task] = {}
    try:
        while todo or running:
            while todo and len(running) < workers:
                task = todo.pop()
                running[pool.submit(_solve, task)] = task
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                del running[future]
    except BrokenProcessPool:
        yield from running.values()
    finally:
        _stop(pool)
        lifeline.close()


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends its processes at once, even in the middle of a task."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


def _begin(models: dict[str, bytes], lifeline: Lifeline) -> None:
    """A worker ends when its parent does, also if that is killed."""
    lifeline.tie_self()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    _models.update(models)


def _solve(task: Task) -> Answer:
    return solve(task, _models[task.target.model_sha256])
