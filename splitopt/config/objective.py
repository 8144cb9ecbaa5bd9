"""What a job minimises."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import Strict

Aim = Literal["balanced", "fit", "smallest", "weighted"]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, strict=False)]
_FINEST_WEIGHT = 10**6
_LARGEST_WEIGHT = 2**30
"""Times the largest RAM, the solver's sums stay below 2**62."""
_LARGEST_SHARE = 2**24
"""Of weights that a model's own figures are in: what is added may be large, too."""
_MOST_INSN = 10**15

ALIASES = {"peak_ram": "smallest", "added_time": "fit"}
"""Names of before, and what they mean now."""
_OLD_KEYS = ("ram_weight", "time_weight_per_kinsn")
_SHARES = ("peak_weight", "time_weight")


def _named_anew(value: Any) -> Any:
    return ALIASES.get(value, value) if isinstance(value, str) else value


class ObjectiveSpec(Strict):
    """What is minimised; the budget bounds the peak RAM whatever it is."""

    minimise: Annotated[
        Aim,
        BeforeValidator(_named_anew),
        Field(
            description="balanced: peak_weight times peak RAM as a share of the unsplit peak, plus "
            "time_weight times added time as a share of the unsplit Invoke, and no cut for less "
            "than a tenth of that where the model fits; fit: the least added "
            "time within the budget, and no cut where the model fits; smallest: the least peak "
            "RAM, then the least added time; weighted: ram_weight per byte of peak RAM plus "
            "time_weight_per_kinsn per 1,000 added instructions.",
        ),
    ] = "balanced"
    peak_weight: Weight = 1.0
    time_weight: Weight = 1.0
    ram_weight: Weight = 1.0
    time_weight_per_kinsn: Weight = 1.0
    max_added_insn: Annotated[
        int | None,
        Field(ge=0, le=_MOST_INSN, description="A bound on the added instructions."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _weights_without_aim(cls, data: Any) -> Any:
        """Jobs that gave weights before there was another default mean these."""
        is_old = isinstance(data, dict) and any(key in data for key in _OLD_KEYS)
        return {"minimise": "weighted", **data} if is_old else data


def notices(objective: Any) -> tuple[str, ...]:
    """What has another name now, of an objective as it was written."""
    if not isinstance(objective, Mapping):
        return ()
    aim = objective.get("minimise")
    if isinstance(aim, str) and aim in ALIASES:
        return (f"objective.minimise: {aim} is called {ALIASES[aim]} now",)
    if aim is None and any(key in objective for key in _OLD_KEYS):
        return (
            "objective: ram_weight and time_weight_per_kinsn belong to minimise: weighted, which "
            "was the default before balanced; write it beside them",
        )
    return ()


def with_aim(objective: Any, aim: str) -> dict[str, Any]:
    """The objective of a job with another aim; its limits stay. Raises UsageError."""
    known = (*get_args(Aim), *ALIASES)
    if aim not in known:
        raise UsageError(f"--objective (--plan): got {aim[:60]!r}, want balanced, fit or smallest")
    old = dict(objective) if isinstance(objective, Mapping) else {}
    return {**old, "minimise": aim}


def integer_weights(
    spec: ObjectiveSpec, unsplit_bytes: int = 1, invoke_insn: int = 1
) -> tuple[int, int]:
    """(per byte of peak, per added instruction), as integers of the same ratio.

    `unsplit_bytes`, `invoke_insn`: of the unsplit model, which `balanced` measures shares by.
    Its ratio is rounded where the larger weight would exceed 2**24: to the nearest ratio with a
    smaller weight of at most 2**24 divided by it. Raises UsageError for weights finer than a
    millionth, too far apart, or both zero.
    """
    if spec.minimise == "smallest":
        return 1, 0
    if spec.minimise == "fit":
        return 0, 1
    is_balanced = spec.minimise == "balanced"
    given = (
        (spec.peak_weight, spec.time_weight)
        if is_balanced
        else (
            spec.ram_weight,
            spec.time_weight_per_kinsn,
        )
    )
    ram, time = (Fraction(str(weight)) for weight in given)
    if max(ram.denominator, time.denominator) > _FINEST_WEIGHT:
        raise UsageError("$.objective: weights have at most six decimals")
    if not ram and not time:
        raise UsageError("$.objective: both weights are 0; want at least one above 0")
    if is_balanced:
        return _rounded(ram * invoke_insn, time * unsplit_bytes)
    weights = _same_ratio(ram, time / 1000)
    if max(weights) > _LARGEST_WEIGHT:
        raise UsageError(
            "$.objective: the weights are too far apart to be exact integers; round them, or bound "
            "one side (budget_bytes, max_added_insn) and minimise the other"
        )
    return weights


def _same_ratio(first: Fraction, second: Fraction) -> tuple[int, int]:
    scale = Fraction(lcm(first.denominator, second.denominator))
    scale /= gcd(int(first * scale), int(second * scale))
    return int(first * scale), int(second * scale)


def _rounded(ram: Fraction, time: Fraction) -> tuple[int, int]:
    """The ratio exactly, or the nearest one of weights that are not too large."""
    weights = _same_ratio(ram, time)
    low, high = sorted(weights)
    if high <= _LARGEST_SHARE or not low:
        return weights
    ratio = Fraction(high, low)
    near = ratio.limit_denominator(max(1, int(_LARGEST_SHARE / ratio)))
    rounded = near.denominator, near.numerator
    return rounded if weights[0] == low else rounded[::-1]
