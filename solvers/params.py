"""How a solver may work: time, seed, workers, and each of its improvements as a switch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SolveParams:
    """One worker and a fixed seed repeat a run; no switch may change cost or status.

    hints: start from the plan of a quick method. cheap_proofs: accept a quick method's plan where
    a bound proves it. prune: drop options that no optimal plan can hold. redundant: in packing, add
    implied constraints that tighten the relaxation. search: in packing, our own exact search
    before CP-SAT.
    """

    time_limit_s: float = 60.0
    seed: int = 0
    workers: int = 1
    hints: bool = True
    cheap_proofs: bool = True
    prune: bool = True
    redundant: bool = True
    search: bool = True

    def __post_init__(self) -> None:
        if not self.time_limit_s >= 0:
            raise ValueError(f"time_limit_s: got {self.time_limit_s}, want a number >= 0")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed: got {self.seed}, want 0 <= seed < 2**31")
        if self.workers < 1:
            raise ValueError(f"workers: got {self.workers}, want at least 1")
