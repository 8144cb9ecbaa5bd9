"""Points solved on a Dask cluster. Writes no file; whatever befalls the cluster is a ToolError.

Only a point's own answer becomes a row. A point whose worker was lost is solved elsewhere, by Dask;
where no worker is left, nothing answers, or another splitopt does, the sweep ends and points stay
unsolved for the next start. Workers need this very splitopt; they share no files.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from splitopt.base.build import build
from splitopt.base.errors import ToolError
from splitopt.workflows.sweep.task import Answer, Models, Task, dead

ANSWER_S = 10.0
"""How long a scheduler may take to say who it is, connection included."""
WORKERS_S = 30.0
"""How long a cluster may be without any worker, as while they start or are started again."""
_QUIET_S = 2.0  # without a result, after which the cluster is asked whether it is still there
_CALL = (  # as text: what a worker cannot import when it receives it would end that worker
    "__import__('importlib').import_module('splitopt.workflows.sweep.task')"
    ".solve_pickled(asking, task, model)"
)
_GO_ON = "the same command goes on with the points that are not done"


def run_dask(tasks: Sequence[Task], models: Models, scheduler: str) -> Iterator[Answer]:
    """Answers as they come; a point that kills its workers also when solved alone says so.

    Raises ToolError where dask is absent, the scheduler does not answer in time, no worker is
    there or left, and where a worker has another splitopt or none.
    """
    try:
        import distributed
    except ImportError as error:
        raise ToolError("executor: dask needs distributed: pip install 'splitopt[dask]'") from error
    with distributed.utils.silence_logging_cmgr(logging.CRITICAL):
        wait_for_workers(scheduler)
        with _client(scheduler) as client:
            # A task's result, not scattered data: Dask makes it again where its holder is lost.
            held = {name: client.submit(bytes, model) for name, model in models.items()}
            cluster = _Cluster(scheduler, client, held)
            killed = []
            for answer in cluster.solve(tasks):
                if isinstance(answer, Task):
                    killed.append(answer)
                else:
                    yield answer
            for task in killed:
                for answer in cluster.solve([task]):
                    yield dead(answer) if isinstance(answer, Task) else answer


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=ANSWER_S, set_as_default=False)
    except Exception as error:  # each transport and protocol of Dask raises its own
        raise ToolError(f"{scheduler}: no connection to this scheduler ({_why(error)})") from error
    try:
        yield client
    finally:
        client.close()


@dataclass(frozen=True)
class _Cluster:
    """`held`: SHA-256 → the model as a future."""

    scheduler: str
    client: Any
    held: Mapping[str, Any]

    def solve(self, tasks: Sequence[Task]) -> Iterator[Answer | Task]:
        """Answers as they come, and tasks on which Dask gave up since their workers died."""
        done: SimpleQueue[Any] = SimpleQueue()
        waiting = {}
        for task in tasks:
            names = {
                "asking": build(),
                "task": pickle.dumps(task),
                "model": self.held[task.target.model_sha256],
            }
            future = self.client.submit(eval, _CALL, names, pure=False)
            waiting[future.key] = (future, task)
            future.add_done_callback(done.put)
        while waiting:
            try:
                future = done.get(timeout=_QUIET_S)
            except Empty:
                wait_for_workers(self.scheduler)
                continue
            answer = self._answer(future, waiting[future.key][1])
            if answer is None:
                wait_for_workers(self.scheduler)
                done.put(future)
                continue
            del waiting[future.key]
            yield answer

    def _answer(self, future: Any, task: Task) -> Answer | Task | None:
        """None where it got lost on its way here, and is being made again."""
        from distributed.scheduler import KilledWorker

        try:
            made = future.result(timeout=ANSWER_S)
        except TimeoutError:
            return None
        except KilledWorker as error:
            if error.task == future.key:
                return task
            raise ToolError(f"{self.scheduler}: its workers die one by one; {_GO_ON}") from error
        except Exception as error:
            raise ToolError(
                f"{self.scheduler}: a worker or the cluster failed ({_why(error)}); want "
                f"{build()} on each worker; {_GO_ON}"
            ) from error
        if isinstance(made, str):
            raise ToolError(
                f"{self.scheduler}: worker {self._holder(future)} has {made}, want {build()} as "
                f"here: install it there and start the worker again; {_GO_ON}"
            )
        answer = pickle.loads(made)  # noqa: S301 - of a worker of the user's own cluster
        assert isinstance(answer, Answer)
        return answer

    def _holder(self, future: Any) -> str:
        found = self.client.who_has([future]).get(future.key, ())
        return ", ".join(found) or "of unknown address"


def wait_for_workers(scheduler: str) -> None:
    """Returns when the cluster has a worker. Raises ToolError where none comes, or no scheduler
    answers in time."""
    deadline = time.monotonic() + WORKERS_S
    while not _count_workers(scheduler):
        if time.monotonic() > deadline:
            raise ToolError(
                f"{scheduler}: this Dask scheduler has no workers ({WORKERS_S:g} s long): start "
                f"one with `dask worker {scheduler}`; {_GO_ON}"
            )
        time.sleep(0.2)


def _count_workers(scheduler: str) -> int:
    try:
        with ThreadPoolExecutor(1) as pool:  # the caller's thread may run a loop, as notebooks do
            who = pool.submit(asyncio.run, _identity(scheduler)).result()
        kind, workers = who["type"], len(who.get("workers", ()))
    except TimeoutError as error:
        raise ToolError(
            f"{scheduler}: no Dask scheduler answers there within {ANSWER_S:g} s"
        ) from error
    except Exception as error:  # each transport and protocol of Dask raises its own
        raise ToolError(f"{scheduler}: no Dask scheduler answers there ({_why(error)})") from error
    if kind != "Scheduler":
        raise ToolError(f"{scheduler}: a Dask {kind}; want the address of the scheduler")
    return workers


async def _identity(address: str) -> dict[str, Any]:
    """What a Dask server says of itself; Dask's own timeouts leave out the handshake."""
    from distributed import rpc

    async def ask() -> dict[str, Any]:
        await _reach(address)
        async with rpc(address, timeout=ANSWER_S / 2) as server:
            answer: dict[str, Any] = await server.identity()
            return answer

    return await asyncio.wait_for(ask(), ANSWER_S)


async def _reach(address: str) -> None:
    """Whether anything listens: Dask tries again and again, and may end without the cause."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return  # Dask says what is wrong with it
    if parts.scheme == "tcp" and host and port:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()


def _why(error: BaseException) -> str:
    """The innermost cause in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
