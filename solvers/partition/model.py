"""The CP-SAT model of a partition over loads, with cuts for layouts that miss their load.

Variables: x_o (option o is chosen), cut_c (c is a cut or an end), peak.
  exactly one of: an option starts at c, c is no cut     _add_starts
  exactly one of: an option stops at c, c is no cut      _add_stops
  region = peak - sum of kept_o x_o
  region >= sum of ram_o x_o over options starting at c  _add_peak
  sum of x_o <= max_segments                             _add_segment_limit
  sum of cost_o x_o <= max_cost                          _add_cost_limit
  for each store s: sum of stored_os x_o <= its room     _add_stores
  one of each set of a cut chosen => region >= the cut's _add_layout_cuts
Minimised in this order: the weighted sum, the segments, the copied bytes.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from ortools.sat.python import cp_model

from splitopt.solvers.partition.instance import Option, PartitionInstance


@dataclass(frozen=True)
class LayoutCut:
    """No plan that takes an option of each set (by number) has a smaller region.

    Each set holds options of one segment; these follow one another.
    """

    sets: tuple[frozenset[int], ...]
    region: int

    def holds(self, chosen: Set[int]) -> bool:
        """Whether it speaks of the plan of these options."""
        return all(not options.isdisjoint(chosen) for options in self.sets)


@dataclass(frozen=True)
class PartitionModel:
    """The model, its variables by number of the option and by cut, what it minimises in turn."""

    instance: PartitionInstance
    cp: cp_model.CpModel
    chosen: Mapping[int, cp_model.IntVar]
    cuts: Sequence[cp_model.IntVar]
    peak: cp_model.IntVar

    @property
    def stages(self) -> tuple[cp_model.LinearExprT, ...]:
        goal = self.instance.goal
        cost = self.total(lambda option: option.cost)
        return (
            goal.ram_weight * self.peak + goal.cost_weight * cost,
            self.total(lambda _: 1),
            self.total(lambda option: option.copied_bytes),
        )

    def total(self, amount: Callable[[Option], int]) -> cp_model.LinearExpr:
        amounts = [amount(self.instance.options[i]) for i in self.chosen]
        return cp_model.LinearExpr.weighted_sum(list(self.chosen.values()), amounts)

    @property
    def region(self) -> cp_model.LinearExprT:
        """What the peak leaves beside what the chosen options keep for good."""
        if not any(self.instance.options[i].kept for i in self.chosen):
            return self.peak
        return self.peak - self.total(lambda option: option.kept)

    def hint(self, numbers: Sequence[int], peak: int) -> None:
        """Start the search from this choice."""
        self.cp.clear_hints()  # type: ignore[no-untyped-call]
        chosen = set(numbers)
        ends = {0, *(self.instance.options[i].stop for i in numbers)}
        for i, variable in self.chosen.items():
            self.cp.add_hint(variable, i in chosen)
        for c in range(1, self.instance.n):
            self.cp.add_hint(self.cuts[c], c in ends)
        self.cp.add_hint(self.peak, peak)


def build(
    instance: PartitionInstance,
    numbers: Sequence[int],
    layout_cuts: Sequence[LayoutCut],
) -> PartitionModel:
    """The model over the options of these numbers."""
    cp = cp_model.CpModel()
    chosen = {i: cp.new_bool_var(f"x{i}") for i in numbers}
    inner = [cp.new_bool_var(f"cut{c}") for c in range(1, instance.n)]
    cuts = [cp.new_constant(1), *inner, cp.new_constant(1)]
    peak = cp.new_int_var(0, _most_ram(instance), "peak")
    model = PartitionModel(instance, cp, chosen, cuts, peak)
    _add_starts(model)
    _add_stops(model)
    _add_peak(model)
    _add_segment_limit(model)
    _add_cost_limit(model)
    _add_stores(model)
    _add_layout_cuts(model, layout_cuts)
    return model


def _most_ram(instance: PartitionInstance) -> int:
    """The capacity, or all boundary values stacked on the largest arena."""
    if instance.goal.capacity is not None:
        return instance.goal.capacity
    arena = max((option.arena_bytes for option in instance.options), default=0)
    kept = instance.n * max((option.kept for option in instance.options), default=0)
    return arena + kept + sum(value.size for value in instance.boundaries)


def _by_place(model: PartitionModel, place: Callable[[Option], int]) -> list[list[int]]:
    numbers: list[list[int]] = [[] for _ in range(model.instance.n + 1)]
    for i in model.chosen:
        numbers[place(model.instance.options[i])].append(i)
    return numbers


def _add_starts(model: PartitionModel) -> None:
    for c, numbers in enumerate(_by_place(model, lambda option: option.start)[:-1]):
        model.cp.add_exactly_one([*(model.chosen[i] for i in numbers), ~model.cuts[c]])


def _add_stops(model: PartitionModel) -> None:
    for c, numbers in enumerate(_by_place(model, lambda option: option.stop)):
        if c:
            model.cp.add_exactly_one([*(model.chosen[i] for i in numbers), ~model.cuts[c]])


def _add_peak(model: PartitionModel) -> None:
    region = model.region
    for numbers in _by_place(model, lambda option: option.start):
        rams = [model.instance.rams[i] for i in numbers]
        chosen = [model.chosen[i] for i in numbers]
        model.cp.add(region >= cp_model.LinearExpr.weighted_sum(chosen, rams))


def _add_segment_limit(model: PartitionModel) -> None:
    limit = model.instance.goal.max_segments
    if limit is not None:
        model.cp.add(model.total(lambda _: 1) <= limit)


def _add_cost_limit(model: PartitionModel) -> None:
    limit = model.instance.goal.max_cost
    if limit is not None:
        model.cp.add(model.total(lambda option: option.cost) <= limit)


def _add_stores(model: PartitionModel) -> None:
    for store, room in enumerate(model.instance.stores):
        stored = [(i, model.instance.options[i].stored) for i in model.chosen]
        terms = [model.chosen[i] * amounts[store] for i, amounts in stored if amounts]
        model.cp.add(cp_model.LinearExpr.sum(terms) <= room)


def _add_layout_cuts(model: PartitionModel, layout_cuts: Sequence[LayoutCut]) -> None:
    region = model.region
    for number, cut in enumerate(layout_cuts):
        among = [[model.chosen[i] for i in options if i in model.chosen] for options in cut.sets]
        taken = [model.cp.new_bool_var(f"cut{number}_{k}") for k in range(len(among))]
        for literal, options in zip(taken, among, strict=True):
            model.cp.add(cp_model.LinearExpr.sum(options) == literal)
        model.cp.add(region >= cut.region).only_enforce_if(taken)
