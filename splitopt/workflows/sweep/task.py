"""One point of a sweep, solved in any process: data in, plans out; no file is read or written.

A thread keeps the planners and the answers of the models that it worked on last: a plan that is
optimal under a larger budget and fits a smaller one is optimal there, too. A worker of a cluster
outlives a sweep, so all of it is kept by sweep: an answer names points of its own sweep only.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from splitopt.base.build import build
from splitopt.base.errors import SplitoptError
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.aims import plan_aimed
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.placed_front import placed_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unfinished import Cause
from splitopt.solvers.outcome import Outcome
from splitopt.workflows.sweep.grid import FRONT

Models = Mapping[str, bytes]
"""SHA-256 → the int8 model."""

_MOST_MODELS = 4


@dataclass(frozen=True)
class Target:
    """What, besides the model, decides every segment's figures."""

    model_sha256: str
    pricing: Pricing


@dataclass(frozen=True)
class Task:
    """A point with all that its solution depends on, except the model's bytes.

    `sweep`: one execution of one sweep, unlike any other. `counts_pieces`: whether their number is
    a measure of fronts.
    """

    sweep: str
    id: str
    kind: str
    target: Target
    request: PlanRequest
    counts_pieces: bool = False


@dataclass(frozen=True)
class Answer:
    """Plans of a point: one, or those of a front; none where no plan fits or with an `error`.

    `least`: the plan of the smallest budget that has one. `shared_from`: the point whose plan this
    is, found without solving again. `cause`: why a front is not complete. `solver_s`: time of
    bounding, replaying and solving.
    """

    id: str
    plans: tuple[SplitPlan, ...] = ()
    is_complete: bool = True
    cause: Cause | None = None
    is_infeasible: bool = False
    least: SplitPlan | None = None
    shared_from: str | None = None
    solver_s: float = 0.0
    wall_s: float = 0.0
    error: str | None = None


@dataclass
class _Known:
    """An answer under a capacity (None: unlimited), for requests equal but for that."""

    id: str
    capacity: int | None
    answer: SplitPlan | Infeasible


@dataclass
class _PlannedModel:
    """A model on a target: its planner, and the answers so far by request without capacity."""

    planner: Planner
    known: dict[bytes, list[_Known]] = field(default_factory=dict)


class _Memory(threading.local):
    """The models that this thread worked on last, by sweep and target; the latest at the end."""

    def __init__(self) -> None:
        self.models: OrderedDict[tuple[str, Target], _PlannedModel] = OrderedDict()


_memory = _Memory()


def solve(task: Task, model: bytes) -> Answer:
    """Never raises for what a job can hold: a failure is an answer with its reason."""
    started = time.monotonic()
    try:
        planned = _planned_model(task, model)
        made = (_front if task.kind == FRONT else _plan)(task, planned)
    except SplitoptError as error:
        made = Answer(task.id, error=str(error))
    except Exception as error:  # one bad point must not end the sweep
        made = Answer(task.id, error=f"internal error: {type(error).__name__}: {error}")
    return replace(made, wall_s=time.monotonic() - started)


def solve_pickled(asking: str, task: bytes, model: bytes) -> bytes | str:
    """The pickled answer to a pickled task of the splitopt `asking` (`build`); or which splitopt
    this is, where it is another one, which may plan otherwise."""
    if asking != build():
        return build()
    return pickle.dumps(solve(pickle.loads(task), model))  # noqa: S301 - as sent by Dask's user


def dead(task: Task) -> Answer:
    """Of a point at which worker processes died, also when it was solved alone."""
    return Answer(
        task.id, error="its worker process died twice; too little memory for so large a model?"
    )


def _planned_model(task: Task, model: bytes) -> _PlannedModel:
    models, key = _memory.models, (task.sweep, task.target)
    if key not in models:
        graph = parse_tflite(model, name="model", where="the model")
        models[key] = _PlannedModel(Planner(priced_segments(graph, task.target.pricing)))
    models.move_to_end(key)
    while len(models) > _MOST_MODELS:
        models.popitem(last=False)
    return models[key]


def _front(task: Task, model: _PlannedModel) -> Answer:
    started = time.monotonic()
    front = placed_front(model.planner, task.request, counts_pieces=task.counts_pieces)
    return Answer(
        task.id,
        plans=front.plans,
        is_complete=front.is_complete,
        cause=None if front.unfinished is None else front.unfinished.cause,
        is_infeasible=front.is_complete and not front.plans,
        solver_s=time.monotonic() - started,
    )


def _plan(task: Task, model: _PlannedModel) -> Answer:
    goal = replace(task.request.goal, capacity=None)
    key = repr((goal, task.request.aim)).encode() + task.request.allowed.tobytes()
    known = model.known.setdefault(key, [])
    capacity = task.request.goal.capacity
    shared = next((k for k in known if _serves(k, capacity)), None)
    if shared is not None:
        return _answer(task.id, shared.answer, shared_from=shared.id)
    started = time.monotonic()
    answer = plan_aimed(model.planner, task.request)
    spent_s = time.monotonic() - started
    if isinstance(answer, Outcome):
        return Answer(task.id, is_complete=False, solver_s=spent_s)
    known.append(_Known(task.id, capacity, answer))
    return _answer(task.id, answer, solver_s=spent_s)


def _serves(known: _Known, capacity: int | None) -> bool:
    """Whether an answer under another capacity is proved to be the answer under this one."""
    if isinstance(known.answer, SplitPlan):
        is_wider = known.capacity is None or (capacity is not None and capacity <= known.capacity)
        fits = capacity is None or known.answer.peak_ram_bytes <= capacity
        return is_wider and fits and known.answer.status.name == "OPTIMAL"
    least = known.answer.least
    return capacity is not None and (
        least is None or (least.status.name == "OPTIMAL" and capacity < least.peak_ram_bytes)
    )


def _answer(name: str, answer: SplitPlan | Infeasible, **more: Any) -> Answer:
    if isinstance(answer, Infeasible):
        return Answer(name, is_infeasible=True, least=answer.least, **more)
    return Answer(name, plans=(answer,), **more)
