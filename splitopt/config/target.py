"""Which simulator runs the pieces, and how: `target:` of a job, or a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from splitopt.base.errors import UsageError
from splitopt.base.yaml_input import Strict, read_yaml

_MOST_ARGUMENTS = 256


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


LISTED = BeforeValidator(_as_tuple)
"""YAML and JSON have lists where the frozen models hold tuples."""
Words = Annotated[tuple[str, ...], LISTED, Field(max_length=_MOST_ARGUMENTS)]


class TflmSpec(Strict):
    """The user's build of TFLM for the target; paths relative to the file that names them."""

    include: Annotated[Words, Field(description="Folders of header files.")]
    library: Annotated[str, Field(description="libtensorflow-microlite.a for the Cortex-M55.")]


class TargetSpec(Strict):
    """Which simulator runs the pieces, and how."""

    simulator: Literal["qemu", "fvp"]
    tflm: TflmSpec | None = None
    executable: Annotated[
        str | None, Field(description="The simulator's program; default: the one on PATH.")
    ] = None
    arguments: Annotated[Words, Field(description="Added to the simulator's own.")] = ()
    inputs: Annotated[
        int, Field(ge=1, le=64, description="Random inputs to run, from verify.seed.")
    ] = 2
    per_op: Annotated[bool, Field(description="Time every op, too.")] = False
    time_limit_s: Annotated[float, Field(gt=0, le=86400, strict=False)] = 300.0

    def changed(self, *, inputs: int | None = None, per_op: bool = False) -> TargetSpec:
        """The same, with so many inputs where a number is given, and times of ops if asked for."""
        changes = {"inputs": inputs or self.inputs, "per_op": per_op or self.per_op}
        return self.model_copy(update=changes)


def read_target(reference: str, home: Path) -> TargetSpec:
    """`qemu`, `fvp`, or the path of a .yaml file from `home`; paths in it come out absolute.

    Raises UsageError.
    """
    if reference in ("qemu", "fvp"):
        return TargetSpec.model_validate({"simulator": reference})
    if not reference.endswith((".yaml", ".yml")):
        raise UsageError(f"target: got {reference!r}, want host, qemu, fvp or a .yaml file")
    file = home / reference
    return anchored(read_yaml(file, TargetSpec), file.parent)


def anchored(spec: TargetSpec, home: Path) -> TargetSpec:
    """The target with absolute paths of its TFLM library."""
    return spec.model_copy(update={"tflm": spec.tflm and anchored_tflm(spec.tflm, home)})


def anchored_tflm(spec: TflmSpec, home: Path) -> TflmSpec:
    home = home.resolve()
    return TflmSpec(
        include=tuple(str(home / name) for name in spec.include), library=str(home / spec.library)
    )
