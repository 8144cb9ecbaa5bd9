"""What a job minimises, and its weights as integers of the same ratio."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm
from typing import Annotated, Literal

from pydantic import Field

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import Strict

Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, strict=False)]
_FINEST_WEIGHT = 10**6
_LARGEST_WEIGHT = 2**30  # times the largest RAM, the solver's sums stay below 2**62
_MOST_INSN = 10**15


class ObjectiveSpec(Strict):
    """What is minimised; the budget bounds the peak RAM whatever it is."""

    minimise: Annotated[
        Literal["weighted", "peak_ram", "added_time"],
        Field(
            description="weighted: ram_weight per byte of peak RAM plus time_weight_per_kinsn "
            "per 1,000 added instructions."
        ),
    ] = "weighted"
    ram_weight: Weight = 1.0
    time_weight_per_kinsn: Weight = 1.0
    max_added_insn: Annotated[
        int | None,
        Field(ge=0, le=_MOST_INSN, description="A bound on the added instructions."),
    ] = None


def integer_weights(spec: ObjectiveSpec) -> tuple[int, int]:
    """(per byte of peak, per added instruction), scaled to integers of the same ratio.

    Raises UsageError for weights finer than a millionth, too far apart, or both zero.
    """
    if spec.minimise == "peak_ram":
        return 1, 0
    if spec.minimise == "added_time":
        return 0, 1
    ram = Fraction(str(spec.ram_weight))
    time = Fraction(str(spec.time_weight_per_kinsn))
    if max(ram.denominator, time.denominator) > _FINEST_WEIGHT:
        raise UsageError("$.objective: weights have at most six decimals")
    if not ram and not time:
        raise UsageError("$.objective: both weights are 0; want at least one above 0")
    time /= 1000
    scale = Fraction(lcm(ram.denominator, time.denominator))
    scale /= gcd(int(ram * scale), int(time * scale))
    weights = int(ram * scale), int(time * scale)
    if max(weights) > _LARGEST_WEIGHT:
        raise UsageError(
            "$.objective: the weights are too far apart to be exact integers; round them, or bound "
            "one side (budget_bytes, max_added_insn) and minimise the other"
        )
    return weights
