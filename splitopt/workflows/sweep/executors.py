"""Where points are solved: in processes of this machine, or on a Dask cluster.

Both hand out one point at a time and go on when a worker process dies; neither writes a file.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from splitopt.base.errors import ToolError
from splitopt.runtime.bound_process import Lifeline
from splitopt.workflows.sweep.task import Answer, Task, solve

Models = Mapping[str, bytes]
"""SHA-256 → the int8 model."""

_MOST_DEATHS = 2
_CONNECT_S = 5.0

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
                yield _dead(waiting.pop(answer.id))


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
    _models.update(models)


def _solve(task: Task) -> Answer:
    return solve(task, _models[task.target.model_sha256])


def _dead(task: Task) -> Answer:
    return Answer(
        task.id, error="its worker process died twice; too little memory for so large a model?"
    )


def run_dask(tasks: Sequence[Task], models: Models, scheduler: str) -> Iterator[Answer]:
    """Answers as they come from a cluster, whose workers need splitopt installed.

    Raises ToolError where dask is absent or the scheduler does not answer.
    """
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise ToolError("executor: dask needs distributed: pip install 'splitopt[dask]'") from error
    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolError(f"{scheduler}: no Dask scheduler answers there ({error})") from error
    with client:
        held = {name: client.scatter(data, hash=True) for name, data in models.items()}
        futures = {
            client.submit(solve, task, held[task.target.model_sha256], pure=False): task
            for task in tasks
        }
        for future in as_completed(futures, loop=client.loop):
            task = futures.pop(future)
            try:
                yield future.result()
            except KilledWorker:
                yield _dead(task)
            except Exception as error:
                yield Answer(task.id, error=f"the cluster gave up on it: {error}")
            future.release()
