"""verify.json: what was compared, on how many inputs, and how far apart it was."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from splitopt.bundle.schema.common import Count, Document, Line, Long, Number, Shape, Status, Text


class Check(Shape):
    name: Text
    status: Status
    compared: Text
    inputs: Count
    worst_difference: Number
    detail: Long


class Verify(Document):
    """verify.json. `interpreters`: name to version; null where it is absent. `reason`: why nothing
    was run, where nothing was."""

    status: Status
    reason: Line | None = None
    seed: int
    random_inputs: Count
    given_inputs: Count
    held_out_inputs: Count = 0
    interpreters: dict[Line, Line | None]
    checks: Annotated[tuple[Check, ...], Field(max_length=1000)]

    @property
    def own_inputs(self) -> int:
        """Samples of the user's."""
        return self.given_inputs + self.held_out_inputs
