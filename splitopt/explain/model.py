"""All facts of one model on one board, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from splitopt.base.units import format_bytes
from splitopt.base.version import VERSION
from splitopt.explain.boards import BoardFit
from splitopt.explain.memory.floor import FloorFact
from splitopt.explain.memory.live_ram import Ram
from splitopt.explain.memory.tensors import TensorFact
from splitopt.explain.memory.zz_levers import Lever
from splitopt.planning.lowest_peak import Rung, rung_lines
from splitopt.planning.zz_least import LeastPeak

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ModelFacts:
    """What `splitopt explain MODEL` says. `peak_op`: where most is alive in the unsplit model.

    `least` is None where `no_cuts` says why there is none; then `ladder` is empty. The ladder's
    last rung is the least of all plans.
    """

    model: str
    path: str
    sha256: str
    file_bytes: int
    ops: int
    tensors: int
    board: str
    abi: str
    budget_bytes: int
    ram: Ram
    invoke_insn: int
    peak_op: int
    peak_op_name: str
    load_by_op: tuple[int, ...]
    longest_lived: tuple[TensorFact, ...]
    largest: tuple[TensorFact, ...]
    floor: FloorFact
    least: LeastPeak | None
    no_cuts: str
    ladder: tuple[Rung, ...]
    levers: tuple[Lever, ...]
    boards: tuple[BoardFit, ...]

    @property
    def is_exact(self) -> bool:
        return not self.ram.estimates and (self.least is None or self.least.exact)

    @property
    def saved_bytes(self) -> int:
        """What the best cuts save; 0 where none do."""
        least = self.ram.ram_bytes if self.least is None else self.least.peak_ram_bytes
        return max(0, self.ram.ram_bytes - least)

    @property
    def lowest_bytes(self) -> int:
        """The least peak of any plan, or the unsplit model's where none is known."""
        return min(
            [self.ram.ram_bytes - self.saved_bytes, *(r.peak_ram_bytes for r in self.ladder)]
        )

    @property
    def ladder_lines(self) -> tuple[str, ...]:
        """How far plans get, liberty by liberty, each with its price."""
        return tuple(rung_lines(self.ladder, self.ram.ram_bytes, self.invoke_insn))

    @property
    def verdict(self) -> str:
        """Two sentences: before, the least of any cuts and of any plan; whether it fits."""
        unsplit_bytes, budget = self.ram.ram_bytes, self.budget_bytes
        if self.least is None:
            reach = self.no_cuts
        else:
            sure = "proved" if self.least.is_proved else "unproved: time ran out"
            least = format_bytes(self.least.peak_ram_bytes)
            reach = (
                f"no set of cuts gets below {least} ({sure})"
                if self.saved_bytes
                else f"no set of cuts gets lower ({sure})"
            )
            reach += self._below_cuts()
        if unsplit_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} unsplit"
        elif unsplit_bytes - self.saved_bytes <= budget:
            fit = f"fits the {format_bytes(budget)} of {self.board} when it is cut"
        elif self.lowest_bytes <= budget:
            how = "cut and runs in bands or under offline plans"
            fit = f"fits the {format_bytes(budget)} of {self.board} when it is {how}"
        else:
            fit = f"does not fit the {format_bytes(budget)} of {self.board}"
        return f"{self.model} needs {format_bytes(unsplit_bytes)} unsplit; {reach} It {fit}."

    def _below_cuts(self) -> str:
        """The rest of a sentence on the least of any cuts."""
        if not self.ladder:
            return "."
        if self.lowest_bytes < self.ram.ram_bytes - self.saved_bytes:
            return f", but bands and offline plans get down to {format_bytes(self.lowest_bytes)}."
        sure = "proved" if all(rung.is_proved for rung in self.ladder) else "unproved"
        return f", and neither bands nor offline plans get lower ({sure})."

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "splitopt": VERSION,
            **asdict(self),
            "verdict": self.verdict,
            "exact": self.is_exact,
            "saved_bytes": self.saved_bytes,
            "ladder_lines": self.ladder_lines,
            "boards": [
                {**asdict(fit), "verdict": fit.verdict, "fits_unsplit": fit.fits_unsplit}
                | {"fits_split": fit.fits_split}
                for fit in self.boards
            ],
        }
